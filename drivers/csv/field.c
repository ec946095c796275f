/*
 * Arrow's schema and arrays as fields: the kind, the members, and whether the arrays have the structure
 * that the schema promises. The C data interface does not contain the buffers' sizes, so offsets are
 * compared with each other and with the lengths of the children.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "report.h"

#define NESTING_MAX 32

static int refuse_type(const struct csv_field *field, const char *format)
{
    return csv_fail(field->context->host, OSIRIS_ERROR_DATA, 0,
                    "omit the column, or convert it before it is written",
                    "column \"%s\": values of the Arrow type \"%s\" cannot be written as CSV",
                    field->name, format);
}

static int choose_bytes(struct csv_field *field, const char *format)
{
    static const struct {
        const char *format;
        enum csv_kind kind;
        bool large;
    } types[] = {{"u", CSV_TEXT, false},
                 {"U", CSV_TEXT, true},
                 {"z", CSV_BINARY, false},
                 {"Z", CSV_BINARY, true}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(format, types[i].format) == 0) {
            field->kind = types[i].kind;
            field->large = types[i].large;
            field->class = CSV_CLASS_STRING;
            return 0;
        }
    if (strncmp(format, "w:", 2) != 0)
        return 1;
    char *end;
    field->kind = CSV_BINARY;
    field->class = CSV_CLASS_STRING;
    field->fixed_size = true;
    field->byte_width = strtol(format + 2, &end, 10);
    return *end == '\0' && field->byte_width >= 0 && field->byte_width <= INT32_MAX
               ? 0
               : refuse_type(field, format);
}

static int choose_nested(struct csv_field *field, const char *format, int64_t children)
{
    field->class = CSV_CLASS_STRING;
    if ((strcmp(format, "+l") == 0 || strcmp(format, "+L") == 0) && children == 1) {
        field->kind = CSV_LIST;
        field->large = format[1] == 'L';
        return 0;
    }
    if (strcmp(format, "+s") == 0) {
        field->kind = CSV_STRUCT;
        return 0;
    }
    if (strcmp(format, "+m") == 0 && children == 1) {
        field->kind = CSV_MAP;
        return 0;
    }
    if (strncmp(format, "+w:", 3) == 0 && children == 1) {
        char *end;
        field->kind = CSV_FIXED_LIST;
        field->byte_width = strtol(format + 3, &end, 10);
        if (*end == '\0' && field->byte_width >= 0 && field->byte_width <= INT32_MAX)
            return 0;
    }
    return 1;
}

static int choose_kind(struct csv_field *field, const struct ArrowSchema *schema)
{
    const char *format = schema->format;
    if (schema->dictionary != NULL) {
        if (strlen(format) != 1 || strchr("cCsSiIlL", format[0]) == NULL)
            return refuse_type(field, format);
        field->kind = CSV_DICTIONARY;
        field->index_format = format[0];
        return 0;
    }
    if (strcmp(format, "n") == 0) {
        field->kind = CSV_NULLS;
        return 0;
    }
    int chosen = csv_put_choose(field, format);
    if (chosen == 1)
        chosen = choose_bytes(field, format);
    if (chosen == 1)
        chosen = choose_nested(field, format, schema->n_children);
    return chosen == 1 ? refuse_type(field, format) : chosen;
}

static int init_at_depth(struct csv_field *field, struct csv_context *context,
                         const struct ArrowSchema *schema, int depth)
{
    *field = (struct csv_field){.context = context};
    field->name = strdup(schema->name != NULL ? schema->name : "");
    if (field->name == NULL)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL, "not enough memory");
    if (schema->format == NULL || schema->n_children < 0 || depth > NESTING_MAX)
        return csv_fail(context->host, OSIRIS_ERROR_DATA, 0, NULL,
                        "column \"%s\": its Arrow schema is malformed or nested too deeply",
                        field->name);
    if (choose_kind(field, schema) < 0)
        return -1;
    if (field->kind == CSV_DICTIONARY) {
        field->dictionary = calloc(1, sizeof *field->dictionary);
        if (field->dictionary == NULL)
            return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL, "not enough memory");
        if (init_at_depth(field->dictionary, context, schema->dictionary, depth + 1) < 0)
            return -1;
        field->class = field->dictionary->class;
        return 0;
    }
    if (field->kind < CSV_LIST || field->kind > CSV_MAP || schema->n_children == 0)
        return 0;
    field->children = calloc((size_t)schema->n_children, sizeof *field->children);
    if (field->children == NULL)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL, "not enough memory");
    field->child_count = (size_t)schema->n_children;
    for (size_t i = 0; i < field->child_count; i++)
        if (init_at_depth(&field->children[i], context, schema->children[i], depth + 1) < 0)
            return -1;
    if (field->kind == CSV_MAP &&
        (field->children[0].kind != CSV_STRUCT || field->children[0].child_count != 2))
        return refuse_type(field, schema->format);
    return 0;
}

int csv_field_init(struct csv_field *field, struct csv_context *context,
                   const struct ArrowSchema *schema)
{
    return init_at_depth(field, context, schema, 0);
}

void csv_field_clear(struct csv_field *field)
{
    for (size_t i = 0; i < field->child_count; i++)
        csv_field_clear(&field->children[i]);
    free(field->children);
    if (field->dictionary != NULL)
        csv_field_clear(field->dictionary);
    free(field->dictionary);
    free(field->name);
    *field = (struct csv_field){0};
}

static int refuse_array(const struct csv_field *field, const char *what)
{
    return csv_fail(field->context->host, OSIRIS_ERROR_INTERNAL, 0,
                    "the driver that made the data is at fault", "column \"%s\": %s", field->name,
                    what);
}

/* Offsets start at or above zero and never decrease; the last one is at most `limit`. */
static int check_offsets(const struct csv_field *field, const struct ArrowArray *array,
                         int64_t limit, int64_t *last)
{
    bool ordered = true;
    if (field->large) {
        const int64_t *offsets = (const int64_t *)field->offsets + array->offset;
        ordered = offsets[0] >= 0;
        for (int64_t i = 0; i < array->length; i++)
            ordered &= offsets[i] <= offsets[i + 1];
        *last = offsets[array->length];
    } else {
        const int32_t *offsets = (const int32_t *)field->offsets + array->offset;
        ordered = offsets[0] >= 0;
        for (int64_t i = 0; i < array->length; i++)
            ordered &= offsets[i] <= offsets[i + 1];
        *last = offsets[array->length];
    }
    if (!ordered || *last > limit)
        return refuse_array(field, "the offsets of the batch are out of order or out of bounds");
    return 0;
}

static int bind_bytes(struct csv_field *field, const struct ArrowArray *array)
{
    if (field->offsets == NULL)
        return 0;
    int64_t last;
    field->values = array->buffers[2];
    if (check_offsets(field, array, INT64_MAX, &last) < 0)
        return -1;
    if (last > 0 && field->values == NULL)
        return refuse_array(field, "a buffer of the batch is missing");
    if (field->values == NULL)
        field->values = "";
    field->data_end = (const char *)field->values + last;
    return 0;
}

static int bind_children(struct csv_field *field, const struct ArrowArray *array)
{
    if (array->n_children != (int64_t)field->child_count)
        return refuse_array(field, "the batch does not have the members of its schema");
    for (size_t i = 0; i < field->child_count; i++)
        if (csv_field_bind(&field->children[i], array->children[i]) < 0)
            return -1;
    int64_t needed = 0;
    int64_t elements = array->offset + array->length;
    switch (field->kind) {
    case CSV_LIST:
    case CSV_MAP:
        if (field->offsets != NULL &&
            check_offsets(field, array, array->children[0]->length, &needed) < 0)
            return -1;
        return 0;
    case CSV_FIXED_LIST:
        if (__builtin_mul_overflow(elements, field->byte_width, &needed))
            needed = INT64_MAX;
        break;
    default:
        needed = elements;
    }
    for (size_t i = 0; i < field->child_count; i++)
        if (array->children[i]->length < needed)
            return refuse_array(field, "a member of the batch is shorter than the batch");
    return 0;
}

/* The number of buffers of a kind, and whether the second one contains offsets. */
static int64_t buffer_count(const struct csv_field *field)
{
    switch (field->kind) {
    case CSV_NULLS:
        return 0;
    case CSV_STRUCT:
    case CSV_FIXED_LIST:
        return 1;
    case CSV_TEXT:
        return 3;
    case CSV_BINARY:
        return field->fixed_size ? 2 : 3;
    default:
        return 2;
    }
}

int csv_field_bind(struct csv_field *field, const struct ArrowArray *array)
{
    if (array == NULL || array->release == NULL || array->length < 0 || array->offset < 0 ||
        array->length > INT64_MAX / 64 || array->offset > INT64_MAX / 64)
        return refuse_array(field, "the array of the batch is malformed");
    field->validity = NULL;
    field->values = field->offsets = NULL;
    field->data_end = NULL;
    field->offset = array->offset;
    field->length = array->offset + array->length;

    int64_t wanted = buffer_count(field);
    if (array->n_buffers != wanted)
        return refuse_array(field, "the array of the batch does not have the buffers of its type");
    if (wanted > 0 && array->null_count != 0)
        field->validity = array->buffers[0];
    if (wanted > 1) {
        bool has_offsets = wanted == 3 || field->kind == CSV_LIST || field->kind == CSV_MAP;
        *(has_offsets ? &field->offsets : &field->values) = array->buffers[1];
        bool empty = field->fixed_size && field->byte_width == 0;
        if (array->length > 0 && array->buffers[1] == NULL && !empty)
            return refuse_array(field, "a buffer of the batch is missing");
        if (empty)
            field->values = "";
    }
    switch (field->kind) {
    case CSV_TEXT:
    case CSV_BINARY:
        return wanted == 3 ? bind_bytes(field, array) : 0;
    case CSV_DICTIONARY:
        return csv_field_bind(field->dictionary, array->dictionary);
    case CSV_LIST:
    case CSV_FIXED_LIST:
    case CSV_STRUCT:
    case CSV_MAP:
        return bind_children(field, array);
    default:
        return 0;
    }
}

void csv_field_bytes(const struct csv_field *field, int64_t index, const char **data, size_t *size)
{
    const char *bytes = field->values;
    if (field->fixed_size) {
        *data = bytes + index * field->byte_width;
        *size = (size_t)field->byte_width;
    } else if (field->large) {
        const int64_t *offsets = field->offsets;
        *data = bytes + offsets[index];
        *size = (size_t)(offsets[index + 1] - offsets[index]);
    } else {
        const int32_t *offsets = field->offsets;
        *data = bytes + offsets[index];
        *size = (size_t)(offsets[index + 1] - offsets[index]);
    }
}

static int64_t raw_index(const struct csv_field *field, int64_t index)
{
    switch (field->index_format) {
    case 'c':
        return ((const int8_t *)field->values)[index];
    case 'C':
        return ((const uint8_t *)field->values)[index];
    case 's':
        return ((const int16_t *)field->values)[index];
    case 'S':
        return ((const uint16_t *)field->values)[index];
    case 'i':
        return ((const int32_t *)field->values)[index];
    case 'I':
        return ((const uint32_t *)field->values)[index];
    default: /* 'l', and 'L', whose upper half is out of bounds as a negative number, too */
        return ((const int64_t *)field->values)[index];
    }
}

int64_t csv_field_dictionary_index(const struct csv_field *field, int64_t index)
{
    int64_t entry = raw_index(field, index);
    const struct csv_field *dictionary = field->dictionary;
    if (entry < 0 || entry >= dictionary->length - dictionary->offset)
        return refuse_array(field, "an index of the batch is outside its dictionary");
    return entry + dictionary->offset;
}
