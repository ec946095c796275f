/*
 * Nested values as JSON text: lists are arrays; structs are objects; maps are objects if their keys
 * are text, else arrays of [key, value]. Numbers keep all their digits; infinities, dates and times
 * and binary values are strings; a NaN is null.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary.h"
#include "cell.h"
#include "digits.h"
#include "report.h"

#define LONGEST_JSON ((size_t)256 << 20)
#define VALUES_WITHOUT_ASKING 65536

static int reserve(struct csv_context *context, size_t more)
{
    struct csv_scratch *scratch = &context->scratch;
    size_t needed;
    if (__builtin_add_overflow(scratch->size, more, &needed))
        needed = SIZE_MAX;
    if (needed <= scratch->capacity)
        return 0;
    size_t capacity = needed < SIZE_MAX / 2 ? needed * 2 : needed;
    char *data = realloc(scratch->data, capacity);
    if (data == NULL)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL,
                        "not enough memory for a value");
    scratch->data = data;
    scratch->capacity = capacity;
    return 0;
}

int csv_scratch_resize(struct csv_context *context, size_t size)
{
    size_t used = context->scratch.size;
    if (size > used && reserve(context, size - used) < 0)
        return -1;
    context->scratch.size = size;
    return 0;
}

static int append(struct csv_context *context, const char *text, size_t size)
{
    if (reserve(context, size) < 0)
        return -1;
    if (size > 0)
        memcpy(context->scratch.data + context->scratch.size, text, size);
    context->scratch.size += size;
    return 0;
}

static int append_character(struct csv_context *context, char character)
{
    return append(context, &character, 1);
}

static int append_string(struct csv_context *context, const char *data, size_t size)
{
    /* An escape takes at most six bytes per character. */
    size_t room;
    if (__builtin_mul_overflow(size, 6, &room) || __builtin_add_overflow(room, 3, &room))
        room = SIZE_MAX;
    if (reserve(context, room) < 0)
        return -1;
    char *at = context->scratch.data + context->scratch.size;
    *at++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte == '"' || byte == '\\') {
            *at++ = '\\';
            *at++ = (char)byte;
        } else if (byte < 0x20) {
            at += sprintf(at, "\\u%04x", byte);
        } else {
            *at++ = (char)byte;
        }
    }
    *at++ = '"';
    context->scratch.size = (size_t)(at - context->scratch.data);
    return 0;
}

static int append_fixed(struct csv_field *field, int64_t index)
{
    char text[CSV_FIELD_WIDTH_MAX];
    size_t size = (size_t)(field->put(field, index, text) - text);
    if (size == 0)
        return append(field->context, "null", 4);
    if (field->class == CSV_CLASS_BOOLEAN)
        text[0] = text[0] == 'T' ? 't' : 'f';
    bool infinite = field->class == CSV_CLASS_FLOAT && text[size - 1] == 'f';
    if (field->class == CSV_CLASS_STRING || infinite)
        return append_string(field->context, text, size);
    return append(field->context, text, size);
}

static int append_binary(struct csv_field *field, const char *data, size_t size)
{
    struct csv_context *context = field->context;
    size_t room;
    if (__builtin_mul_overflow(size, 2, &room) || __builtin_add_overflow(room, 8, &room))
        room = SIZE_MAX;
    if (append_character(context, '"') < 0 || reserve(context, room) < 0)
        return -1;
    char *at = context->scratch.data + context->scratch.size;
    context->scratch.size += csv_encode_binary(context->options, data, size, at);
    return append_character(context, '"');
}

static int append_value(struct csv_field *field, int64_t index);

static int append_list(struct csv_field *field, int64_t begin, int64_t end)
{
    if (append_character(field->context, '[') < 0)
        return -1;
    struct csv_field *member = &field->children[0];
    for (int64_t i = begin; i < end; i++) {
        if (i > begin && append_character(field->context, ',') < 0)
            return -1;
        if (append_value(member, i + member->offset) < 0)
            return -1;
    }
    return append_character(field->context, ']');
}

static int append_struct(struct csv_field *field, int64_t index)
{
    struct csv_context *context = field->context;
    if (append_character(context, '{') < 0)
        return -1;
    for (size_t i = 0; i < field->child_count; i++) {
        struct csv_field *member = &field->children[i];
        if (i > 0 && append_character(context, ',') < 0)
            return -1;
        if (append_string(context, member->name, strlen(member->name)) < 0 ||
            append_character(context, ':') < 0 || append_value(member, index + member->offset) < 0)
            return -1;
    }
    return append_character(context, '}');
}

static int append_map(struct csv_field *field, int64_t begin, int64_t end)
{
    struct csv_context *context = field->context;
    struct csv_field *entries = &field->children[0];
    struct csv_field *key = &entries->children[0], *value = &entries->children[1];
    bool object = key->kind == CSV_TEXT;
    if (append_character(context, object ? '{' : '[') < 0)
        return -1;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = i + entries->offset;
        if (i > begin && append_character(context, ',') < 0)
            return -1;
        if (!object && append_character(context, '[') < 0)
            return -1;
        if (append_value(key, at + key->offset) < 0 ||
            append_character(context, object ? ':' : ',') < 0 ||
            append_value(value, at + value->offset) < 0)
            return -1;
        if (!object && append_character(context, ']') < 0)
            return -1;
    }
    return append_character(context, object ? '}' : ']');
}

static void bounds(const struct csv_field *field, int64_t index, int64_t *begin, int64_t *end)
{
    if (field->kind == CSV_FIXED_LIST) {
        *begin = index * field->byte_width;
        *end = *begin + field->byte_width;
    } else if (field->large) {
        *begin = ((const int64_t *)field->offsets)[index];
        *end = ((const int64_t *)field->offsets)[index + 1];
    } else {
        *begin = ((const int32_t *)field->offsets)[index];
        *end = ((const int32_t *)field->offsets)[index + 1];
    }
}

/* A list of a few bytes may have billions of nulls, so its text is bounded, and a cancel is noticed within it. */
static int check_bounds(struct csv_field *field)
{
    struct csv_context *context = field->context;
    struct csv_scratch *scratch = &context->scratch;
    if (scratch->size > LONGEST_JSON)
        return csv_fail(context->host, OSIRIS_ERROR_DATA, 0,
                        "omit the column, or write its members as rows",
                        "row %lld: a nested value is longer than %zu MiB as JSON",
                        (long long)(context->rows + context->row + 1), LONGEST_JSON >> 20);
    if (++scratch->values < VALUES_WITHOUT_ASKING)
        return 0;
    scratch->values = 0;
    return context->host->cancelled(context->host)
               ? csv_fail(context->host, OSIRIS_ERROR_CANCELLED, 0, NULL,
                          "cancelled while writing %s", context->options->path)
               : 0;
}

static int append_value(struct csv_field *field, int64_t index)
{
    const char *data;
    size_t size;
    int64_t begin, end;
    if (check_bounds(field) < 0)
        return -1;
    if (field->kind == CSV_NULLS || csv_field_is_null(field, index))
        return append(field->context, "null", 4);
    switch (field->kind) {
    case CSV_FIXED:
        return append_fixed(field, index);
    case CSV_TEXT:
        csv_field_bytes(field, index, &data, &size);
        return append_string(field->context, data, size);
    case CSV_BINARY:
        csv_field_bytes(field, index, &data, &size);
        return append_binary(field, data, size);
    case CSV_DICTIONARY:
        index = csv_field_dictionary_index(field, index);
        return index < 0 ? -1 : append_value(field->dictionary, index);
    case CSV_STRUCT:
        return append_struct(field, index);
    case CSV_MAP:
        bounds(field, index, &begin, &end);
        return append_map(field, begin, end);
    default:
        bounds(field, index, &begin, &end);
        return append_list(field, begin, end);
    }
}

int csv_json_render(struct csv_field *field, int64_t index)
{
    field->context->scratch.size = 0;
    return append_value(field, index);
}
