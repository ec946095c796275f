/*
 * The reader's side of a stream from another place (docs/protocol.md, "Streams"): the main thread receives batches and puts them
 * into the step's queue, which never makes it wait; the step's thread grants credit for what it takes out.
 */
#ifndef OSIRIS_WORKER_LINK_INPUT_H
#define OSIRIS_WORKER_LINK_INPUT_H

#include <json-c/json.h>
#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire/channel.h"
#include "core/base/error.h"
#include "worker/queue.h"

struct link_input;

/* `window`: how much may arrive beyond what the reader has taken. `elastic`: the queue spills to disk beyond its bound. */
struct link_input *link_input_new(struct channel *channel, struct queue *queue, uint64_t window,
                                  bool elastic);
void link_input_free(struct link_input *input);
/* [main thread] A new attempt: grants the first credit, the window (0: the usual one). Stream 0 ends an attempt. */
void link_input_open(struct link_input *input, int64_t stream, int64_t window);
int64_t link_input_stream(const struct link_input *input);
/* [main thread] Where the body of a message of the stream goes; NULL with the error set. */
void *link_input_room(struct link_input *input, json_object *message, size_t length,
                      struct osiris_error *error);
/* [main thread] A message of the stream. -1: it violates the protocol. The reader of a small batch is woken when
 * link_input_wake is called, which is soon. */
int link_input_take(struct link_input *input, const char *type, json_object *data,
                    size_t body_length, struct osiris_error *error);
void link_input_wake(struct link_input *input);
/* [reader] A batch with this weight (wire_batch_weigh) was taken out of the queue. */
void link_input_taken(struct link_input *input, uint64_t weight);
/* [reader] Bytes of its columns. */
uint64_t link_input_bytes(const struct link_input *input, const struct ArrowArray *array);
/* [reader] It reads no more. */
void link_input_close(struct link_input *input);

#endif
