/*
 * Streams between workers: schemas and headers of batches are checked, and passed on without a look into the bodies. Credit goes
 * from the reader to the producer.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STREAMS_H
#define OSIRIS_ORCHESTRATOR_SESSION_STREAMS_H

#include "orchestrator/session/state.h"

/* Steps have their workers. */
void session_make_edges(struct session *session);
/* Numbers the streams of a step that is about to be requested, and adds them to the request. */
void session_open_streams(struct session *session, size_t step, json_object *params);
/* The step has run: it reads no more, and what it has sent is to end soon. */
void session_end_streams(struct session *session, size_t step);
/* More of a body has come from the worker: the rest of its streams may wait behind it. */
void session_extend_streams(struct session_worker *worker, int64_t now);
/* Fails workers that are late with the rest of a stream; the next moment at which one can be. */
void session_check_streams(struct session *session, int64_t now);
int64_t session_next_stream_end(const struct session *session);
/* Sends producers the credit that was withheld, where there is room for what they send. */
void session_pass_credits(struct session *session);
/* The group's streams are of no use any more. */
void session_drop_streams(struct session *session, size_t group);
/* Where the body of a stream's message goes (channel_place); `context` is the worker. */
void *worker_body_room(void *context, json_object *message, size_t length, struct osiris_error *error);
/* The reader refuses what comes of the stream, and ends: its producer has failed. */
void session_blame_producer(struct session_worker *reader, int64_t stream, const struct osiris_error *refusal);
/* One message of a stream: checked and passed on. False if it is none. */
bool worker_pass_on(struct session_worker *worker, const char *type, json_object *message, size_t body_length);

#endif
