/*
 * The current calls of adapters, in memory that is shared with another process. If this process ends in a call of an adapter, the other
 * one can name the adapter (cli/supervise.h).
 *
 * Each adapter's thread writes its own entry. They are read when the process has ended, and may contain anything, because whatever ended
 * it may have overwritten them.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_CALLS_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_CALLS_H

#include <stdatomic.h>

struct adapter_call {
    atomic_bool taken;
    char adapter[64]; /* truncated if it is too long */
    char verb[16];    /* "": no call */
};

/* Zeroed: no calls. Adapters beyond the size of the array are not noted. */
struct adapter_calls {
    struct adapter_call calls[64];
};

/* [before any adapter is called, while there is one thread] Calls of this process are noted in `calls` from now on. */
void adapter_calls_share(struct adapter_calls *calls);

/* [adapter's thread] Takes an entry. NULL: there is none; the other functions accept that. */
struct adapter_call *adapter_call_take(const char *adapter);
/* [adapter's thread] A call of `verb` begins; NULL: it has returned. */
void adapter_call_note(struct adapter_call *call, const char *verb);
void adapter_call_release(struct adapter_call *call);

/* `adapter "a" in "execute", adapter "b" in "open"`: the adapters that were in a call; if there were none, all that were open; if there were
 * none, `adapter "a" after its last call`; "" if there were no adapters. Free it. */
char *adapter_calls_text(const struct adapter_calls *calls);

#endif
