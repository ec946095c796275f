/*
 * Batches to the wire; see batch.h.
 *
 * A slice is sent from a multiple of eight elements on, so that bitmaps need no shifting: the node's offset (0 … 7) says
 * where it begins. Offsets of texts and lists are sent as they are; the reader subtracts the first.
 */
#include <assert.h>
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "core/arrow/layout.h"
#include "core/wire/batch.h"

static const uint8_t padding[WIRE_ALIGNMENT];

struct encoder {
    struct wire_batch *batch;
    struct osiris_error *error;
    bool failed; /* out of memory, or `error` */
    bool at_top; /* a batch itself has no nulls, whatever its bitmap says */
};

int wire_add_number(struct wire_numbers *numbers, int64_t number)
{
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity == 0 ? 64 : numbers->capacity * 2;
        void *grown = reallocarray(numbers->list, capacity, sizeof *numbers->list);
        if (grown == NULL)
            return -1;
        numbers->list = grown;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
    return 0;
}

static void add_number(struct encoder *encoder, struct wire_numbers *numbers, int64_t number)
{
    encoder->failed |= wire_add_number(numbers, number) < 0;
}

static void add_piece(struct encoder *encoder, const void *bytes, size_t length)
{
    struct wire_batch *batch = encoder->batch;

    if (length == 0 || encoder->failed)
        return;
    if (batch->piece_count == batch->piece_capacity) {
        size_t capacity = batch->piece_capacity == 0 ? 32 : batch->piece_capacity * 2;
        void *grown = reallocarray(batch->pieces, capacity, sizeof *batch->pieces);
        if (grown == NULL) {
            encoder->failed = true;
            return;
        }
        batch->pieces = grown;
        batch->piece_capacity = capacity;
    }
    batch->pieces[batch->piece_count++] =
        (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
    batch->length += length;
}

static void add_buffer(struct encoder *encoder, const void *bytes, uint64_t length)
{
    struct wire_batch *batch = encoder->batch;
    size_t beyond = batch->length % WIRE_ALIGNMENT;

    if (bytes == NULL)
        length = 0;
    if (length > (uint64_t)WIRE_MAXIMUM_BODY ||
        batch->length + length > (uint64_t)WIRE_MAXIMUM_BODY - WIRE_ALIGNMENT) {
        if (encoder->error != NULL && encoder->error->category == 0)
            osiris_error_set(encoder->error, OSIRIS_ERROR_DATA,
                             "a batch is larger than 1 GiB and cannot be sent between places");
        encoder->failed = true;
        return;
    }
    if (length > 0 && beyond > 0)
        add_piece(encoder, padding, WIRE_ALIGNMENT - beyond);
    add_number(encoder, &batch->buffers, length > 0 ? (int64_t)batch->length : 0);
    add_number(encoder, &batch->buffers, (int64_t)length);
    add_piece(encoder, bytes, length);
}

static int64_t read_offset(const struct arrow_type *type, const struct ArrowArray *array,
                           int64_t index)
{
    if (array->buffers[1] == NULL)
        return 0;
    return type->offset_bytes == 4 ? ((const int32_t *)array->buffers[1])[index]
                                   : ((const int64_t *)array->buffers[1])[index];
}

static void encode_array(struct encoder *encoder, const struct ArrowSchema *schema,
                         const struct ArrowArray *array, int64_t first, int64_t length);

static void add_validity(struct encoder *encoder, const struct ArrowArray *array, bool has,
                         int64_t start, int64_t count)
{
    const uint8_t *bits = has ? (const uint8_t *)array->buffers[0] + start / 8 : NULL;

    add_buffer(encoder, bits, ((uint64_t)count + 7) / 8);
}

static void add_values(struct encoder *encoder, const struct arrow_type *type,
                       const struct ArrowArray *array, int64_t start, int64_t count)
{
    const uint8_t *bytes = array->buffers[1];
    uint64_t width = type->bits / 8;

    if (type->bits < 8)
        add_buffer(encoder, bytes == NULL ? NULL : bytes + start / 8, ((uint64_t)count + 7) / 8);
    else
        add_buffer(encoder, bytes == NULL ? NULL : bytes + (uint64_t)start * width,
                   (uint64_t)count * width);
}

static void add_offsets(struct encoder *encoder, const struct arrow_type *type,
                        const struct ArrowArray *array, int64_t start, int64_t count)
{
    const uint8_t *bytes = array->buffers[1];

    add_buffer(encoder, bytes == NULL ? NULL : bytes + (uint64_t)start * type->offset_bytes,
               ((uint64_t)count + 1) * type->offset_bytes);
}

/* `begin`: the first element, counted from the buffers' beginning; `offset` of them before it are sent, too. */
static void encode_parts(struct encoder *encoder, const struct ArrowSchema *schema,
                         const struct arrow_type *type, const struct ArrowArray *array,
                         int64_t begin, int64_t offset, int64_t length)
{
    int64_t from = 0, to = 0, start = begin - offset, count = offset + length;

    if (type->layout == ARROW_VARIABLE || type->layout == ARROW_LIST) {
        from = length > 0 ? read_offset(type, array, begin) : 0;
        to = length > 0 ? read_offset(type, array, begin + length) : 0;
        add_offsets(encoder, type, array, start, length > 0 ? count : -1);
    }
    switch (type->layout) {
    case ARROW_FIXED:
        add_values(encoder, type, array, start, count);
        break;
    case ARROW_VARIABLE:
        add_buffer(encoder, to > from ? (const uint8_t *)array->buffers[2] + from : NULL,
                   (uint64_t)(to - from));
        break;
    case ARROW_LIST:
        encode_array(encoder, schema->children[0], array->children[0], from, to - from);
        break;
    case ARROW_FIXED_LIST:
        encode_array(encoder, schema->children[0], array->children[0],
                     start * (int64_t)type->list_size, count * (int64_t)type->list_size);
        break;
    case ARROW_STRUCT:
        for (int64_t i = 0; i < schema->n_children; i++)
            encode_array(encoder, schema->children[i], array->children[i], start, count);
        break;
    default:
        break;
    }
}

/* Elements first … first + length of the array, counted from its own offset. */
static void encode_array(struct encoder *encoder, const struct ArrowSchema *schema,
                         const struct ArrowArray *array, int64_t first, int64_t length)
{
    const struct arrow_type type = arrow_type_from_format(schema->format);
    bool all = first == 0 && length == array->length;
    bool nulls = array->n_buffers > 0 && array->buffers[0] != NULL && array->null_count != 0 &&
                 length > 0 && !encoder->at_top;
    bool bits = nulls || (type.layout == ARROW_FIXED && type.bits < 8);
    int64_t begin = array->offset + first;
    int64_t offset = bits ? begin % 8 : 0;

    encoder->at_top = false;
    if (encoder->failed)
        return;
    add_number(encoder, &encoder->batch->nodes, length);
    add_number(encoder, &encoder->batch->nodes,
               type.layout == ARROW_NULL ? length : !nulls ? 0 : all ? array->null_count : -1);
    add_number(encoder, &encoder->batch->nodes, offset);
    if (type.layout != ARROW_NULL)
        add_validity(encoder, array, nulls, begin - offset, offset + length);
    encode_parts(encoder, schema, &type, array, begin, offset, length);
    if (!encoder->failed && schema->dictionary != NULL)
        encode_array(encoder, schema->dictionary, array->dictionary, 0,
                     array->dictionary->length);
}

int wire_batch_encode(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      struct wire_batch *out, struct osiris_error *error)
{
    struct osiris_error problem = OSIRIS_ERROR_INIT;
    struct encoder encoder = {.batch = out, .error = &problem, .at_top = true};

    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "buffers are sent little-endian");
    *out = (struct wire_batch){0};
    encode_array(&encoder, schema, array, 0, array->length);
    if (!encoder.failed)
        return 0;
    if (problem.category == 0)
        osiris_error_set_errno(&problem, ENOMEM, "cannot send a batch");
    if (error != NULL)
        osiris_error_move(error, &problem);
    osiris_error_clear(&problem);
    wire_batch_clear(out);
    return -1;
}

void wire_batch_clear(struct wire_batch *batch)
{
    free(batch->nodes.list);
    free(batch->buffers.list);
    for (size_t i = 0; i < batch->copy_count; i++)
        free(batch->copies[i]);
    free(batch->copies);
    free(batch->pieces);
    *batch = (struct wire_batch){0};
}

/* The message is written as it would be from JSON values, without creating a value for each number. */

static int write_bytes(void *context, const char *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    size_t length = strlen(text);

    msgpack_pack_str(packer, length);
    msgpack_pack_str_body(packer, text, length);
}

static void pack_number(msgpack_packer *packer, const char *key, int64_t number)
{
    pack_text(packer, key);
    msgpack_pack_int64(packer, number);
}

static void pack_numbers(msgpack_packer *packer, const char *key, const struct wire_numbers *numbers)
{
    pack_text(packer, key);
    msgpack_pack_array(packer, numbers->count);
    for (size_t i = 0; i < numbers->count; i++)
        msgpack_pack_int64(packer, numbers->list[i]);
}

int wire_batch_write(const struct wire_batch *batch, int64_t stream, struct buffer *message,
                     struct osiris_error *error)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, message, write_bytes);
    msgpack_pack_map(&packer, 2);
    pack_text(&packer, "type");
    pack_text(&packer, "batch");
    pack_text(&packer, "data");
    msgpack_pack_map(&packer, batch->codec == NULL ? 4 : 5);
    pack_number(&packer, "body", (int64_t)batch->length);
    pack_numbers(&packer, "nodes", &batch->nodes);
    pack_numbers(&packer, "buffers", &batch->buffers);
    if (batch->codec != NULL) {
        pack_text(&packer, "codec");
        pack_text(&packer, batch->codec);
    }
    pack_number(&packer, "stream", stream);
    if (!message->failed)
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "a message is too long to be sent (the maximum is %zu bytes)", message->maximum);
}
