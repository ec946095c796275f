/*
 * An execution adapter in use, on its own thread: creating a place may take an adapter many seconds, and nobody else waits
 * for that. The thread lives as long as this object, so all calls of an adapter's state come from one thread, as
 * osiris/adapter.h promises, and what is bound to the life of the thread that started a worker (PR_SET_PDEATHSIG) lasts.
 *
 * A task runs while its owner does other things; adapter_thread_fd becomes readable when there is something to take. The other
 * calls are short, and the caller waits. One task or call at a time; all functions are for the owner's thread, and so are
 * the adapter's reports: the sink is called in adapter_thread_take and in functions that wait, never on the adapter's thread.
 *
 * An adapter that does not return from its task is abandoned with everything that it has; it uses nothing of its owner. So is one that
 * ends the process or crashes (guard.h): its current call fails, and later calls do nothing.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H

#include "orchestrator/adapter/host.h"

struct adapter_thread;

enum adapter_task {
    ADAPTER_PREPARE = 1, /* adapter_host_open, adapter_host_prepare */
    ADAPTER_EXECUTE,     /* adapter_host_execute */
    ADAPTER_LEAVE,       /* the worker's end, adapter_host_collect, adapter_host_close: may be prepared again */
};

/* How a worker has ended. */
struct adapter_worker_end {
    struct osiris_worker_exit exit;
    int64_t killed_after_ms; /* 0: it was not killed */
};

/* The outcome of a task. */
struct adapter_outcome {
    enum adapter_task task;
    int result;                    /* 0 or -1 */
    struct osiris_error error;     /* the taker clears it */
    struct osiris_channel channel; /* of ADAPTER_EXECUTE; the taker owns its descriptors */
    struct adapter_worker_end end; /* of ADAPTER_LEAVE */
};

/* Starts the thread; the adapter is not loaded yet. Keeps copies of what the options hold but the sink, of which `cancelled` is
 * not called. */
struct adapter_thread *adapter_thread_new(const struct adapter_host_options *options,
                                          struct osiris_error *error);
/* Tears down the place. If a task is running, it is abandoned, and torn down should it ever return. */
void adapter_thread_free(struct adapter_thread *thread);

/* No task may be running. `exit_ms`: how long ADAPTER_LEAVE waits for the worker before and after it kills it. */
void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, int exit_ms);
bool adapter_thread_is_busy(struct adapter_thread *thread);
/* Readable when there are reports, or a task has ended. */
int adapter_thread_fd(const struct adapter_thread *thread);
/* Hands reports to the sink. True: a task has ended. */
bool adapter_thread_take(struct adapter_thread *thread, struct adapter_outcome *outcome);
/* Waits for the end of a task; false: timeout. */
bool adapter_thread_wait(struct adapter_thread *thread, int timeout_ms);
/* From now on, `cancelled` tells the adapter that it is cancelled. */
void adapter_thread_cancel(struct adapter_thread *thread);

/* Like those of host.h. While a task is running there is no worker: it is LOST, and terminating it cancels the task. */
bool adapter_thread_can_reconnect(const struct adapter_thread *thread);
int adapter_thread_reconnect(struct adapter_thread *thread, struct osiris_channel *channel,
                             struct osiris_error *error);
void adapter_thread_worker_exit(struct adapter_thread *thread, int timeout_ms,
                                struct osiris_worker_exit *result);
void adapter_thread_terminate(struct adapter_thread *thread, int how);
/* Waits for the worker's end: exit_ms, then kills it and waits again. */
void adapter_thread_end_worker(struct adapter_thread *thread, int exit_ms,
                               struct adapter_worker_end *end);
int adapter_thread_collect(struct adapter_thread *thread, struct osiris_error *error);

#endif
