/*
 * The calls of a driver, as an attempt makes them: open, run, commit, abort, close. All come from the step's thread.
 */
#ifndef OSIRIS_WORKER_VERBS_H
#define OSIRIS_WORKER_VERBS_H

#include "core/base/error.h"

struct step;

/* Opens the driver, calls the requested verb, and finishes its outputs. */
int verbs_run(struct step *step, struct osiris_error *error);
/* The group's outputs, including those that a commit has opened, are published when all of them are ready. */
int verbs_commit(struct step *step, struct osiris_error *error);
void verbs_abort(struct step *step);
/* Closes the driver and everything that it has opened. */
void verbs_close(struct step *step);

#endif
