/*
 * Time during which osiris itself did not run (Ctrl-Z, a paused virtual machine) does not count towards timeouts, because osiris has
 * not read what the others sent meanwhile. See core/base/pause.h.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_PAUSE_H
#define OSIRIS_ORCHESTRATOR_SESSION_PAUSE_H

#include "orchestrator/session/state.h"

/* If osiris has not run since the last call, extends all timeouts by that time, and restarts the workers' periods of silence. */
void session_extend_for_pause(struct session *session);

#endif
