/* The session's own events, metrics and log lines. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_NOTES_H
#define OSIRIS_ORCHESTRATOR_SESSION_NOTES_H

#include "orchestrator/records/own-names.h"
#include "orchestrator/session/state.h"

/* With the session's own clock. `fields` is taken. */
void session_event(struct session *session, enum own_event event, json_object *fields);
/* Goes to the observer, too. */
void session_log(struct session *session, int level, const char *source, const char *message);
/* Of a worker or an adapter; `fields` and `tags`, which may be NULL, are taken. What only osiris says, and a value that is not finite,
 * is warned of instead. */
void session_foreign_event(struct session *session, const char *source, const char *event, json_object *fields);
void session_foreign_metric(struct session *session, const char *source, const char *name, double value, const char *unit, json_object *tags);
/* What events call an error. */
const char *session_error_type(const struct osiris_error *error);

#endif
