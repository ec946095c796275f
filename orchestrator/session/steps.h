/* The end of a step. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STEPS_H
#define OSIRIS_ORCHESTRATOR_SESSION_STEPS_H

#include "orchestrator/session/state.h"

/* Records and reports it (events, metrics, observer). `error` is NULL if the step has succeeded. */
void session_step_ended(struct session *session, size_t step, json_object *result, const struct osiris_error *error);
/* Reports the step's metrics that were held. */
void session_report_metrics(struct session *session, struct session_step *step);

#endif
