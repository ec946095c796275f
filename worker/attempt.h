/*
 * One attempt of a step, on its thread: run, answer, wait for the decision, act on it, close.
 */
#ifndef OSIRIS_WORKER_ATTEMPT_H
#define OSIRIS_WORKER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct step;

enum attempt_stage { ATTEMPT_RUN, ATTEMPT_COMMIT, ATTEMPT_DECIDE, ATTEMPT_CLOSE };

/* Owned by the step's thread during an attempt; the main thread empties it between attempts. */
struct step_own {
    void *state;         /* the driver's */
    int64_t started_ns;
    int64_t batches;     /* of its output */
    bool *open_outputs;  /* by output: whether its reader still wants batches */
    enum attempt_stage stage;
    bool committed;      /* the driver has: there is nothing to abort */
};

/* [step's thread] Runs the attempt to its end. A driver that ends the thread in one of its functions has failed and is not
 * called again; the rest of the attempt is done before the thread is gone. */
void attempt_run(struct step *step);

#endif
