/*
 * What an adapter must not do, but can, because it runs in this process: end it (exit, _exit), crash, end its thread. A process that an adapter
 * has ended must not look like a successful run, nor hang: its thread is stopped permanently where that happens, its owner
 * is notified (thread.h), and the run fails like any other, with records, and ends the workers. If that does not finish
 * within ADAPTER_GUARD_SECONDS, perhaps because of what the stopped thread holds, the process exits with 1. On threads that an adapter has
 * started itself the process exits with 1 at once, after a line; the next run then completes the records. SIGKILL, execve and
 * direct system calls cannot be intercepted, nor can a crash in a call that has itself reset or blocked the signal before.
 *
 * Handlers are global to the process, and so is the state: which adapter was the first to end, and where osiris was started.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/error.h"

#define ADAPTER_GUARD_SECONDS 60

/* The state of an adapter's thread; outlives it if it has ended. */
struct adapter_guard {
    const char *adapter;
    int wake_fd;                  /* an eventfd, written to when it ends */
    void *stack;                  /* for handlers of signals; owned by its thread */
    _Atomic(const char *) verb;   /* the call that it is in */
    atomic_int ended;             /* how it has ended; 0: it has not */
};

/* [one thread, before adapters are called] Installs the handlers, and notes the working directory and umask, once.
 * `adapters`: their names, for messages that cannot name a single one. */
void adapter_guard_watch(const char *adapters);

/* [its thread] The calling thread belongs to the adapter from now on, until it leaves. */
void adapter_guard_enter(struct adapter_guard *guard);
void adapter_guard_leave(struct adapter_guard *guard);
/* [its thread] Restores osiris's working directory, umask and handling of crashes, whatever the adapter has changed in earlier calls.
 * From now on the adapter is in this verb (a constant), or NULL. */
void adapter_guard_call(struct adapter_guard *guard, const char *verb);
/* [its thread] Exit handlers that the adapter has registered are called after ours. */
void adapter_guard_go_first(void);
/* [its thread] After a call: restores osiris's working directory and umask. Async-signal-safe. */
void adapter_guard_go_home(void);
/* [any thread] An intercepted call is about to end this process. Returns if osiris has made the call, or a child that an
 * adapter has forked, which may. Async-signal-safe. */
void adapter_guard_meet_exit(void);
/* [its thread] It has been unwound by pthread_exit. Async-signal-safe. */
void adapter_guard_thread_ended(struct adapter_guard *guard);

/* [any thread] */
bool adapter_guard_has_ended(const struct adapter_guard *guard);
/* Reports what it did; -1. */
int adapter_guard_explain(const struct adapter_guard *guard, struct osiris_error *error);

/* 0, or -1 with what the first adapter that has ended did. From then on only _exit reliably ends this process. */
int adapter_guard_check(struct osiris_error *error);

#endif
