/*
 * One attempt of a step, on its thread: run, answer, wait for the decision, act on it, close.
 */
#ifndef OSIRIS_WORKER_ATTEMPT_H
#define OSIRIS_WORKER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct step;

/* The step thread's own, for one attempt; the main thread empties it between two. */
struct step_own {
    void *state;         /* the driver's */
    int64_t batches;     /* of its output */
    bool *open_outputs;  /* by output: whether its reader still wants batches */
};

/* [step's thread] Up to what becomes of it. */
void attempt_run(struct step *step);

#endif
