/* The poll loop of a session, the only place where it waits. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LOOP_H
#define OSIRIS_ORCHESTRATOR_SESSION_LOOP_H

#include "orchestrator/session/state.h"

/* Runs the session from SESSION_PREPARING to SESSION_DONE. The run's failure is in session->failure. */
void session_loop(struct session *session);

#endif
