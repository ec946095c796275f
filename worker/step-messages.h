/*
 * What the worker sends about a step, for itself or for its driver: log lines, events, metrics. Any thread. Each may wait for a
 * slow orchestrator.
 */
#ifndef OSIRIS_WORKER_STEP_MESSAGES_H
#define OSIRIS_WORKER_STEP_MESSAGES_H

#include <json-c/json.h>

struct step;

/* A copy of a driver's text with secrets masked, truncated if it is extremely long. NULL: out of memory. */
char *step_clean_text(const struct step *step, const char *text);
/* {step_id} */
json_object *step_message_data(const struct step *step);
/* Takes `data`. */
void step_send(struct step *step, const char *type, json_object *data);
/* A line of the log. */
void step_log(struct step *step, const char *level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void step_log_text(struct step *step, const char *level, const char *text);

#endif
