/* How a step ended. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STEPS_H
#define OSIRIS_ORCHESTRATOR_SESSION_STEPS_H

#include "orchestrator/session/state.h"

/* Notes it: record, events, metrics, observer. `error` is NULL if it has run. */
void session_step_ended(struct session *session, size_t step, json_object *result, const struct osiris_error *error);
/* The metrics of the step that were held back. */
void session_report_metrics(struct session *session, struct session_step *step);

#endif
