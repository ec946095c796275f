/* The state of an adapter's thread, and starting work on it. Private to thread.c and tasks.c. */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_WORK_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "orchestrator/adapter/guard.h"
#include "orchestrator/adapter/thread.h"

/* A report of the adapter, in a list in order. */
struct report {
    struct report *next;
    enum { REPORT_LOG, REPORT_EVENT, REPORT_METRIC } kind;
    int level;
    char *name, *text; /* source and message; an event's name; a metric's name and unit */
    json_object *fields;
    double value;
};

/* A function that runs on the thread, on what the thread owns. */
typedef void (*adapter_work)(struct adapter_thread *thread);

struct adapter_thread {
    /* From the owner; the adapter gets copies. */
    const struct adapter_sink *sink;
    struct adapter_host_options options;
    struct osiris_adapter_context context;
    int fd;
    pthread_t id;
    atomic_bool cancelled, task_cancelled; /* for good; what is under way */
    struct adapter_sink own_sink;
    struct adapter_guard guard;
    /* Used by the thread while `work` is set, otherwise by the owner. */
    struct adapter_host *host;
    struct adapter_outcome outcome;
    struct adapter_patience patience; /* of ADAPTER_AWAIT */
    /* Guarded by `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    adapter_work work; /* NULL: idle */
    /* Of a call, for who is at work; one that returns too late finds it still here. */
    int asked;
    struct osiris_worker_exit worker_exit;
    bool is_task, has_outcome;
    bool ending, abandoned;
    bool is_stuck; /* a call has not returned in time */
    bool is_dead; /* the adapter has exited or crashed: it is not called again, and nothing of it is freed */
    struct report *first, **end;
    size_t report_count;
};

/* Starts a task on the thread and returns. The owner takes the outcome. */
void adapter_thread_start_task(struct adapter_thread *thread, adapter_work work);
/* Runs the work on the thread, and delivers what was reported meanwhile. False: a task is running, or the adapter has ended. */
bool adapter_thread_call(struct adapter_thread *thread, adapter_work work, int asked);
/* [adapter's thread] Closes the adapter, which tears the place down. */
void adapter_thread_close(struct adapter_thread *thread);

#endif
