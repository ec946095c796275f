/* Errors that workers send. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ERRORS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ERRORS_H

#include "orchestrator/session/state.h"

/* It may be anybody's: its texts are no longer than those that ours gives, and it is about steps that there are. */
void session_read_error(const struct session *session, struct osiris_error *error, json_object *object);

#endif
