/*
 * Time in which osiris did not run itself (Ctrl-Z, a virtual machine that stood still): it counts for nothing. What others do
 * meanwhile cannot be known, and what they said has not been read. See core/base/pause.h.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_PAUSE_H
#define OSIRIS_ORCHESTRATOR_SESSION_PAUSE_H

#include "orchestrator/session/state.h"

/* If osiris did not run since this was last asked: nobody's time has gone by meanwhile, and workers have a new period to be heard. */
void session_make_up_for_pause(struct session *session);

#endif
