/*
 * Values as fields of the file: quoting, and all that has no bounded width.
 */
#include <string.h>

#include "cell.h"
#include "scan.h"

#define PIECE ((size_t)32768) /* of a value that is turned into text piece by piece */

static bool is_quoted_always(const struct csv_field *field)
{
    enum csv_quoting quoting = field->context->options->quoting;
    return quoting == CSV_QUOTE_ALL ||
           (quoting == CSV_QUOTE_NONNUMERIC && field->class == CSV_CLASS_STRING);
}

/* Appends what may be of any length, quotes within doubled; not the quotes around it. */
static char *append_doubled(struct csv_sink *sink, char *at, const char *data, size_t size)
{
    while (at != NULL && size > 0) {
        const char *quote = memchr(data, '"', size);
        size_t count = quote != NULL ? (size_t)(quote - data) + 1 : size;
        at = csv_sink_append(sink, at, data, count);
        if (at != NULL && quote != NULL)
            at = csv_sink_append(sink, at, "\"", 1);
        data += count;
        size -= count;
    }
    return at;
}

static char *put_quoted(struct csv_sink *sink, const char *data, size_t size, char *at)
{
    at = csv_sink_append(sink, at, "\"", 1);
    at = append_doubled(sink, at, data, size);
    return at == NULL ? NULL : csv_sink_append(sink, at, "\"", 1);
}

/* The same where there is room for twice the size, quotes and reserve. */
static char *put_quoted_fast(const char *data, size_t size, char *at)
{
    const char *end = data + size;
    *at++ = '"';
    while (data < end) {
        const char *quote = memchr(data, '"', (size_t)(end - data));
        size_t count = (size_t)((quote != NULL ? quote + 1 : end) - data);
        memcpy(at, data, count);
        at += count;
        data += count;
        if (quote != NULL)
            *at++ = '"';
    }
    *at++ = '"';
    return at;
}

static char *refuse_unquoted(struct csv_field *field)
{
    const struct csv_context *context = field->context;
    csv_fail(context->host, OSIRIS_ERROR_DATA, 0,
             "use quoting minimal, or a delimiter that no value has",
             "row %lld, column \"%s\": the value has a delimiter, a quote or a line break, and "
             "quoting is none",
             (long long)(context->rows + context->row + 1), field->name);
    return NULL;
}

static char *quote_as_needed(struct csv_field *field, const char *data, size_t size, char *at)
{
    struct csv_sink *sink = &field->context->sink;
    if (field->context->options->quoting == CSV_QUOTE_NONE)
        return refuse_unquoted(field);
    size_t room = csv_sink_room(sink, at);
    if (room > sink->reserve && size < (room - sink->reserve) / 2 &&
        2 * size + 2 <= room - sink->reserve)
        return put_quoted_fast(data, size, at);
    return put_quoted(sink, data, size, at);
}

/* A value that does not fit into what is left of the buffer. */
static char *put_long(struct csv_field *field, const char *data, size_t size, char *at)
{
    if (csv_has_special(data, size, field->context->options->delimiter))
        return quote_as_needed(field, data, size, at);
    return csv_sink_append(&field->context->sink, at, data, size);
}

static char *put_empty(const struct csv_field *field, char *at)
{
    if (field->context->options->quoting == CSV_QUOTE_NONE)
        return at;
    at[0] = at[1] = '"';
    return at + 2;
}

static inline char *put_minimal(struct csv_field *field, const char *data, size_t size,
                                const char *data_end, char *at)
{
    const struct csv_context *context = field->context;
    char delimiter = context->options->delimiter;
    if (size == 0)
        return put_empty(field, at);
    if (size >= csv_sink_room(&context->sink, at) ||
        csv_sink_room(&context->sink, at) - size < context->sink.reserve)
        return put_long(field, data, size, at);
    bool special;
    if ((size_t)(data_end - data) >= ((size + CSV_SCAN_BLOCK - 1) & ~(size_t)(CSV_SCAN_BLOCK - 1))) {
        special = csv_copy_blocks(at, data, size, delimiter);
    } else {
        /* Nothing may be read behind the last values of a batch; behind the copy there is room. */
        memcpy(at, data, size);
        memset(at + size, 0, CSV_SCAN_BLOCK);
        special = csv_copy_blocks(at, at, size, delimiter);
    }
    return special ? quote_as_needed(field, data, size, at) : at + size;
}

char *csv_cell_text(struct csv_field *field, const char *data, size_t size, char *at)
{
    if (is_quoted_always(field))
        return quote_as_needed(field, data, size, at);
    return put_minimal(field, data, size, data + size, at);
}

static char *cell_text_minimal(struct csv_field *field, int64_t index, char *at)
{
    const int32_t *offsets = field->offsets;
    const char *data = (const char *)field->values + offsets[index];
    size_t size = (size_t)(offsets[index + 1] - offsets[index]);
    return put_minimal(field, data, size, field->data_end, at);
}

static char *cell_text(struct csv_field *field, int64_t index, char *at)
{
    const char *data;
    size_t size;
    csv_field_bytes(field, index, &data, &size);
    return csv_cell_text(field, data, size, at);
}

static char *cell_fixed_quoted(struct csv_field *field, int64_t index, char *at)
{
    *at++ = '"';
    char *end = field->put(field, index, at);
    *end++ = '"';
    return end;
}

/* A NaN is a number without text: left empty, like NULL, whatever the quoting. */
static char *cell_float_quoted(struct csv_field *field, int64_t index, char *at)
{
    char *end = field->put(field, index, at + 1);
    if (end == at + 1)
        return at;
    *at = '"';
    *end++ = '"';
    return end;
}

/* The delimiter is a character that such values may have. */
static char *cell_fixed_checked(struct csv_field *field, int64_t index, char *at)
{
    char text[CSV_FIELD_WIDTH_MAX];
    char *end = field->put(field, index, text);
    return end == text ? at : csv_cell_text(field, text, (size_t)(end - text), at);
}

static size_t encode_hex(const unsigned char *from, size_t size, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    return 2 * size;
}

static size_t encode_base64(const unsigned char *from, size_t size, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = to;
    for (; size > 0; from += 3) {
        size_t count = size < 3 ? size : 3;
        unsigned group = (unsigned)from[0] << 16;
        group |= count > 1 ? (unsigned)from[1] << 8 : 0;
        group |= count > 2 ? from[2] : 0u;
        at[0] = digits[group >> 18];
        at[1] = digits[group >> 12 & 63];
        at[2] = digits[group >> 6 & 63];
        at[3] = digits[group & 63];
        if (count < 3)
            memset(at + count + 1, '=', 3 - count);
        at += 4;
        size -= count;
    }
    return (size_t)(at - to);
}

size_t csv_encode_binary(const struct csv_options *options, const char *from, size_t size, char *to)
{
    const unsigned char *bytes = (const unsigned char *)from;
    return options->base64 ? encode_base64(bytes, size, to) : encode_hex(bytes, size, to);
}

/* Bytes as hex or base64, piece by piece: of any length without memory of their own. The piece is a
 * multiple of three, so base64 is padded at its end only. */
static char *cell_binary(struct csv_field *field, int64_t index, char *at)
{
    const struct csv_options *options = field->context->options;
    struct csv_sink *sink = &field->context->sink;
    const char *data;
    size_t size;
    csv_field_bytes(field, index, &data, &size);
    if (size == 0)
        return put_empty(field, at);
    bool quoted = options->quoting != CSV_QUOTE_NONE &&
                  (is_quoted_always(field) || csv_cell_delimiter_occurs(field));
    if (quoted)
        at = csv_sink_append(sink, at, "\"", 1);
    while (at != NULL && size > 0) {
        char text[2 * PIECE];
        size_t count = size < PIECE / 3 * 3 ? size : PIECE / 3 * 3;
        size_t made = csv_encode_binary(options, data, count, text);
        if (options->quoting == CSV_QUOTE_NONE && memchr(text, options->delimiter, made) != NULL)
            return refuse_unquoted(field);
        at = csv_sink_append(sink, at, text, made);
        data += count;
        size -= count;
    }
    return at != NULL && quoted ? csv_sink_append(sink, at, "\"", 1) : at;
}

static char *cell_dictionary(struct csv_field *field, int64_t index, char *at)
{
    struct csv_field *dictionary = field->dictionary;
    int64_t place = csv_field_dictionary_index(field, index);
    if (place < 0)
        return NULL;
    return csv_field_is_null(dictionary, place) ? at : dictionary->cell(dictionary, place, at);
}

static char *cell_nested(struct csv_field *field, int64_t index, char *at)
{
    if (csv_json_render(field, index) < 0)
        return NULL;
    const struct csv_scratch *scratch = &field->context->scratch;
    return csv_cell_text(field, scratch->data, scratch->size, at);
}

static char *cell_null(struct csv_field *field, int64_t index, char *at)
{
    (void)field;
    (void)index;
    return at;
}

bool csv_cell_delimiter_occurs(const struct csv_field *field)
{
    char delimiter = field->context->options->delimiter;
    if (field->kind == CSV_BINARY)
        return strchr("+/=", delimiter) != NULL || (delimiter >= '0' && delimiter <= '9') ||
               ((delimiter | 32) >= 'a' && (delimiter | 32) <= 'z');
    switch (field->class) {
    case CSV_CLASS_NUMBER:
        return strchr("0123456789-.", delimiter) != NULL;
    case CSV_CLASS_FLOAT:
        return strchr("0123456789-+.einf", delimiter) != NULL;
    case CSV_CLASS_BOOLEAN:
        return strchr("TrueFals", delimiter) != NULL;
    default: /* a date, a time or both */
        return strchr("0123456789-+:. ", delimiter) != NULL;
    }
}

static csv_put choose_fixed(const struct csv_field *field)
{
    if (is_quoted_always(field))
        return field->class == CSV_CLASS_FLOAT ? cell_float_quoted : cell_fixed_quoted;
    return csv_cell_delimiter_occurs(field) ? cell_fixed_checked : field->put;
}

void csv_cell_choose(struct csv_field *field)
{
    switch (field->kind) {
    case CSV_FIXED:
        field->cell = choose_fixed(field);
        return;
    case CSV_TEXT:
        field->cell = is_quoted_always(field) || field->large ? cell_text : cell_text_minimal;
        return;
    case CSV_BINARY:
        field->cell = cell_binary;
        return;
    case CSV_DICTIONARY:
        csv_cell_choose(field->dictionary);
        field->cell = cell_dictionary;
        return;
    case CSV_NULLS:
        field->cell = cell_null;
        return;
    default:
        field->cell = cell_nested;
    }
}
