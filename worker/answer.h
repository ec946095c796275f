/*
 * Messages from the worker to the orchestrator. Any thread; a worker that cannot send what it owes ends.
 */
#ifndef OSIRIS_WORKER_ANSWER_H
#define OSIRIS_WORKER_ANSWER_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/wire/channel.h"

/* Never wait, are never dropped (channel_send_owed). Takes `result`. */
void answer_result(struct channel *channel, const char *request_id, json_object *result);
void answer_error(struct channel *channel, const char *request_id, const struct osiris_error *error);
/* The same for a step that has had no effect yet. */
void answer_untouched(struct channel *channel, const char *request_id, const struct osiris_error *error);
/* The files that a commit has published; its result follows when the drivers are closed. Takes `published`. */
void answer_published(struct channel *channel, const char *request_id, json_object *published);
/* {type, data}; takes `data`. `wait` as for channel_send. If the peer reads nothing for that long, the worker ends. */
void answer_message(struct channel *channel, const char *type, json_object *data, bool wait);

#endif
