/* Errors from workers. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ERRORS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ERRORS_H

#include "orchestrator/session/state.h"

/* The worker is not trusted: long texts are truncated, and names that the plan does not have are removed. */
void session_read_error(const struct session *session, struct osiris_error *error, json_object *object);

#endif
