/*
 * Schemas and batches on the wire (docs/protocol.md, "Streams"): a schema as a message, a batch as a header of plain
 * numbers and one body in which every buffer begins at a multiple of 64. No I/O.
 *
 * Encoding copies no column data: the body is a list of pieces of the array's own buffers. Neither does decoding: the
 * resulting array points into the body. What comes from a peer is checked before it is used.
 */
#ifndef OSIRIS_CORE_WIRE_BATCH_H
#define OSIRIS_CORE_WIRE_BATCH_H

#include <json-c/json.h>
#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

#define WIRE_ALIGNMENT 64
#define WIRE_MAXIMUM_BODY (INT64_C(1) << 30) /* of a batch, in bytes */
#define WIRE_MAXIMUM_NESTING 12 /* of types: two levels each in the message */

/* Schemas: {format: str, name?: str, flags?: int, metadata?: str (hexadecimal), children?: [schema], dictionary?: schema}.
 * Encoding needs a checked schema (core/arrow/check.h); decoding checks. */
json_object *wire_schema_encode(const struct ArrowSchema *schema, struct osiris_error *error);
int wire_schema_decode(json_object *object, struct ArrowSchema *out, struct osiris_error *error);

struct wire_numbers {
    int64_t *list;
    size_t count, capacity;
};

/* An encoded batch. */
struct wire_batch {
    struct wire_numbers nodes;   /* length, null count, offset, …: three for each node, depth first */
    struct wire_numbers buffers; /* position, length, …: two for each buffer; with a codec three, the last being its length when
                                    decompressed, 0 if it is not compressed */
    const char *codec;    /* "lz4", "zstd", or NULL */
    size_t length;        /* of the body */
    struct iovec *pieces; /* of the body, paddings among them */
    size_t piece_count, piece_capacity;
    void **copies;        /* compressed buffers, owned */
    size_t copy_count;
};

/* Encodes a checked array, which must not change while the pieces are used. */
int wire_batch_encode(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      struct wire_batch *out, struct osiris_error *error);
/* Replaces the buffers that shrink by compressed copies. */
int wire_batch_compress(struct wire_batch *batch, const char *codec, struct osiris_error *error);
void wire_batch_clear(struct wire_batch *batch);
/* Appends the message that goes before the body, {type: "batch", data: {body, nodes, buffers, codec?, stream}}, encoded. */
int wire_batch_write(const struct wire_batch *batch, int64_t stream, struct buffer *message,
                     struct osiris_error *error);
/* -1: out of memory. */
int wire_add_number(struct wire_numbers *numbers, int64_t number);

/* Decodes `header` (a message's data) and `body` (NULL if body_length is 0), which was made by body_new (body.h) and is
 * taken, also on failure. */
int wire_batch_decode(const struct ArrowSchema *schema, json_object *header, void *body,
                      size_t body_length, struct ArrowArray *out, struct osiris_error *error);

/* What receiving a batch may cost in addition to its bytes: memory for it and for each of its arrays, on every side that it
 * passes. A number of 1 byte in a header becomes an array in the reader, so that bytes alone would bound nothing. */
#define WIRE_BATCH_WEIGHT 1024
#define WIRE_ARRAY_WEIGHT 256
#define WIRE_MINIMUM_PART 1024 /* of a body, but for its last one */

/* stream.c: what the batch with this header costs of its stream's credit, the same for everyone who counts. Returns what is
 * wrong with the header ("a batch is …"), or NULL: everything that can be checked without the schema and the body. */
const char *wire_batch_weigh(json_object *data, int64_t *weight);
/* The same for a batch to send. */
const char *wire_batch_weigh_encoded(const struct wire_batch *batch, int64_t *weight);
/* The same for a part of `length` bytes when `left` bytes of the batch's body have not arrived yet. */
const char *wire_part_is_wrong(int64_t left, size_t length);
/* Drops all keys that a stream's message and its data do not define: what is not counted is not kept. */
void wire_strip(json_object *message);

/* Codecs that this build can read and write: a new array of names. */
json_object *wire_codecs(void);
bool wire_has_codec(const char *codec);

/* indices.c: whether an array's indices are in its dictionary; everything else has been checked. */
bool wire_indices_fit(const struct ArrowSchema *schema, const struct ArrowArray *array);

/* compress.c: one buffer. */

/* *out is a new buffer of *out_length bytes, or NULL if it would not shrink. -1: out of memory. */
int wire_compress(const char *codec, const void *bytes, size_t length, void **out,
                  size_t *out_length);
/* Fills `out` exactly, or fails. */
int wire_decompress(const char *codec, const void *bytes, size_t length, void *out,
                    size_t out_length);
/* The maximum size of `length` compressed bytes after decompression; a larger claim is refused. */
uint64_t wire_decompressed_bound(const char *codec, size_t length);

#endif
