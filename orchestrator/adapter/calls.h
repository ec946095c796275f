/*
 * What adapters are at, in memory that is shared with another process: should this one end in an adapter's call, the other
 * can say whose (cli/supervise.h).
 *
 * Entries are written by the adapters' threads, each its own, and read when no such thread is left. What ended the process may have
 * written anything into them.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_CALLS_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_CALLS_H

#include <stdatomic.h>

struct adapter_call {
    atomic_bool taken;
    char adapter[64]; /* cut, if it is longer */
    char verb[16];    /* empty: it is in none */
};

/* Zero: nobody is at anything. More adapters at a time are not noted. */
struct adapter_calls {
    struct adapter_call calls[64];
};

/* [one thread, before adapters are called] Calls of this process are noted there from now on. */
void adapter_calls_share(struct adapter_calls *calls);

/* [its thread] NULL: it cannot be noted, which the others bear. */
struct adapter_call *adapter_call_take(const char *adapter);
/* `verb`: NULL when it has returned. */
void adapter_call_note(struct adapter_call *call, const char *verb);
void adapter_call_give_back(struct adapter_call *call);

/* `adapter "a" in "execute", adapter "b" in "open"`: those that were in a call, or else all that there were; "" if there were none.
 * Free it. */
char *adapter_calls_text(const struct adapter_calls *calls);

#endif
