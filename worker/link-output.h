/*
 * The producer's side of a stream to another place (docs/protocol.md, "Streams"): its step's thread encodes and sends, and waits
 * for credit.
 */
#ifndef OSIRIS_WORKER_LINK_OUTPUT_H
#define OSIRIS_WORKER_LINK_OUTPUT_H

#include <json-c/json.h>
#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire/channel.h"
#include "core/base/error.h"
#include "worker/calls.h"
#include "worker/queue.h"

struct link_output;

/* `window`: the most credit that there may be. `maker`: whose batches they are, or NULL. */
struct link_output *link_output_new(struct channel *channel, uint64_t window, const struct driver_name *maker);
void link_output_free(struct link_output *output);
/* [main thread] A new attempt: the number of the stream, its window (0: the usual one), and the codecs that may be used (borrowed; NULL: none). */
void link_output_open(struct link_output *output, int64_t stream, int64_t window, json_object *codecs);
int64_t link_output_stream(const struct link_output *output);
/* [main thread] The reader has sent a credit or a close. -1: it violates the protocol. */
int link_output_credit(struct link_output *output, int64_t bytes, struct osiris_error *error);
void link_output_close(struct link_output *output);
/* [any thread] Wakes the producer, which gets QUEUE_CANCELLED. */
void link_output_cancel(struct link_output *output);
/* [producer] Like the functions of the same names in worker/queue.h. */
int link_output_set_schema(struct link_output *output, const struct ArrowSchema *schema,
                           struct osiris_error *error);
enum queue_result link_output_put(struct link_output *output, const struct ArrowSchema *schema,
                                  struct ArrowArray *array, struct osiris_error *error);
void link_output_finish(struct link_output *output);

#endif
