/*
 * Messages of streams from other places, on the main thread; see docs/protocol.md, "Streams".
 */
#ifndef OSIRIS_WORKER_STREAM_MESSAGES_H
#define OSIRIS_WORKER_STREAM_MESSAGES_H

#include <json-c/json.h>

#include "core/base/error.h"
#include "worker/requests.h"

struct run;
struct step;

/* Opens the streams of a new attempt. -1: they differ from the plan's edges. */
int streams_open(struct step *step, const struct execute_request *request, struct osiris_error *error);
/* Notes the streams that an execute_step names. -1: one was named before, a violation. */
int streams_claim(struct run *run, const struct execute_request *request, struct osiris_error *error);
/* A message of a stream, and memory for its body; see link-input.h. Messages of a stream that does not exist any more are discarded.
 * `run` may be NULL. */
void *streams_find_room(struct run *run, json_object *message, const struct stream_message *read, size_t length,
                        struct osiris_error *error);
/* -1: a violation. Other messages are ignored. `run` may be NULL. */
int streams_take_message(struct run *run, const struct stream_message *message, size_t body_length, struct osiris_error *error);
/* Nothing more has arrived for now: wakes the reader of the last message. */
void streams_wake_reader(struct run *run);

#endif
