/*
 * What an adapter must not do, and can, as it runs in this process: end it (exit, _exit), crash, end its thread. A process that an adapter
 * has ended must not look like a run that has succeeded, nor hang: its thread is stopped for good where that happens, its owner
 * is told (thread.h), and the run fails like any other, with records, and ends the workers. Should that not come to an end
 * within ADAPTER_GUARD_SECONDS, perhaps for what the stopped thread holds, the process exits with 1. On threads that an adapter has
 * started itself the process exits with 1 at once, after a line; the run's records are then ended by the next run. SIGKILL, execve and
 * system calls that the C library does not make cannot be met, nor a crash in a call that has itself reset or blocked the signal before.
 *
 * Handlers are the process's, and so is the state: which adapter was the first to end, and where osiris was started.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/error.h"

#define ADAPTER_GUARD_SECONDS 60

/* Of an adapter's thread; outlives it if it has ended. */
struct adapter_guard {
    const char *adapter;
    int wake_fd;                  /* an eventfd, written to when it ends */
    void *stack;                  /* for handlers of signals; owned by its thread */
    _Atomic(const char *) verb;   /* the call that it is in */
    atomic_int ended;             /* how; 0: it has not */
};

/* [one thread, before adapters are called] Installs the handlers, and notes the working directory and umask, once.
 * `adapters`: names for where they cannot be told apart. */
void adapter_guard_watch(const char *adapters);

/* [its thread] The thread that calls is the adapter's from now on, until it leaves. */
void adapter_guard_enter(struct adapter_guard *guard);
void adapter_guard_leave(struct adapter_guard *guard);
/* [its thread] Working directory, umask and the handling of crashes are osiris's again, whatever the adapter has made of them in earlier calls.
 * The calls that it makes from now on are of this verb (a constant), or NULL. */
void adapter_guard_call(struct adapter_guard *guard, const char *verb);
/* [its thread] Whatever the adapter has registered to be called at the process's exit is called behind ours. */
void adapter_guard_go_first(void);
/* [its thread] Behind a call: the working directory and umask are osiris's again. Async-signal-safe. */
void adapter_guard_go_home(void);
/* [any thread] This process is about to be ended, by a call that is met on its way. Returns if osiris does it, or a child that an
 * adapter has forked, which may. Async-signal-safe. */
void adapter_guard_meet_exit(void);
/* [its thread] It has been unwound by pthread_exit. Async-signal-safe. */
void adapter_guard_thread_ended(struct adapter_guard *guard);

/* [any thread] */
bool adapter_guard_has_ended(const struct adapter_guard *guard);
/* Says what it did; -1. */
int adapter_guard_explain(const struct adapter_guard *guard, struct osiris_error *error);

/* 0, or -1 with what the first one did that has ended. From then on only _exit ends this process surely. */
int adapter_guard_check(struct osiris_error *error);

#endif
