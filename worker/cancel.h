/*
 * Cancelling steps: their flags, their streams, their drivers.
 */
#ifndef OSIRIS_WORKER_CANCEL_H
#define OSIRIS_WORKER_CANCEL_H

struct run;
struct step;

/* [any thread] One step. */
void cancel_step(struct step *step);
/* [any thread] The steps of a group (all if negative), but `except` (or NULL), which has failed. */
void cancel_group(struct run *run, int group, const struct step *except);

#endif
