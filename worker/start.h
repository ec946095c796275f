/*
 * Starting and ending a step's thread, on the main thread.
 *
 * It is made for the first attempt, waits between attempts, and is joined when the run is freed, so that drivers' thread-local data
 * is gone then, too.
 */
#ifndef OSIRIS_WORKER_START_H
#define OSIRIS_WORKER_START_H

#include <json-c/json.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

#include "core/base/error.h"
#include "worker/requests.h"
#include "worker/signs.h"

struct step;

/* Touched by the main thread only. */
struct step_main {
    pthread_t thread;
    bool has_thread;
    json_object *artifacts_before; /* what was in its folder before the first attempt here; NULL: unknown */
    struct signs_seen signs, interrupt_signs;
};

/* What its thread is to do next. */
enum step_call { CALL_RUN, CALL_END };

/* Written by the main thread before it posts `called`; constant while the attempt is under way. */
struct step_request {
    sem_t called;
    enum step_call call;
    char *id;   /* of the request */
    char *verb; /* "run", "check", … */
    struct hosting *hosting; /* this attempt's; NULL before the first */
};

/* [main thread] Has the step's thread run it. */
int step_start(struct step *step, const struct execute_request *request, const char *request_id, struct osiris_error *error);
/* [main thread] Ends its thread, which waits. One that its driver keeps beyond the deadline is left behind. */
void step_end_thread(struct step *step, const struct timespec *deadline);
/* For all threads of a run. */
struct timespec start_join_deadline(void);

#endif
