/* The poll loop of a session: everything that a session waits for, it waits for here. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LOOP_H
#define OSIRIS_ORCHESTRATOR_SESSION_LOOP_H

#include "orchestrator/session/state.h"

/* From adapters that prepare to SESSION_DONE. What the run has failed of is session->failure. */
void session_loop(struct session *session);

#endif
