/* The failure of the run. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_FAILURE_H
#define OSIRIS_ORCHESTRATOR_SESSION_FAILURE_H

#include "orchestrator/session/state.h"

/* Records the error as the run's failure if it is the first. Nothing new starts from then on; settle.c does the rest.
 * Takes `error`. */
void session_fail(struct session *session, struct osiris_error *error);

#endif
