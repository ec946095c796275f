/* What the end of a worker means for the groups whose steps run in it, or were to. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LOSSES_H
#define OSIRIS_ORCHESTRATOR_SESSION_LOSSES_H

#include "orchestrator/session/state.h"

/* Each group has another attempt, or the run fails. Takes `error`. */
void session_lose_worker(struct session_worker *worker, struct osiris_error *error);
/* Drivers or their worker came to a bad end when all that they had to do was done: that takes nothing back. */
void session_warn_of_end(struct session_worker *worker, const struct osiris_error *error);

#endif
