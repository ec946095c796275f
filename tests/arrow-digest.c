/* Every value of an array, in one number; see arrow-digest.h. */
#include "arrow-digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/arrow/layout.h"

struct digest {
    uint64_t hash;
    uint64_t left; /* values that are still to be read */
};

/* FNV-1a */
static void add_bytes(struct digest *digest, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        digest->hash = (digest->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static void add_number(struct digest *digest, int64_t number)
{
    add_bytes(digest, &number, sizeof number);
}

static bool bit(const void *bits, int64_t at)
{
    return ((const uint8_t *)bits)[at / 8] >> at % 8 & 1;
}

static int64_t offset_at(const struct arrow_type *type, const struct ArrowArray *array, int64_t at)
{
    return type->offset_bytes == 4 ? ((const int32_t *)array->buffers[1])[at]
                                   : ((const int64_t *)array->buffers[1])[at];
}

static void add_value(struct digest *digest, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, int64_t index);

static void add_values(struct digest *digest, const struct ArrowSchema *schema,
                       const struct ArrowArray *array, int64_t first, int64_t count)
{
    add_number(digest, count);
    for (int64_t i = 0; i < count && digest->left > 0; i++)
        add_value(digest, schema, array, first + i);
}

/* An index of a dictionary, whatever its width. */
static int64_t index_at(const char *format, const void *values, int64_t at)
{
    switch (format[0]) {
    case 'c':
        return ((const int8_t *)values)[at];
    case 'C':
        return ((const uint8_t *)values)[at];
    case 's':
        return ((const int16_t *)values)[at];
    case 'S':
        return ((const uint16_t *)values)[at];
    case 'i':
        return ((const int32_t *)values)[at];
    case 'I':
        return ((const uint32_t *)values)[at];
    default:
        return ((const int64_t *)values)[at];
    }
}

static void add_fixed(struct digest *digest, const struct ArrowSchema *schema,
                      const struct arrow_type *type, const struct ArrowArray *array, int64_t at)
{
    size_t width = type->bits / 8;

    if (schema->dictionary != NULL)
        add_value(digest, schema->dictionary, array->dictionary,
                  index_at(schema->format, array->buffers[1], at));
    else if (width == 0)
        add_number(digest, bit(array->buffers[1], at));
    else
        add_bytes(digest, (const uint8_t *)array->buffers[1] + (size_t)at * width, width);
}

/* `index` is counted from the array's own offset. */
static void add_value(struct digest *digest, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, int64_t index)
{
    const struct arrow_type type = arrow_type_from_format(schema->format);
    int64_t at = array->offset + index, from, to;

    if (digest->left == 0)
        return;
    digest->left--;

    if (type.layout == ARROW_NULL || (array->null_count != 0 && array->buffers[0] != NULL &&
                                      !bit(array->buffers[0], at))) {
        add_number(digest, -1);
        return;
    }
    add_number(digest, 1);
    switch (type.layout) {
    case ARROW_FIXED:
        add_fixed(digest, schema, &type, array, at);
        return;
    case ARROW_VARIABLE:
        from = offset_at(&type, array, at);
        to = offset_at(&type, array, at + 1);
        add_number(digest, to - from);
        add_bytes(digest, (const uint8_t *)array->buffers[2] + from, (size_t)(to - from));
        return;
    case ARROW_LIST:
        from = offset_at(&type, array, at);
        to = offset_at(&type, array, at + 1);
        add_values(digest, schema->children[0], array->children[0], from, to - from);
        return;
    case ARROW_FIXED_LIST:
        add_values(digest, schema->children[0], array->children[0], at * type.list_size,
                   type.list_size);
        return;
    case ARROW_STRUCT:
        for (int64_t i = 0; i < schema->n_children; i++)
            add_value(digest, schema->children[i], array->children[i], at);
        return;
    default:
        abort();
    }
}

uint64_t arrow_digest_some(const struct ArrowSchema *schema, const struct ArrowArray *array,
                           uint64_t most)
{
    struct digest digest = {.hash = UINT64_C(14695981039346656037), .left = most};

    /* A batch has no rows that are null, whatever its own bitmap says. */
    add_number(&digest, array->length);
    for (int64_t i = 0; schema->n_children > 0 && i < array->length && digest.left > 0; i++)
        for (int64_t c = 0; c < schema->n_children; c++)
            add_value(&digest, schema->children[c], array->children[c], array->offset + i);
    return digest.hash;
}

uint64_t arrow_digest(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    return arrow_digest_some(schema, array, UINT64_MAX);
}
