/*
 * Events, metrics and log lines of workers, that is of their drivers: put on record, but for what only osiris itself can say.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_REPORTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_REPORTS_H

#include "orchestrator/session/state.h"

/* `data` is the message's, borrowed. */
void worker_report_event(struct session_worker *worker, json_object *data);
void worker_report_metric(struct session_worker *worker, json_object *data);
void worker_report_log(struct session_worker *worker, json_object *data);
/* What the worker prints; `context` is the worker. */
void worker_report_line(void *context, const char *text);
/* How much of it found no room on record. */
void place_report_dropped(struct session_place *place);

#endif
