/*
 * An execution adapter in use, on its own thread: creating a place may take an adapter many seconds, and nobody else waits
 * for that. The thread lives as long as this object, so all calls of an adapter's state come from one thread, as
 * osiris/adapter.h promises, and what is bound to the life of the thread that started a worker (PR_SET_PDEATHSIG) lasts.
 *
 * A task runs while its owner does other things; adapter_thread_fd becomes readable when there is something to take. The other
 * calls are short, and the caller waits. One task or call at a time; all functions are for the owner's thread, and so are
 * the adapter's reports: the sink is called in adapter_thread_take and in functions that wait, never on the adapter's thread.
 *
 * An adapter that does not return from its task is left behind with all that it has: it uses nothing of its owner's. So is one that
 * calls exit, or crashes (guard.h): what it was at has failed, and calls do nothing from then on.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_H

#include "orchestrator/adapter/host.h"

struct adapter_thread;

enum adapter_task {
    ADAPTER_PREPARE = 1, /* adapter_host_open, adapter_host_prepare */
    ADAPTER_EXECUTE,     /* adapter_host_execute */
    ADAPTER_RECONNECT,   /* adapter_host_worker_exit, and if the worker runs adapter_host_reconnect */
    ADAPTER_AWAIT,       /* the worker's end: adapter_host_worker_exit, and adapter_host_terminate as patience ends */
    ADAPTER_LEAVE,       /* adapter_host_collect, adapter_host_close: may be prepared again */
    ADAPTER_CLOSE,       /* adapter_host_close */
};

/* How long ADAPTER_AWAIT waits. Milliseconds. */
struct adapter_patience {
    int ask_ms;  /* then the worker is asked to end; 0: it is not */
    int kill_ms; /* then it is killed */
    int exit_ms; /* and waited for again */
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
    struct osiris_channel channel; /* of ADAPTER_EXECUTE and ADAPTER_RECONNECT; the taker owns its descriptors */
    struct adapter_worker_end end; /* of ADAPTER_AWAIT, and of ADAPTER_RECONNECT that has failed */
};

/* Starts the thread; the adapter is not loaded yet. Keeps copies of what the options hold but the sink, of which `cancelled` is
 * not called. */
struct adapter_thread *adapter_thread_new(const struct adapter_host_options *options,
                                          struct osiris_error *error);
/* Tears down the place. If a task is running, it is abandoned, and torn down should it ever return. */
void adapter_thread_free(struct adapter_thread *thread);

/* No task is under way. `patience`: of ADAPTER_AWAIT, else NULL. */
void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, const struct adapter_patience *patience);
/* Readable when there are reports, or a task has ended. */
int adapter_thread_fd(const struct adapter_thread *thread);
/* Hands reports to the sink. True: a task has ended. */
bool adapter_thread_take(struct adapter_thread *thread, struct adapter_outcome *outcome);
/* From now on the adapter hears that it is cancelled. */
void adapter_thread_cancel(struct adapter_thread *thread);

/* Like those of host.h. While a task is running there is no worker: it is LOST, and terminating it cancels the task. */
bool adapter_thread_can_reconnect(const struct adapter_thread *thread);
void adapter_thread_worker_exit(struct adapter_thread *thread, struct osiris_worker_exit *result);
void adapter_thread_terminate(struct adapter_thread *thread, int how);

#endif
