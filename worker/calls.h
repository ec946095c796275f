/*
 * Calls of drivers' code that is no verb: loading one, releasing a batch that one has made. On a step's thread they count as calls of
 * its driver (signs.h). Those of the main thread are read by the thread that stands in for it (stand-in.h). Nothing here waits.
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

/* From here on this thread is the main thread; a step's, with its signs of life. */
void calls_begin_main(void);
void calls_begin_step(struct step_signs *signs);
/* [any thread; on others it does nothing] Around a call. `who` may be NULL: it is no driver's code, but it may take its time.
 * `function` is kept. */
void calls_enter(const struct driver_name *who, const char *function);
void calls_leave(void);

/* [any thread] What the main thread is in. */
struct main_call {
    unsigned number;      /* of the call: another one has another */
    const char *function; /* NULL: the main thread is in none */
    const struct driver_name *who;
};
struct main_call calls_read(void);

#endif
