/*
 * Batches from the wire; see batch.h. Every number of a header is checked against what the schema needs and the
 * body has before anything points there; offsets are made to begin at zero in place, in memory that is ours.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/arrow/check.h"
#include "core/arrow/layout.h"
#include "core/wire/body.h"
#include "core/base/json-access.h"
#include "core/wire/batch.h"

/* The target of pointers of empty arrays, whose buffers are not sent. */
static const uint64_t zeroes[WIRE_ALIGNMENT / 8];

/* The memory of a batch, freed with the last array that points into it. */
struct holder {
    atomic_size_t references;
    void *body;
    void *decompressed;
};

/* An array's private data: everything that it needs, in one block. */
struct node {
    struct holder *holder;
    const void *buffers[3];
    struct ArrowArray dictionary;
    struct ArrowArray *children[]; /* pointers, then the arrays themselves */
};

struct decoder {
    json_object *nodes, *buffers;
    size_t node, buffer; /* next */
    uint8_t *body;
    size_t body_length, body_end; /* as far as buffers were found */
    const char *codec;
    uint8_t *decompressed;
    size_t decompressed_length, decompressed_end;
    struct holder *holder;
    struct osiris_error *error;
};

static int malformed(struct decoder *decoder, const char *what)
{
    return osiris_error_set_violation(decoder->error, "a batch %s", what);
}

static int out_of_memory(struct decoder *decoder)
{
    return osiris_error_set_errno(decoder->error, ENOMEM, "cannot receive a batch");
}

static void drop(struct holder *holder)
{
    if (atomic_fetch_sub(&holder->references, 1) > 1)
        return;
    body_free(holder->body);
    free(holder->decompressed);
    free(holder);
}

static void release(struct ArrowArray *array)
{
    struct node *node = array->private_data;

    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release != NULL)
            array->children[i]->release(array->children[i]);
    if (array->dictionary != NULL && array->dictionary->release != NULL)
        array->dictionary->release(array->dictionary);
    drop(node->holder);
    free(node);
    array->release = NULL;
}

/* Reading the header. */

static int64_t next_number(json_object *list, size_t *at)
{
    json_object *value =
        *at < json_array_count(list) ? json_object_array_get_idx(list, *at) : NULL;

    (*at)++;
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -2;
}

/* Decompresses into the one block that was measured for it. */
static uint8_t *decompress(struct decoder *decoder, const uint8_t *bytes, size_t length,
                           size_t raw_length)
{
    uint8_t *out = decoder->decompressed + decoder->decompressed_end;

    if (raw_length > decoder->decompressed_length - decoder->decompressed_end) {
        malformed(decoder, "exceeds its size when decompressed");
        return NULL;
    }
    if (wire_decompress(decoder->codec, bytes, length, out, raw_length) < 0) {
        malformed(decoder, "cannot be decompressed");
        return NULL;
    }
    decoder->decompressed_end +=
        (raw_length + WIRE_ALIGNMENT - 1) / WIRE_ALIGNMENT * WIRE_ALIGNMENT;
    return out;
}

/* The next buffer, which must have at least `needed` bytes, or none at all if `optional`: then *out is NULL. */
static int next_buffer(struct decoder *decoder, uint64_t needed, bool optional, uint8_t **out,
                       size_t *out_length)
{
    int64_t offset = next_number(decoder->buffers, &decoder->buffer);
    int64_t length = next_number(decoder->buffers, &decoder->buffer);
    int64_t raw_length =
        decoder->codec == NULL ? 0 : next_number(decoder->buffers, &decoder->buffer);

    *out = NULL;
    *out_length = 0;
    if (offset < 0 || length < 0 || raw_length < 0 || offset % WIRE_ALIGNMENT != 0)
        return malformed(decoder, "has a buffer at an invalid position");
    if (length == 0)
        return optional || needed == 0 ? 0 : malformed(decoder, "has a buffer that is too short");
    if ((uint64_t)offset < decoder->body_end || (uint64_t)offset > decoder->body_length ||
        (uint64_t)length > decoder->body_length - (uint64_t)offset)
        return malformed(decoder, "has a buffer outside of its body");
    decoder->body_end = (size_t)offset + (size_t)length;
    *out = decoder->body + offset;
    *out_length = (size_t)length;
    if (raw_length > 0) {
        *out = decompress(decoder, *out, (size_t)length, (size_t)raw_length);
        *out_length = (size_t)raw_length;
        if (*out == NULL)
            return -1;
    }
    return *out_length < needed ? malformed(decoder, "has a buffer that is too short") : 0;
}

/* Buffers of one array. */

static int take_validity(struct decoder *decoder, struct ArrowArray *array)
{
    struct node *node = array->private_data;
    uint64_t needed = ((uint64_t)array->offset + (uint64_t)array->length + 7) / 8;
    uint8_t *bits;
    size_t length;

    if (next_buffer(decoder, needed, array->null_count == 0, &bits, &length) < 0)
        return -1;
    if (bits == NULL && array->null_count != 0 && array->length > 0)
        return malformed(decoder, "has a null count but no validity buffer");
    node->buffers[0] = bits;
    return 0;
}

static int take_values(struct decoder *decoder, const struct arrow_type *type,
                       struct ArrowArray *array)
{
    struct node *node = array->private_data;
    uint64_t count = (uint64_t)array->offset + (uint64_t)array->length, needed;
    uint8_t *bytes;
    size_t length;

    if (array->length == 0)
        needed = 0;
    else if (__builtin_mul_overflow(count, (uint64_t)type->bits, &needed))
        return malformed(decoder, "is too long");
    if (next_buffer(decoder, needed / 8 + (needed % 8 != 0), false, &bytes, &length) < 0)
        return -1;
    node->buffers[1] = bytes == NULL ? (const void *)zeroes : bytes;
    return 0;
}

/* Makes the offsets begin at zero by subtracting the first. They are checked for order only where something is subtracted:
 * arrow_check_array checks all of them in the end, and until then only the last is used. */
static int rebase(struct decoder *decoder, const struct arrow_type *type,
                  const struct ArrowArray *array, uint8_t *bytes, int64_t *last)
{
    int64_t end = array->offset + array->length;
    const uint8_t *begin = bytes + array->offset * type->offset_bytes;

    if (type->offset_bytes == 4) {
        int32_t *offsets = (int32_t *)(void *)bytes, base = offsets[array->offset];
        if (base < 0 || offsets[end] < base || (base != 0 && arrow_offsets_descend(begin, 4, array->length)))
            return malformed(decoder, "has offsets that decrease");
        for (int64_t i = 0; base != 0 && i <= end; i++)
            offsets[i] = i <= array->offset ? 0 : offsets[i] - base;
        *last = offsets[end];
    } else {
        int64_t *offsets = (int64_t *)(void *)bytes, base = offsets[array->offset];
        if (base < 0 || offsets[end] < base || (base != 0 && arrow_offsets_descend(begin, 8, array->length)))
            return malformed(decoder, "has offsets that decrease");
        for (int64_t i = 0; base != 0 && i <= end; i++)
            offsets[i] = i <= array->offset ? 0 : offsets[i] - base;
        *last = offsets[end];
    }
    return 0;
}

static int take_offsets(struct decoder *decoder, const struct arrow_type *type,
                        struct ArrowArray *array, int64_t *last)
{
    struct node *node = array->private_data;
    uint64_t needed = ((uint64_t)array->offset + (uint64_t)array->length + 1) * type->offset_bytes;
    uint8_t *bytes;
    size_t length;

    *last = 0;
    if (next_buffer(decoder, array->length == 0 ? 0 : needed, false, &bytes, &length) < 0)
        return -1;
    if (array->length > 0)
        node->buffers[1] = bytes;
    else
        node->buffers[1] = zeroes;
    return array->length > 0 ? rebase(decoder, type, array, bytes, last) : 0;
}

static int take_data(struct decoder *decoder, struct ArrowArray *array, int64_t last)
{
    struct node *node = array->private_data;
    uint8_t *bytes;
    size_t length;

    if (next_buffer(decoder, (uint64_t)last, false, &bytes, &length) < 0)
        return -1;
    node->buffers[2] = bytes == NULL ? (const void *)zeroes : bytes;
    return 0;
}

/* Arrays. */

static int decode_array(struct decoder *decoder, const struct ArrowSchema *schema,
                        struct ArrowArray *out);

static struct node *new_node(struct decoder *decoder, const struct ArrowSchema *schema)
{
    size_t children = (size_t)schema->n_children;
    struct node *node = calloc(1, sizeof *node + children * (sizeof(struct ArrowArray *) +
                                                             sizeof(struct ArrowArray)));

    if (node == NULL)
        return NULL;
    struct ArrowArray *arrays = (struct ArrowArray *)(void *)&node->children[children];
    for (size_t i = 0; i < children; i++)
        node->children[i] = &arrays[i];
    node->holder = decoder->holder;
    atomic_fetch_add(&decoder->holder->references, 1);
    return node;
}

static int decode_children(struct decoder *decoder, const struct ArrowSchema *schema,
                           const struct arrow_type *type, struct ArrowArray *array, int64_t needed)
{
    struct node *node = array->private_data;

    (void)type;
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (decode_array(decoder, schema->children[i], node->children[i]) < 0)
            return -1;
        array->n_children = i + 1;
        if (node->children[i]->length < needed)
            return malformed(decoder, "has a column that is too short");
    }
    return 0;
}

static int decode_parts(struct decoder *decoder, const struct ArrowSchema *schema,
                        const struct arrow_type *type, struct ArrowArray *array)
{
    int64_t last = 0, needed = 0;

    if (type->layout == ARROW_UNKNOWN)
        return malformed(decoder, "has a column of an unknown type");
    if (type->layout == ARROW_NULL)
        return 0;
    if (take_validity(decoder, array) < 0)
        return -1;
    switch (type->layout) {
    case ARROW_FIXED:
        return take_values(decoder, type, array);
    case ARROW_VARIABLE:
        return take_offsets(decoder, type, array, &last) < 0
                   ? -1
                   : take_data(decoder, array, last);
    case ARROW_LIST:
        if (take_offsets(decoder, type, array, &last) < 0)
            return -1;
        return decode_children(decoder, schema, type, array, last);
    case ARROW_FIXED_LIST:
        if (__builtin_mul_overflow(array->offset + array->length, (int64_t)type->list_size,
                                   &needed))
            return malformed(decoder, "is too long");
        return decode_children(decoder, schema, type, array, needed);
    default:
        return decode_children(decoder, schema, type, array, array->offset + array->length);
    }
}

static int decode_array(struct decoder *decoder, const struct ArrowSchema *schema,
                        struct ArrowArray *out)
{
    const struct arrow_type type = arrow_type_from_format(schema->format);
    int64_t length = next_number(decoder->nodes, &decoder->node);
    int64_t null_count = next_number(decoder->nodes, &decoder->node);
    int64_t offset = next_number(decoder->nodes, &decoder->node);

    if (length < 0 || length > ARROW_MAXIMUM_ROWS || null_count < -1 || null_count > length ||
        offset < 0 || offset > 7)
        return malformed(decoder, "has an impossible length, null count or offset");
    struct node *node = new_node(decoder, schema);
    if (node == NULL)
        return out_of_memory(decoder);
    *out = (struct ArrowArray){.length = length,
                               .null_count = null_count,
                               .offset = offset,
                               .n_buffers = arrow_buffer_count(&type),
                               .buffers = node->buffers,
                               .children = node->children,
                               .release = release,
                               .private_data = node};
    int result = decode_parts(decoder, schema, &type, out);
    if (result == 0 && schema->dictionary != NULL) {
        result = decode_array(decoder, schema->dictionary, &node->dictionary);
        if (result == 0)
            out->dictionary = &node->dictionary;
        if (result == 0 && !wire_indices_fit(schema, out))
            result = malformed(decoder, "has an index that is not in its dictionary");
    }
    if (result < 0)
        release(out);
    return result;
}

/* The block that compressed buffers go to: as large as the header says, within what their codec can have made of
 * them. */
static int make_room(struct decoder *decoder)
{
    size_t count = json_array_count(decoder->buffers);
    uint64_t total = 0;

    for (size_t i = 0; i + 2 < count; i += 3) {
        int64_t length = json_object_get_int64(json_object_array_get_idx(decoder->buffers, i + 1));
        int64_t raw = json_object_get_int64(json_object_array_get_idx(decoder->buffers, i + 2));
        if (raw <= 0)
            continue;
        if (length <= 0 || (uint64_t)length > decoder->body_length ||
            (uint64_t)raw > wire_decompressed_bound(decoder->codec, (size_t)length))
            return malformed(decoder, "claims more than its compressed bytes can hold");
        total += ((uint64_t)raw + WIRE_ALIGNMENT - 1) / WIRE_ALIGNMENT * WIRE_ALIGNMENT;
        if (total > (uint64_t)WIRE_MAXIMUM_BODY)
            return malformed(decoder, "is too long when decompressed");
    }
    decoder->decompressed_length = (size_t)total;
    if (total > 0 && posix_memalign((void **)&decoder->decompressed, WIRE_ALIGNMENT,
                                    (size_t)total) != 0)
        return out_of_memory(decoder);
    decoder->holder->decompressed = decoder->decompressed;
    return 0;
}

static int decode_all(struct decoder *decoder, const struct ArrowSchema *schema,
                      struct ArrowArray *out)
{
    if (decoder->codec != NULL && !wire_has_codec(decoder->codec))
        return malformed(decoder, "has a codec that was not negotiated");
    if (decoder->codec != NULL && make_room(decoder) < 0)
        return -1;
    if (decode_array(decoder, schema, out) < 0)
        return -1;
    if (decoder->node != json_array_count(decoder->nodes) ||
        decoder->buffer != json_array_count(decoder->buffers) || out->offset != 0)
        malformed(decoder, "does not fit its schema");
    else if (arrow_check_array(schema, out, decoder->error) == 0)
        return 0;
    else
        osiris_error_blame_peer(decoder->error, NULL);
    out->release(out);
    return -1;
}

int wire_batch_decode(const struct ArrowSchema *schema, json_object *header, void *body,
                      size_t body_length, struct ArrowArray *out, struct osiris_error *error)
{
    struct decoder decoder = {.nodes = json_member(header, "nodes"),
                              .buffers = json_member(header, "buffers"),
                              .body = body,
                              .body_length = body_length,
                              .codec = json_member_string(header, "codec", NULL),
                              .holder = calloc(1, sizeof(struct holder)),
                              .error = error};

    out->release = NULL;
    decoder.holder->body = body;
    atomic_init(&decoder.holder->references, 1);
    int result = decode_all(&decoder, schema, out);
    drop(decoder.holder);
    return result;
}
