/* An adapter's thread as its files know it, and giving it work. Private to thread.c and tasks.c, which asks it for what thread.h has. */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_WORK_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "orchestrator/adapter/guard.h"
#include "orchestrator/adapter/thread.h"

/* The adapter's reports, in order. */
struct report {
    struct report *next;
    enum { REPORT_LOG, REPORT_EVENT, REPORT_METRIC } kind;
    int level;
    char *name, *text; /* source and message; an event's name; a metric's name and unit */
    json_object *fields;
    double value;
};

/* The work of the thread, on what it owns. */
typedef void (*adapter_work)(struct adapter_thread *thread);

struct adapter_thread {
    /* From the owner, and copies for the adapter. */
    const struct adapter_sink *sink;
    struct adapter_host_options options;
    struct osiris_adapter_context context;
    int fd;
    pthread_t id;
    atomic_bool cancelled, task_cancelled; /* for good; what is under way */
    struct adapter_sink own_sink;
    struct adapter_guard guard;
    /* Used by the thread while `work` is set, else by the owner. */
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
    bool ending, left_behind;
    bool is_stuck; /* a call has not returned in time */
    bool is_dead; /* the adapter has ended or crashed: it is not called any more, and everything that it had is left */
    struct report *first, **end;
    size_t report_count;
};

/* Has the thread do it, and returns. Its owner takes the outcome. */
void adapter_thread_start_task(struct adapter_thread *thread, adapter_work work);
/* False: a task is under way, or the adapter has ended. Else the work is done, and what was reported meanwhile is told. */
bool adapter_thread_call(struct adapter_thread *thread, adapter_work work, int asked);
/* [its thread] Closes the adapter, which tears the place down. */
void adapter_thread_close(struct adapter_thread *thread);

#endif
