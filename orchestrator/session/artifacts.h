/* The steps' folders of artifacts: what was there before, what a failed attempt has left, what is none. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ARTIFACTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ARTIFACTS_H

#include "orchestrator/session/state.h"

/* Once osiris has put its own there. */
void session_note_artifacts(struct session *session);
/* Removes what the step's failed attempt has left. */
void session_forget_artifacts(const struct session *session, const struct session_step *step);
/* No worker lives any more: what is no artifact is left out of the record. */
void session_sweep_artifacts(struct session *session);

#endif
