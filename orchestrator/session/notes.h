/* The session's own events, metrics and log lines. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_NOTES_H
#define OSIRIS_ORCHESTRATOR_SESSION_NOTES_H

#include "orchestrator/records/own-names.h"
#include "orchestrator/session/state.h"

/* Records an event of osiris. Takes `fields`. */
void session_event(struct session *session, enum own_event event, json_object *fields);
/* Logs a message, and passes it to the observer. */
void session_log(struct session *session, int level, const char *source, const char *message);
/* Record an event or a metric of a worker or an adapter. Take `fields` and `tags`, which may be NULL. A reserved name or a value that
 * is not finite causes a warning instead. */
void session_foreign_event(struct session *session, const char *source, const char *event, json_object *fields);
void session_foreign_metric(struct session *session, const char *source, const char *name, double value, const char *unit, json_object *tags);
/* The error's type in events. */
const char *session_error_type(const struct osiris_error *error);

#endif
