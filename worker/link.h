/*
 * The remote halves of streams: edges of which one end is in another place. See docs/protocol.md, "Streams".
 *
 *   link_output   the producer's side: its step's thread encodes and sends; waits for credit
 *   link_input    the reader's side: the main thread takes batches in and puts them into the step's queue, which
 *                 never makes it wait; the step's thread gives credit for what it takes out
 */
#ifndef OSIRIS_WORKER_LINK_H
#define OSIRIS_WORKER_LINK_H

#include <json-c/json.h>
#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire/channel.h"
#include "core/base/error.h"
#include "worker/queue.h"

struct link_output;

/* `window`: the most credit that there may be. */
struct link_output *link_output_new(struct channel *channel, uint64_t window);
void link_output_free(struct link_output *output);
/* [main thread] A new attempt: the stream's number, and the codecs that may be used (borrowed; NULL: none). */
void link_output_open(struct link_output *output, int64_t stream, json_object *codecs);
int64_t link_output_stream(const struct link_output *output);
/* [main thread] What the reader says. -1: it violates the protocol. */
int link_output_credit(struct link_output *output, int64_t bytes, struct osiris_error *error);
void link_output_close(struct link_output *output);
/* [any thread] Wakes the producer, who is told QUEUE_CANCELLED. */
void link_output_cancel(struct link_output *output);
/* [producer] As their namesakes of worker/queue.h. */
int link_output_set_schema(struct link_output *output, const struct ArrowSchema *schema,
                           struct osiris_error *error);
enum queue_result link_output_put(struct link_output *output, const struct ArrowSchema *schema,
                                  struct ArrowArray *array, struct osiris_error *error);
void link_output_finish(struct link_output *output);

struct link_input;

/* `window`: what the reader lets come beyond what it has taken. `elastic`: the queue puts all on disk beyond its own bound. */
struct link_input *link_input_new(struct channel *channel, struct queue *queue, uint64_t window,
                                  bool elastic);
void link_input_free(struct link_input *input);
/* [main thread] A new attempt: gives the first credit. 0 ends one. */
void link_input_open(struct link_input *input, int64_t stream);
int64_t link_input_stream(const struct link_input *input);
/* [main thread] Where the body of a message of the stream goes; NULL with the error set. */
void *link_input_room(struct link_input *input, json_object *message, size_t length,
                      struct osiris_error *error);
/* [main thread] A message of the stream. -1: it violates the protocol. The reader of a small batch hears of it when
 * link_input_wake is called, which is soon. */
int link_input_take(struct link_input *input, const char *type, json_object *data,
                    size_t body_length, struct osiris_error *error);
void link_input_wake(struct link_input *input);
/* [reader] A batch that the queue counts for so much (wire_batch_weigh) was taken out of it. */
void link_input_taken(struct link_input *input, uint64_t weight);
/* [reader] Bytes of its columns. */
uint64_t link_input_bytes(const struct link_input *input, const struct ArrowArray *array);
/* [reader] It wants no more. */
void link_input_close(struct link_input *input);

#endif
