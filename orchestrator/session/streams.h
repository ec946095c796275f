/*
 * Streams between workers. Schemas and headers of batches are checked and forwarded; bodies are not inspected. Credit is forwarded from
 * the reader to the producer.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STREAMS_H
#define OSIRIS_ORCHESTRATOR_SESSION_STREAMS_H

#include "orchestrator/session/state.h"

/* Call it when the steps have been assigned to workers. */
void session_make_edges(struct session *session);
/* Numbers the streams of a step that is about to be requested. */
void session_open_streams(struct session *session, size_t step);
/* Those that the step sends, as its request describes them; NULL: none. */
json_object *session_describe_outputs(struct session *session, size_t step);
/* Adds the window of the edge's stream, if it is not that of prepare, to its description in `execute_step`. */
void session_add_window(json_object *stream, const struct session *session, const struct session_edge *edge);
/* The step has run: it reads no more, and the streams that it sends must end soon. */
void session_end_streams(struct session *session, size_t step);
/* More of a body has arrived from the worker, so its other streams get more time: they may be waiting behind it. */
void session_extend_streams(struct session_worker *worker, int64_t now);
/* Fails workers that are late with the rest of a stream. The second returns when to call the first next. */
void session_check_streams(struct session *session, int64_t now);
int64_t session_next_stream_end(const struct session *session);
/* Forwards withheld credit to producers if there is room for what they will send. */
void session_forward_credits(struct session *session);
/* The streams of the group's current attempt are no longer used. */
void session_drop_streams(struct session *session, size_t group);
/* Where the body of a stream's message goes (channel_destination); `context` is the worker. */
void *worker_body_room(void *context, json_object *message, size_t length, struct osiris_error *error);
/* The reader has refused data of the stream and ends: its producer has failed. */
void session_blame_producer(struct session_worker *reader, int64_t stream, const struct osiris_error *refusal);
/* Checks and forwards a message of a stream. False: it is not one. */
bool worker_forward(struct session_worker *worker, const char *type, json_object *message, size_t body_length);

#endif
