/*
 * The calls of a driver, as an attempt makes them: open, run, commit, abort, close. All come from the step's thread.
 */
#ifndef OSIRIS_WORKER_VERBS_H
#define OSIRIS_WORKER_VERBS_H

#include "core/base/error.h"

struct step;

/* Opens the driver and runs it, or what else the step was requested for; its outputs are finished. */
int verbs_run(struct step *step, struct osiris_error *error);
/* The group's outputs are published when all of them are ready: what a commit has opened, too. */
int verbs_commit(struct step *step, struct osiris_error *error);
void verbs_abort(struct step *step);
/* Closes the driver, and everything that it has opened. */
void verbs_close(struct step *step);

#endif
