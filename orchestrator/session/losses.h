/* Consequences of a lost worker for the groups whose steps ran in it, or were to run in it. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LOSSES_H
#define OSIRIS_ORCHESTRATOR_SESSION_LOSSES_H

#include "orchestrator/session/state.h"

/* Retries the groups that are affected, or fails the run. Takes `error`. */
void session_lose_worker(struct session_worker *worker, struct osiris_error *error);
/* A driver or the worker has failed after everything was published: this is only a warning. */
void session_warn_late_failure(struct session_worker *worker, const struct osiris_error *error);

#endif
