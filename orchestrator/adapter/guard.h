/*
 * Handles adapters that call exit, crash, or end their thread in this process, which they must not do. The adapter's thread is stopped
 * permanently at that point, its owner is notified (thread.h), and the run fails in an orderly way: records are written, workers end, and
 * the other adapters tear down their places. If that takes longer than ADAPTER_GUARD_SECONDS, for example because the stopped thread holds
 * a lock, the process exits with 1.
 *
 * This covers the frequent faults. Anything else that ends the process (_exit and other system calls, execve, SIGKILL, a crash whose
 * signal the adapter handles or blocks itself, anything on threads that it has started) is handled by the supervisor (cli/supervise.h).
 *
 * Handlers are global to the process, and so is the state: the first adapter that has ended, and the initial working directory.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "orchestrator/adapter/calls.h"

#define ADAPTER_GUARD_SECONDS 60

/* The state of an adapter's thread. Outlives a thread that has ended. */
struct adapter_guard {
    const char *adapter;
    int wake_fd;                  /* an eventfd that is written to when the thread ends */
    void *stack;                  /* for signal handlers; owned by the thread */
    struct adapter_call *shown;   /* its entry in shared memory, or NULL */
    _Atomic(const char *) verb;   /* the current call */
    atomic_int ended;             /* how the thread has ended; 0: it has not */
};

/* [before any adapter is called, while there is one thread] Installs the handlers and records the working directory and umask, once. */
void adapter_guard_watch(void);

/* What was recorded: a descriptor of the folder, which stays open (-1: it could not be opened), and the umask. */
void adapter_guard_origin(int *folder, mode_t *umask_then);

/* [adapter's thread] The calling thread belongs to the adapter until adapter_guard_leave. */
void adapter_guard_enter(struct adapter_guard *guard);
void adapter_guard_leave(struct adapter_guard *guard);
/* [adapter's thread] Before a call (`verb`, a constant) and after it (NULL). Restores osiris's working directory and umask, which the
 * adapter may have changed. */
void adapter_guard_call(struct adapter_guard *guard, const char *verb);
/* [adapter's thread] The thread is being unwound by pthread_exit. Async-signal-safe. */
void adapter_guard_thread_ended(struct adapter_guard *guard);

/* [any thread] */
bool adapter_guard_has_ended(const struct adapter_guard *guard);
/* Sets the error that describes how the adapter has ended. Returns -1. */
int adapter_guard_explain(const struct adapter_guard *guard, struct osiris_error *error);

/* 0, or -1 with the error of the first adapter that has ended. From then on only _exit reliably ends this process. */
int adapter_guard_check(struct osiris_error *error);

#endif
