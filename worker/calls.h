/*
 * Calls of drivers' code other than their verbs: loading a driver, releasing a batch that it has made. On a step's thread they count
 * as calls of its driver (signs.h). The main thread's are read by the thread that stands in for it (stand-in.h). Nothing here waits.
 */
#ifndef OSIRIS_WORKER_CALLS_H
#define OSIRIS_WORKER_CALLS_H

#include "worker/signs.h"

/* The owner of the code. Lives as long as the process, because what a driver has made may outlive its run. */
struct driver_name {
    char *step_id, *component, *driver;
    struct driver_name *next;
};

#define CALL_LOAD "load"

/* Texts are copied. */
const struct driver_name *driver_name_new(const char *step_id, const char *component, const char *driver);

/* Declares the calling thread to be the main thread, or the thread of the step with these signs of life. */
void calls_begin_main(void);
void calls_begin_step(struct step_signs *signs);
/* [any thread; without effect on threads that were not declared] Around a call. `who` is NULL for code that is not a driver's but may
 * take long. `function` is kept. */
void calls_enter(const struct driver_name *who, const char *function);
void calls_leave(void);

/* [any thread] The call that the main thread is in. */
struct main_call {
    unsigned number;      /* different for each call */
    const char *function; /* NULL: there is no call */
    const struct driver_name *who;
};
struct main_call calls_read(void);

#endif
