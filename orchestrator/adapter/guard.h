/*
 * What an adapter must not do, and can, as it runs in this process: end it (exit), crash, end its thread. Its thread is stopped for good
 * where that happens, its owner is told (thread.h), and the run fails in order, with records, ends the workers, and has the other adapters
 * take down their places. Should that not come to an end within ADAPTER_GUARD_SECONDS, perhaps for what the stopped thread holds, the
 * process exits with 1.
 *
 * That is for the faults that are frequent. Whatever else ends the process (_exit and system calls, execve, SIGKILL, a crash whose signal
 * the adapter handles or blocks itself, anything on threads that it has started) the supervisor meets (cli/supervise.h).
 *
 * Handlers are global to the process, and so is the state: which adapter was the first to end, and where osiris was started.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "orchestrator/adapter/calls.h"

#define ADAPTER_GUARD_SECONDS 60

/* The state of an adapter's thread; outlives it if it has ended. */
struct adapter_guard {
    const char *adapter;
    int wake_fd;                  /* an eventfd, written to when it ends */
    void *stack;                  /* for handlers of signals; owned by its thread */
    struct adapter_call *shown;   /* the same for others; or NULL */
    _Atomic(const char *) verb;   /* the call that it is in */
    atomic_int ended;             /* how it has ended; 0: it has not */
};

/* [one thread, before adapters are called] Installs the handlers, and notes the working directory and umask, once. */
void adapter_guard_watch(void);

/* [its thread] The calling thread belongs to the adapter from now on, until it leaves. */
void adapter_guard_enter(struct adapter_guard *guard);
void adapter_guard_leave(struct adapter_guard *guard);
/* [its thread] Before a call (`verb`, a constant) and behind it (NULL): working directory and umask are osiris's again, whatever the adapter
 * has made of them. */
void adapter_guard_call(struct adapter_guard *guard, const char *verb);
/* [its thread] It has been unwound by pthread_exit. Async-signal-safe. */
void adapter_guard_thread_ended(struct adapter_guard *guard);

/* [any thread] */
bool adapter_guard_has_ended(const struct adapter_guard *guard);
/* Reports what it did; -1. */
int adapter_guard_explain(const struct adapter_guard *guard, struct osiris_error *error);

/* 0, or -1 with what the first adapter that has ended did. From then on only _exit reliably ends this process. */
int adapter_guard_check(struct osiris_error *error);

#endif
