/*
 * Recording events, metrics and log lines of workers and their drivers, except for names that are reserved for osiris.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_REPORTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_REPORTS_H

#include "orchestrator/session/state.h"

/* `data` is borrowed from the message. */
void worker_report_event(struct session_worker *worker, json_object *data);
void worker_report_metric(struct session_worker *worker, json_object *data);
void worker_report_log(struct session_worker *worker, json_object *data);
/* Records a line that the worker has printed. `context` is the worker. */
void worker_report_line(void *context, const char *text);
/* Records how many reports were dropped because of the limit. */
void place_report_dropped(struct session_place *place);

#endif
