/*
 * The part of the host that a driver holds in one attempt, until its close has returned: the table and the inputs. A thread that a driver
 * has started may outlive the step and still call its host; it then finds that the step is over. So a hosting is never freed, only
 * detached from its step.
 */
#ifndef OSIRIS_WORKER_HOSTING_H
#define OSIRIS_WORKER_HOSTING_H

#include <osiris/driver.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/plugin/host-values.h"

struct step;
struct input_stream;

struct hosting {
    struct host_values values; /* the first: the host table reads them */
    struct osiris_host table;
    const char *driver;
    struct input_stream *streams; /* see input-streams.h */
    struct osiris_input *inputs;
    struct hosting *next;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    struct step *step; /* NULL: it is over */
    unsigned callers;  /* threads that are inside */
    bool reported;     /* that a call came too late */
};

/* [main thread] Lives for as long as the process. */
struct hosting *hosting_new(struct step *step);
/* [any thread] Around the work of a host function. Returns its step; NULL: the step is over, and hosting_leave must not be called. */
struct step *hosting_enter(struct hosting *hosting);
void hosting_leave(struct step *step);
/* [any thread] The same for a call of the host table's `function`. Also NULL if the host or `given` is NULL, which is
 * reported as a fault of the driver. */
struct step *hosting_enter_call(const struct osiris_host *host, const char *function, const void *given, const char *what);
/* [step's thread] The driver is closed: calls that come from now on are refused. Waits for those who are inside. */
void hosting_end(struct hosting *hosting);

#endif
