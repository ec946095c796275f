/* Checking Arrow schemas and arrays; see check.h. */
#include "core/arrow/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/arrow/layout.h"
#include "core/base/utf8.h"

static int malformed(struct osiris_error *error, const struct ArrowSchema *schema,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));

static int malformed(struct osiris_error *error, const struct ArrowSchema *schema,
                     const char *format, ...)
{
    char what[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "malformed batch: column \"%.64s\" (%.32s): %s",
                            schema->name == NULL ? "" : schema->name,
                            schema->format == NULL ? "" : schema->format, what);
}

/* Schemas. */

static int check_children(const struct ArrowSchema *schema, const struct arrow_type *type,
                          struct osiris_error *error)
{
    int64_t expected = type->layout == ARROW_STRUCT                                   ? -1
                       : type->layout == ARROW_LIST || type->layout == ARROW_FIXED_LIST ? 1
                                                                                        : 0;

    if (schema->n_children < 0 || schema->n_children > ARROW_MAXIMUM_COLUMNS ||
        (expected >= 0 && schema->n_children != expected))
        return malformed(error, schema, "the child count of its schema is %lld",
                         (long long)schema->n_children);
    if (schema->n_children > 0 && schema->children == NULL)
        return malformed(error, schema, "its schema has a child count but no children");
    return 0;
}

/* Arrow has such a type, so the batch is not malformed; another type can express the same values. */
static int refuse_type(const struct ArrowSchema *schema, struct osiris_error *error)
{
    static const struct {
        const char *begin, *name, *cure;
    } types[] = {
        {"vu", "text view", "as text with offsets (\"u\")"},
        {"vz", "binary view", "as binary with offsets (\"z\")"},
        {"+vl", "list view", "as a list (\"+l\")"},
        {"+vL", "list view", "as a list (\"+L\")"},
        {"+r", "run-end encoded", "as its values, or as a dictionary"},
        {"+ud:", "union", "as a struct, or a column for each of its types"},
        {"+us:", "union", "as a struct, or a column for each of its types"},
    };

    for (size_t i = 0; schema->format != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(schema->format, types[i].begin, strlen(types[i].begin)) != 0)
            continue;
        osiris_error_set(error, OSIRIS_ERROR_DATA,
                         "column \"%.64s\" has an Arrow type that Osiris does not support: %s (\"%.32s\")",
                         schema->name == NULL ? "" : schema->name, types[i].name, schema->format);
        osiris_error_hint(error, "make the driver produce it %s", types[i].cure);
        return -1;
    }
    return malformed(error, schema, "Osiris does not support its type");
}

static int check_schema(const struct ArrowSchema *schema, unsigned depth,
                        struct osiris_error *error)
{
    struct arrow_type type = arrow_type_from_format(schema->format);

    if (schema->release == NULL)
        return malformed(error, schema, "its schema has already been released");
    if (depth > ARROW_MAXIMUM_DEPTH)
        return malformed(error, schema, "it is nested too deeply");
    if (schema->name != NULL && !utf8_is_valid(schema->name, strlen(schema->name)))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "malformed schema: a column's name is not UTF-8");
    if (type.layout == ARROW_UNKNOWN)
        return refuse_type(schema, error);
    if (check_children(schema, &type, error) < 0)
        return -1;
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i] == NULL)
            return malformed(error, schema, "child %lld of its schema is missing", (long long)i);
        if (check_schema(schema->children[i], depth + 1, error) < 0)
            return -1;
    }
    if (schema->dictionary != NULL) {
        if (strchr("cCsSiIlL", schema->format[0]) == NULL || schema->format[1] != '\0')
            return malformed(error, schema, "a dictionary's indices must be integers");
        return check_schema(schema->dictionary, depth + 1, error);
    }
    return 0;
}

int arrow_check_schema(const struct ArrowSchema *schema, struct osiris_error *error)
{
    if (schema->release == NULL || schema->format == NULL || strcmp(schema->format, "+s") != 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "malformed schema: a stream's schema must be a struct (\"+s\") of its "
                                "columns");
    return check_schema(schema, 0, error);
}

/* Arrays. */

static int check_offsets(const struct ArrowSchema *schema, const struct arrow_type *type,
                         const struct ArrowArray *array, struct osiris_error *error)
{
    int64_t first, last;

    if (array->buffers[1] == NULL)
        return array->length == 0 && array->offset == 0
                   ? 0
                   : malformed(error, schema, "it has no offsets");
    const char *begin = (const char *)array->buffers[1] + array->offset * type->offset_bytes;
    if (type->offset_bytes == 4) {
        const int32_t *offsets = (const void *)begin;
        first = offsets[0];
        last = offsets[array->length];
    } else {
        const int64_t *offsets = (const void *)begin;
        first = offsets[0];
        last = offsets[array->length];
    }
    if (arrow_offsets_descend(begin, type->offset_bytes, array->length))
        return malformed(error, schema, "its offsets decrease");
    if (first < 0)
        return malformed(error, schema, "its offsets start below zero");
    if (last > ARROW_MAXIMUM_BYTES)
        return malformed(error, schema, "its offsets exceed the limit");
    if (type->layout == ARROW_VARIABLE && last > first && array->buffers[2] == NULL)
        return malformed(error, schema, "it has no data buffer");
    if (type->layout == ARROW_LIST && last > array->children[0]->length)
        return malformed(error, schema, "its offsets are beyond the end of its child");
    return 0;
}

/* The alignment that the type of a value requires; Arrow recommends more, and lets a reader refuse less. */
static int check_alignment(const struct ArrowSchema *schema, const struct arrow_type *type,
                           const struct ArrowArray *array, struct osiris_error *error)
{
    uintptr_t alignment = type->offset_bytes;

    if (type->layout == ARROW_FIXED && schema->format[0] != 'w' && type->bits >= 16)
        alignment = type->bits < 64 ? type->bits / 8 : 8;
    if (alignment == 0 || ((uintptr_t)array->buffers[1] & (alignment - 1)) == 0)
        return 0;
    return malformed(error, schema, "its %s start at an address that is not a multiple of %u",
                     type->layout == ARROW_FIXED ? "values" : "offsets", (unsigned)alignment);
}

static int check_buffers(const struct ArrowSchema *schema, const struct arrow_type *type,
                         const struct ArrowArray *array, struct osiris_error *error)
{
    int64_t count = arrow_buffer_count(type);

    if (array->n_buffers != count)
        return malformed(error, schema, "its buffer count is %lld instead of %lld",
                         (long long)array->n_buffers, (long long)count);
    if (count > 0 && array->buffers == NULL)
        return malformed(error, schema, "it has a buffer count but no buffers");
    if (count > 0 && array->null_count > 0 && array->buffers[0] == NULL)
        return malformed(error, schema, "it has a null count but no validity buffer");
    if (type->layout == ARROW_FIXED && array->length > 0 && array->buffers[1] == NULL)
        return malformed(error, schema, "it has no data buffer");
    return check_alignment(schema, type, array, error);
}

static int check_extent(const struct ArrowSchema *schema, const struct ArrowArray *array,
                        struct osiris_error *error)
{
    if (array->release == NULL)
        return malformed(error, schema, "it has already been released");
    if (array->length < 0 || array->offset < 0 || array->length > ARROW_MAXIMUM_ROWS ||
        array->offset > ARROW_MAXIMUM_ROWS)
        return malformed(error, schema, "its length is %lld and its offset is %lld",
                         (long long)array->length, (long long)array->offset);
    if (array->null_count < -1 || array->null_count > array->length)
        return malformed(error, schema, "its null count is %lld and its length is %lld",
                         (long long)array->null_count, (long long)array->length);
    return 0;
}

/* The minimum length of a child. */
static int64_t needed_length(const struct arrow_type *type, const struct ArrowArray *array)
{
    int64_t elements = array->offset + array->length;

    if (type->layout == ARROW_STRUCT)
        return elements;
    if (type->layout == ARROW_FIXED_LIST &&
        __builtin_mul_overflow(elements, (int64_t)type->list_size, &elements))
        return INT64_MAX;
    return type->layout == ARROW_FIXED_LIST ? elements : 0;
}

static int check_array(const struct ArrowSchema *schema, const struct ArrowArray *array,
                       struct osiris_error *error)
{
    struct arrow_type type = arrow_type_from_format(schema->format);

    if (check_extent(schema, array, error) < 0 || check_buffers(schema, &type, array, error) < 0)
        return -1;
    if (array->n_children != schema->n_children)
        return malformed(error, schema, "its child count is %lld, and that of its schema is %lld",
                         (long long)array->n_children, (long long)schema->n_children);
    if (array->n_children > 0 && array->children == NULL)
        return malformed(error, schema, "it has a child count but no children");
    int64_t needed = needed_length(&type, array);
    for (int64_t i = 0; i < array->n_children; i++) {
        const struct ArrowSchema *child_schema = schema->children[i];
        const struct ArrowArray *child = array->children[i];
        if (child == NULL)
            return malformed(error, child_schema, "it is missing");
        if (check_array(child_schema, child, error) < 0)
            return -1;
        if (child->length < needed)
            return malformed(error, child_schema, "its length is %lld, and %lld is required",
                             (long long)child->length, (long long)needed);
    }
    if ((array->dictionary == NULL) != (schema->dictionary == NULL))
        return malformed(error, schema, "its dictionary does not match its schema: only one of them has it");
    if (array->dictionary != NULL &&
        check_array(schema->dictionary, array->dictionary, error) < 0)
        return -1;
    if (type.layout == ARROW_VARIABLE || type.layout == ARROW_LIST)
        return check_offsets(schema, &type, array, error);
    return 0;
}

int arrow_check_array(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      struct osiris_error *error)
{
    return check_array(schema, array, error);
}

uint64_t arrow_array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    struct arrow_type type = arrow_type_from_format(schema->format);
    uint64_t bytes = 0;

    for (int64_t i = 0; i < array->n_buffers; i++)
        bytes += arrow_buffer_bytes(&type, array, i);
    for (int64_t i = 0; i < array->n_children; i++)
        bytes += arrow_array_bytes(schema->children[i], array->children[i]);
    if (array->dictionary != NULL)
        bytes += arrow_array_bytes(schema->dictionary, array->dictionary);
    return bytes;
}
