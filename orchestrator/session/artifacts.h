/* The steps' artifact folders: noting their contents, and removing what failed attempts left and what is not allowed there. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ARTIFACTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ARTIFACTS_H

#include "orchestrator/session/state.h"

/* The folder of the step. Free it. */
char *session_artifacts_path(const struct session *session, const struct session_step *step);
/* Call it after osiris has written its own artifacts. */
void session_note_artifacts(struct session *session);
/* Removes what a failed attempt of the step has left. */
void session_remove_new_artifacts(const struct session *session, const struct session_step *step);
/* Removes everything that is not allowed as an artifact. Call it when all workers have ended. */
void session_sweep_artifacts(struct session *session);

#endif
