/* Codecs of the wire; see batch.h. Each is available if the build found its library. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_LZ4
#include <lz4.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "core/wire/batch.h"

#include "core/base/json-build.h"

#define ZSTD_LEVEL 1
/* A zstd frame can claim any size: this much for each byte is accepted. */
#define ZSTD_BELIEVED 4096

static const char *const codecs[] = {
#ifdef HAVE_LZ4
    "lz4",
#endif
#ifdef HAVE_ZSTD
    "zstd",
#endif
    NULL,
};

bool wire_has_codec(const char *codec)
{
    for (size_t i = 0; codecs[i] != NULL; i++)
        if (strcmp(codecs[i], codec) == 0)
            return true;
    return false;
}

json_object *wire_codecs(void)
{
    json_object *names = json_object_new_array();

    for (size_t i = 0; codecs[i] != NULL; i++)
        json_append(names, json_string(codecs[i]));
    return names;
}

/* Bytes written, 0 if it does not fit into `room` or fails. */
static size_t compress_into(const char *codec, const void *bytes, size_t length, void *out,
                            size_t room)
{
#ifdef HAVE_LZ4
    if (strcmp(codec, "lz4") == 0 && length <= LZ4_MAX_INPUT_SIZE && room <= INT32_MAX) {
        int written = LZ4_compress_default(bytes, out, (int)length, (int)room);
        return written > 0 ? (size_t)written : 0;
    }
#endif
#ifdef HAVE_ZSTD
    if (strcmp(codec, "zstd") == 0) {
        size_t written = ZSTD_compress(out, room, bytes, length, ZSTD_LEVEL);
        return ZSTD_isError(written) ? 0 : written;
    }
#endif
    (void)codec;
    (void)bytes;
    (void)length;
    (void)out;
    (void)room;
    return 0;
}

int wire_compress(const char *codec, const void *bytes, size_t length, void **out,
                  size_t *out_length)
{
    /* Saving less than an eighth is not worth the reader's time. */
    size_t room = length - length / 8;

    *out = NULL;
    *out_length = 0;
    if (length < 256)
        return 0;
    void *memory = malloc(room);
    if (memory == NULL)
        return -1;
    *out_length = compress_into(codec, bytes, length, memory, room);
    if (*out_length == 0) {
        free(memory);
        return 0;
    }
    void *shrunk = realloc(memory, *out_length);
    *out = shrunk == NULL ? memory : shrunk;
    return 0;
}

int wire_decompress(const char *codec, const void *bytes, size_t length, void *out,
                    size_t out_length)
{
#ifdef HAVE_LZ4
    if (strcmp(codec, "lz4") == 0 && length <= INT32_MAX && out_length <= INT32_MAX)
        return LZ4_decompress_safe(bytes, out, (int)length, (int)out_length) == (int)out_length
                   ? 0
                   : -1;
#endif
#ifdef HAVE_ZSTD
    if (strcmp(codec, "zstd") == 0)
        return ZSTD_decompress(out, out_length, bytes, length) == out_length ? 0 : -1;
#endif
    (void)codec;
    (void)bytes;
    (void)length;
    (void)out;
    (void)out_length;
    return -1;
}

uint64_t wire_decompressed_bound(const char *codec, size_t length)
{
    return (uint64_t)length * (strcmp(codec, "lz4") == 0 ? 255 : ZSTD_BELIEVED);
}

/* The pieces of a new body. */
struct pieces {
    struct iovec *list;
    size_t count, capacity;
    size_t length;
};

static int add_piece(struct pieces *pieces, const void *bytes, size_t length)
{
    if (pieces->count == pieces->capacity) {
        size_t capacity = pieces->capacity == 0 ? 32 : pieces->capacity * 2;
        void *grown = reallocarray(pieces->list, capacity, sizeof *pieces->list);
        if (grown == NULL)
            return -1;
        pieces->list = grown;
        pieces->capacity = capacity;
    }
    pieces->list[pieces->count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
    pieces->length += length;
    return 0;
}

static int add_aligned(struct pieces *pieces, const void *bytes, size_t length)
{
    static const uint8_t padding[WIRE_ALIGNMENT];
    size_t beyond = pieces->length % WIRE_ALIGNMENT;

    if (beyond > 0 && add_piece(pieces, padding, WIRE_ALIGNMENT - beyond) < 0)
        return -1;
    return add_piece(pieces, bytes, length);
}

static int add_numbers(struct wire_numbers *numbers, size_t offset, size_t length, size_t raw_length)
{
    return wire_add_number(numbers, (int64_t)offset) < 0 ||
                   wire_add_number(numbers, (int64_t)length) < 0 ||
                   wire_add_number(numbers, (int64_t)raw_length) < 0
               ? -1
               : 0;
}

/* One buffer, compressed if it shrinks. */
static int add_buffer(struct wire_batch *batch, const char *codec, const struct iovec *raw,
                      struct pieces *pieces, struct wire_numbers *buffers)
{
    void *copy = NULL;
    size_t length = 0;

    if (wire_compress(codec, raw->iov_base, raw->iov_len, &copy, &length) < 0)
        return -1;
    if (copy != NULL)
        batch->copies[batch->copy_count++] = copy;
    const void *bytes = copy != NULL ? copy : raw->iov_base;
    size_t sent = copy != NULL ? length : raw->iov_len;
    if (add_aligned(pieces, bytes, sent) < 0)
        return -1;
    return add_numbers(buffers, pieces->length - sent, sent, copy != NULL ? raw->iov_len : 0);
}

int wire_batch_compress(struct wire_batch *batch, const char *codec, struct osiris_error *error)
{
    const struct wire_numbers *given = &batch->buffers;
    size_t piece = 0, start = 0;
    struct pieces pieces = {0};
    struct wire_numbers buffers = {0};

    batch->copies = calloc(given->count / 2 + 1, sizeof *batch->copies);
    int result = batch->copies == NULL ? -1 : 0;
    for (size_t i = 0; result == 0 && i + 1 < given->count; i += 2) {
        size_t offset = (size_t)given->list[i];
        if (given->list[i + 1] == 0) {
            result = add_numbers(&buffers, 0, 0, 0);
            continue;
        }
        /* Each buffer is one piece, with padding between them. */
        while (start < offset)
            start += batch->pieces[piece++].iov_len;
        start += batch->pieces[piece].iov_len;
        result = add_buffer(batch, codec, &batch->pieces[piece++], &pieces, &buffers);
    }
    if (result < 0) {
        free(pieces.list);
        free(buffers.list);
        return osiris_error_set_errno(error, ENOMEM, "cannot compress a batch");
    }
    free(batch->pieces);
    batch->pieces = pieces.list;
    batch->piece_count = pieces.count;
    batch->piece_capacity = pieces.capacity;
    batch->length = pieces.length;
    free(batch->buffers.list);
    batch->buffers = buffers;
    batch->codec = strcmp(codec, "lz4") == 0 ? "lz4" : "zstd";
    return 0;
}
