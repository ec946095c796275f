/*
 * Values as fields of the file: quoting, and all that has no bounded width.
 */
#include <stdio.h>
#include <string.h>

#include "binary.h"
#include "cell.h"
#include "format.h"
#include "quote.h"
#include "report.h"
#include "scan.h"

#define PIECE ((size_t)32768) /* bytes of a value that are turned into text at a time */

static bool is_quoted_always(const struct csv_field *field)
{
    enum csv_quoting quoting = field->context->options->quoting;
    return quoting == CSV_QUOTE_ALL ||
           (quoting == CSV_QUOTE_NONNUMERIC && field->class == CSV_CLASS_STRING);
}

/* Names the current value: "row 12, column "note"", or "the name of column "note"". */
static void name_position(const struct csv_field *field, char *where, size_t size)
{
    const struct csv_context *context = field->context;
    if (context->row < 0)
        snprintf(where, size, "the name of column \"%s\"", field->name);
    else
        snprintf(where, size, "row %lld, column \"%s\"",
                 (long long)(context->rows + context->row + 1), field->name);
}

static char *refuse(const struct csv_field *field, const char *hint, const char *problem)
{
    char where[400];
    name_position(field, where, sizeof where);
    csv_fail(field->context->host, OSIRIS_ERROR_DATA, 0, hint, "%s: %s", where, problem);
    return NULL;
}

static char *refuse_unquoted(const struct csv_field *field)
{
    return refuse(field,
                  "use quoting minimal, an escape character, or a delimiter that no value contains",
                  "the value contains a delimiter, a quote or a line break, and quoting is none");
}

/* Values that must be quoted or escaped. */
static char *quote_as_needed(struct csv_field *field, const char *data, size_t size, char *at)
{
    const struct csv_options *options = field->context->options;
    if (options->quoting != CSV_QUOTE_NONE)
        return csv_put_quoted(field->context, data, size, at);
    return csv_has_escape(options) ? csv_put_escaped(field->context, data, size, at)
                                   : refuse_unquoted(field);
}

static bool is_null_text(const struct csv_options *options, const char *data, size_t size)
{
    return size == options->null_text.size && memcmp(data, options->null_text.data, size) == 0;
}

/* A value that would be read as NULL. */
static char *put_like_null(struct csv_field *field, const char *data, size_t size, char *at)
{
    if (field->context->options->quoting != CSV_QUOTE_NONE)
        return csv_put_quoted(field->context, data, size, at);
    return refuse(field, "use quoting minimal, or a null_text that no value equals",
                  "the value equals the text for NULL, and quoting is none");
}

/* A value that does not fit into the rest of the buffer. */
static char *put_long(struct csv_field *field, const char *data, size_t size, char *at)
{
    if (csv_has_special(data, size, csv_specials_of(field->context->options)))
        return quote_as_needed(field, data, size, at);
    return csv_sink_append(&field->context->sink, at, data, size);
}

/* Without quotes the empty text looks like NULL, unless NULL has a text. */
static char *put_empty(const struct csv_field *field, char *at)
{
    const struct csv_options *options = field->context->options;
    if (options->quoting == CSV_QUOTE_NONE && options->null_text.size == 0 &&
        field->context->row >= 0)
        return refuse(field, "use quoting minimal, or a null_text that no value equals",
                      "the value is empty like NULL, and quoting is none");
    if (options->quoting == CSV_QUOTE_NONE)
        return at;
    at[0] = at[1] = options->quote;
    return at + 2;
}

/* `special` holds the special characters of the options, and is a constant where they are known. */
static inline __attribute__((always_inline)) char *
put_minimal(struct csv_field *field, const char *data, size_t size, const char *data_end,
            struct csv_specials special, char *at)
{
    const struct csv_context *context = field->context;
    if (size == 0)
        return put_empty(field, at);
    if (size >= csv_sink_room(&context->sink, at) ||
        csv_sink_room(&context->sink, at) - size < context->sink.reserve)
        return put_long(field, data, size, at);
    bool found;
    if ((size_t)(data_end - data) >=
        ((size + CSV_SCAN_BLOCK - 1) & ~(size_t)(CSV_SCAN_BLOCK - 1))) {
        found = csv_copy_blocks(at, data, size, special);
    } else {
        /* Nothing beyond the last values of a batch may be read; the copy has room after it. */
        memcpy(at, data, size);
        memset(at + size, 0, CSV_SCAN_BLOCK);
        found = csv_copy_blocks(at, at, size, special);
    }
    return found ? quote_as_needed(field, data, size, at) : at + size;
}

/* Text with any options except formula_guard. */
static char *put_text(struct csv_field *field, const char *data, size_t size, const char *data_end,
                      char *at)
{
    const struct csv_options *options = field->context->options;
    struct csv_specials special = csv_specials_of(options);
    if (is_quoted_always(field))
        return csv_put_quoted(field->context, data, size, at);
    if (size > 0 && is_null_text(options, data, size) && !csv_has_special(data, size, special))
        return put_like_null(field, data, size, at);
    return put_minimal(field, data, size, data_end, special, at);
}

/* What a spreadsheet treats as the start of a formula (OWASP, "CSV Injection"). */
static bool is_formula(const char *data, size_t size)
{
    return size > 0 && data[0] != '\0' && strchr("=+-@\t\r\n", data[0]) != NULL;
}

static char *put_guarded(struct csv_field *field, const char *data, size_t size, char *at)
{
    struct csv_context *context = field->context;
    context->scratch.size = 0;
    if (csv_scratch_resize(context, size + 1) < 0)
        return NULL;
    char *guarded = context->scratch.data;
    guarded[0] = '\'';
    memcpy(guarded + 1, data, size);
    return put_text(field, guarded, size + 1, guarded + size + 1, at);
}

/* Texts of fixed width are ASCII, or were checked with the options. */
static bool fits_encoding(const struct csv_field *field, const char *data, size_t size)
{
    enum csv_encoding encoding = field->context->options->encoding;
    size_t offset;
    uint32_t code_point;
    char problem[100];
    if (!csv_encoding_converts(encoding) || field->kind == CSV_FIXED)
        return true;
    switch (csv_encoding_check(encoding, data, size, &offset, &code_point)) {
    case CSV_FITS:
        return true;
    case CSV_INVALID:
        snprintf(problem, sizeof problem,
                 "the text is not valid UTF-8 at byte %zu", offset + 1);
        break;
    default:
        snprintf(problem, sizeof problem, "the character U+%04X does not exist in %s",
                 (unsigned)code_point, encoding == CSV_ASCII ? "ascii" : "latin-1");
    }
    refuse(field, "use encoding utf-8", problem);
    return false;
}

char *csv_cell_lone_empty(const struct csv_field *field, char *at)
{
    const struct csv_options *options = field->context->options;
    if (options->quoting == CSV_QUOTE_NONE)
        return refuse(field, "use quoting minimal, or a null_text",
                      "the line would be empty and readers would skip it, and quoting is none");
    at[0] = at[1] = options->quote;
    return at + 2;
}

char *csv_cell_text(struct csv_field *field, const char *data, size_t size, char *at)
{
    if (!fits_encoding(field, data, size))
        return NULL;
    if (field->kind == CSV_TEXT && field->context->options->guard && is_formula(data, size))
        return put_guarded(field, data, size, at);
    return put_text(field, data, size, data + size, at);
}

/* The usual options. */
static char *cell_text_usual(struct csv_field *field, int64_t index, char *at)
{
    const int32_t *offsets = field->offsets;
    const char *data = (const char *)field->values + offsets[index];
    size_t size = (size_t)(offsets[index + 1] - offsets[index]);
    const struct csv_specials special = {field->context->options->delimiter, '"', '"'};
    return put_minimal(field, data, size, field->data_end, special, at);
}

static char *cell_text(struct csv_field *field, int64_t index, char *at)
{
    const char *data;
    size_t size;
    csv_field_bytes(field, index, &data, &size);
    return csv_cell_text(field, data, size, at);
}

/* The text cannot contain a special character. */
static char *cell_fixed_quoted(struct csv_field *field, int64_t index, char *at)
{
    char quote = field->context->options->quote;
    *at = quote;
    char *end = field->put(field, index, at + 1);
    /* A NaN is a number without text: written like NULL, whatever the quoting. */
    if (end == at + 1)
        return csv_cell_null(field, at);
    *end++ = quote;
    return end;
}

/* The text may contain a special character, or equal the text for NULL. */
static char *cell_fixed_checked(struct csv_field *field, int64_t index, char *at)
{
    char text[CSV_FIELD_WIDTH_MAX];
    char *end = field->put(field, index, text);
    return end == text ? csv_cell_null(field, at)
                       : csv_cell_text(field, text, (size_t)(end - text), at);
}

static char *append_byte(struct csv_sink *sink, char *at, char byte)
{
    return csv_sink_append(sink, at, &byte, 1);
}

/* Bytes as hex or base64, piece by piece, so that any length needs no extra memory. The piece is a
 * multiple of three, so base64 is padded only at its end. The text cannot contain a special character. */
static char *cell_binary(struct csv_field *field, int64_t index, char *at)
{
    const struct csv_options *options = field->context->options;
    struct csv_sink *sink = &field->context->sink;
    const char *data;
    size_t size;
    csv_field_bytes(field, index, &data, &size);
    if (size == 0)
        return put_empty(field, at);
    bool quoted = is_quoted_always(field);
    if (quoted)
        at = append_byte(sink, at, options->quote);
    while (at != NULL && size > 0) {
        char text[2 * PIECE];
        size_t count = size < PIECE / 3 * 3 ? size : PIECE / 3 * 3;
        size_t made = csv_encode_binary(options, data, count, text);
        at = csv_sink_append(sink, at, text, made);
        data += count;
        size -= count;
    }
    return at != NULL && quoted ? append_byte(sink, at, options->quote) : at;
}

/* The same where the text may contain one: the whole text is built first. */
static char *cell_binary_checked(struct csv_field *field, int64_t index, char *at)
{
    struct csv_context *context = field->context;
    const char *data;
    size_t size, room;
    csv_field_bytes(field, index, &data, &size);
    if (__builtin_mul_overflow(size, 2, &room) || __builtin_add_overflow(room, 4, &room))
        room = SIZE_MAX;
    context->scratch.size = 0;
    if (csv_scratch_resize(context, room) < 0)
        return NULL;
    size = csv_encode_binary(context->options, data, size, context->scratch.data);
    return csv_cell_text(field, context->scratch.data, size, at);
}

static char *cell_dictionary(struct csv_field *field, int64_t index, char *at)
{
    struct csv_field *dictionary = field->dictionary;
    int64_t entry = csv_field_dictionary_index(field, index);
    if (entry < 0)
        return NULL;
    return csv_field_is_null(dictionary, entry) ? csv_cell_null(field, at)
                                                : dictionary->cell(dictionary, entry, at);
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
    (void)index;
    return csv_cell_null(field, at);
}

/* The characters that values of a type may contain. */
static bool has_character(const struct csv_field *field, char character)
{
    bool letter = (character | 32) >= 'a' && (character | 32) <= 'z';
    bool digit = character >= '0' && character <= '9';
    if (character == '\0')
        return false;
    if (field->kind == CSV_BINARY)
        return letter || digit || strchr("+/=", character) != NULL;
    switch (field->class) {
    case CSV_CLASS_NUMBER:
        return digit || strchr("-.", character) != NULL;
    case CSV_CLASS_FLOAT:
        return digit || strchr("-+.einf", character) != NULL;
    case CSV_CLASS_BOOLEAN:
        return strchr("TrueFals", character) != NULL;
    default: /* a date, a time or both, or an interval */
        if (field->type[1] == 'i' && strchr("PMDTS", character) != NULL)
            return true;
        return digit || strchr("-+:. ", character) != NULL;
    }
}

bool csv_cell_special_occurs(const struct csv_field *field)
{
    const struct csv_options *options = field->context->options;
    /* A value can equal the text for NULL only if it can begin with its first character. */
    char null_first = options->null_text.size > 0 ? options->null_text.data[0] : '\0';
    return has_character(field, options->delimiter) || has_character(field, options->quote) ||
           has_character(field, options->escape) || has_character(field, null_first);
}

static csv_put choose_fixed(struct csv_field *field)
{
    bool formatted = csv_format_choose(field);
    /* A NaN is written like NULL, which is empty unless null_text is set. */
    bool may_be_nan =
        field->class == CSV_CLASS_FLOAT && field->context->options->null_text.size > 0;
    if (formatted || may_be_nan || csv_cell_special_occurs(field))
        return cell_fixed_checked;
    return is_quoted_always(field) ? cell_fixed_quoted : field->put;
}

static csv_put choose_text(const struct csv_field *field)
{
    const struct csv_options *options = field->context->options;
    bool usual = options->quote == '"' && !csv_has_escape(options) &&
                 options->null_text.size == 0 && !options->guard && !is_quoted_always(field) &&
                 !field->large && !csv_encoding_converts(options->encoding);
    return usual ? cell_text_usual : cell_text;
}

void csv_cell_choose(struct csv_field *field)
{
    switch (field->kind) {
    case CSV_FIXED:
        field->cell = choose_fixed(field);
        return;
    case CSV_TEXT:
        field->cell = choose_text(field);
        return;
    case CSV_BINARY:
        field->cell = csv_cell_special_occurs(field) ? cell_binary_checked : cell_binary;
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
