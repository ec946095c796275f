/* What the run has failed of. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_FAILURE_H
#define OSIRIS_ORCHESTRATOR_SESSION_FAILURE_H

#include "orchestrator/session/state.h"

/* The first failure is what the run is said to have failed of. Nothing new starts from now on; what else follows, settle.c
 * sees to. Takes `error`. */
void session_fail(struct session *session, struct osiris_error *error);

#endif
