/* Shared by the files of an adapter's thread (thread.c, tasks.c). Private to them. */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_INTERNAL_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_THREAD_INTERNAL_H

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
typedef void (*adapter_work)(struct adapter_thread *thread, void *argument);

struct adapter_thread {
    /* From the owner, and copies for the adapter. */
    const struct adapter_sink *sink;
    struct adapter_host_options options;
    struct osiris_adapter_context context;
    int fd;
    pthread_t id;
    atomic_bool cancelled;
    struct adapter_sink own_sink;
    struct adapter_guard guard;
    /* Used by the thread while `work` is set, else by the owner. */
    struct adapter_host *host;
    struct adapter_outcome outcome;
    int exit_ms; /* of ADAPTER_LEAVE */
    /* Guarded by `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    adapter_work work; /* NULL: idle */
    void *argument;
    bool is_task, has_outcome;
    bool ending, left_behind;
    bool is_dead; /* the adapter has ended or crashed: it is not called any more, and everything that it had is left */
    struct report *first, **end;
    size_t report_count;
};

/* thread.c */

/* Starts the work on the thread and returns. The owner takes the outcome. */
void adapter_thread_give_task(struct adapter_thread *thread, adapter_work work);
/* False: a task is running, or the adapter has ended. Else the work is done, and the reports of that time have been delivered. */
bool adapter_thread_call(struct adapter_thread *thread, adapter_work work, void *argument);

/* tasks.c: [its thread] */
void adapter_thread_close(struct adapter_thread *thread, void *unused);

#endif
