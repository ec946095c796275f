/*
 * Calls of drivers' code other than their verbs: loading a driver, releasing a batch that it has made. On a step's thread they count
 * as calls of its driver (signs.h). The main thread's are read by the thread that stands in for it (stand-in.h). Nothing here waits.
 */
#ifndef OSIRIS_WORKER_CALLS_H
#define OSIRIS_WORKER_CALLS_H

#include "worker/signs.h"

/* Whose code it is. Lives for as long as the process: what a driver has made may outlive its run. */
struct driver_name {
    char *step_id, *component, *driver;
    struct driver_name *next;
};

#define CALL_LOAD "load"

/* Texts are copied. */
const struct driver_name *driver_name_new(const char *step_id, const char *component, const char *driver);

/* Says that the calling thread is the main thread, or that of the step with these signs of life. */
void calls_begin_main(void);
void calls_begin_step(struct step_signs *signs);
/* [any thread; on others it does nothing] Around a call. `who` may be NULL: not a driver's code, but something that may take long.
 * `function` is kept. */
void calls_enter(const struct driver_name *who, const char *function);
void calls_leave(void);

/* [any thread] What the main thread is in. */
struct main_call {
    unsigned number;      /* different for each call */
    const char *function; /* NULL: there is no call */
    const struct driver_name *who;
};
struct main_call calls_read(void);

#endif
