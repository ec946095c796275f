/*
 * An execution adapter in use, on its own thread, because creating a place may take an adapter many seconds. The thread lives as long as
 * this object, so an adapter's state is always used by the same thread, as osiris/adapter.h promises, and settings that depend on the
 * thread that started a worker (PR_SET_PDEATHSIG) remain in effect.
 *
 * A task runs while its owner does other things; adapter_thread_fd becomes readable when there is something to take. The other calls are
 * short, and the caller waits. One task or call at a time. All functions are called on the owner's thread, and so is the sink with the
 * adapter's reports: in adapter_thread_take and in functions that wait, never on the adapter's thread.
 *
 * An adapter that does not return from its task is abandoned with everything that it holds; it uses nothing of its owner's. So is one that
 * calls exit or crashes (guard.h): its current task or call has failed, and later calls do nothing.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H

#include "orchestrator/adapter/host.h"

struct adapter_thread;

enum adapter_task {
    ADAPTER_PREPARE = 1, /* adapter_host_open, adapter_host_prepare */
    ADAPTER_EXECUTE,     /* adapter_host_execute */
    ADAPTER_RECONNECT,   /* adapter_host_worker_exit; adapter_host_reconnect if the worker is running */
    ADAPTER_AWAIT,       /* waits for the worker's end: adapter_host_worker_exit, and adapter_host_terminate after the timeouts */
    ADAPTER_LEAVE,       /* adapter_host_collect, adapter_host_close; it may be prepared again */
    ADAPTER_CLOSE,       /* adapter_host_close */
};

/* The timeouts of ADAPTER_AWAIT, in milliseconds. */
struct adapter_patience {
    int ask_ms;  /* until the worker is requested to end; 0: it is not requested */
    int kill_ms; /* until it is killed */
    int exit_ms; /* for its end after that */
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
    struct osiris_error error;     /* the caller clears it */
    struct osiris_channel channel; /* of ADAPTER_EXECUTE and ADAPTER_RECONNECT; the caller clears it (adapter-channel.h) */
    struct adapter_worker_end end; /* of ADAPTER_AWAIT, and of an ADAPTER_RECONNECT that has failed */
};

/* Starts the thread; the adapter is not loaded yet. Copies the options except for the sink, whose `cancelled` is not called. */
struct adapter_thread *adapter_thread_new(const struct adapter_host_options *options,
                                          struct osiris_error *error);
/* Tears down the place. If a task is running, the adapter is abandoned; the place is torn down if the task ever returns. */
void adapter_thread_free(struct adapter_thread *thread);

/* Starts a task. None may be running. `patience` is for ADAPTER_AWAIT, otherwise NULL. */
void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, const struct adapter_patience *patience);
/* Readable when there are reports or a task has ended. */
int adapter_thread_fd(const struct adapter_thread *thread);
/* Passes reports to the sink. True: a task has ended. */
bool adapter_thread_take(struct adapter_thread *thread, struct adapter_outcome *outcome);
/* From now on the host's `cancelled` tells the adapter to return soon. */
void adapter_thread_cancel(struct adapter_thread *thread);

/* Like the functions of host.h. While a task is running, the worker's state is LOST, and terminating it cancels the task. */
bool adapter_thread_can_reconnect(const struct adapter_thread *thread);
void adapter_thread_worker_exit(struct adapter_thread *thread, struct osiris_worker_exit *result);
void adapter_thread_terminate(struct adapter_thread *thread, int how);

#endif
