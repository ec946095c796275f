/*
 * Columns in order, rows in a loop that knows nothing of types.
 */
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "columns.h"
#include "digits.h"
#include "table.h"

#define SLACK 64 /* scribbles, and the quotes of a lone empty field */

static int init_fields(struct csv_table *table, const struct ArrowSchema *schema)
{
    struct csv_context *context = &table->context;
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0 || schema->n_children < 0)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL,
                        "the input is not a table: its Arrow schema is not a struct");
    table->source_count = schema->n_children;
    if (csv_columns_choose(context->host, context->options, schema, &table->fields,
                           &table->count) < 0)
        return -1;
    for (size_t i = 0; i < table->count; i++) {
        struct csv_field *field = &table->fields[i];
        int64_t source = field->source;
        if (csv_field_init(field, context, schema->children[source]) < 0)
            return -1;
        field->source = source;
        csv_cell_choose(field);
    }
    return 0;
}

/* The most that a row's values of bounded width take, with quotes and delimiters. */
static size_t row_reserve(const struct csv_table *table)
{
    size_t reserve = SLACK, null_size = table->context.options->null_text.size;
    for (size_t i = 0; i < table->count; i++) {
        const struct csv_field *field = &table->fields[i];
        if (field->kind == CSV_DICTIONARY)
            field = field->dictionary;
        reserve += field->width + null_size + 3 + CSV_SCRIBBLE;
    }
    return reserve;
}

int csv_table_init(struct csv_table *table, const struct osiris_host *host,
                   const struct csv_options *options, const struct ArrowSchema *schema, int fd)
{
    *table = (struct csv_table){.context = {.host = host, .options = options}};
    if (init_fields(table, schema) < 0 ||
        csv_sink_init(&table->context.sink, host, options->path, fd, row_reserve(table)) < 0)
        return -1;
    table->at = table->context.sink.base;
    return 0;
}

void csv_table_clear(struct csv_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        csv_field_clear(&table->fields[i]);
    free(table->fields);
    free(table->context.scratch.data);
    csv_sink_clear(&table->context.sink);
    *table = (struct csv_table){0};
}

static char *put_newline(const struct csv_options *options, char *at)
{
    memcpy(at, options->newline, 2);
    return at + options->newline_size;
}

int csv_table_write_header(struct csv_table *table)
{
    const struct csv_options *options = table->context.options;
    char *at = table->at;
    table->context.row = -1;
    for (size_t i = 0; i < table->count; i++) {
        /* A name is text whatever the column holds. */
        struct csv_field name = {.context = &table->context,
                                 .name = table->fields[i].name,
                                 .kind = CSV_TEXT,
                                 .class = CSV_CLASS_STRING};
        at = csv_cell_text(&name, name.name, strlen(name.name), at);
        if (at == NULL)
            return -1;
        *at++ = options->delimiter;
    }
    if (table->count > 0)
        at = put_newline(options, at - 1);
    table->at = at;
    return 0;
}

static int bind_batch(struct csv_table *table, const struct ArrowArray *batch)
{
    const struct osiris_host *host = table->context.host;
    int64_t end;
    if (batch->n_children != table->source_count || batch->length < 0 || batch->offset < 0 ||
        __builtin_add_overflow(batch->length, batch->offset, &end))
        return csv_fail(host, OSIRIS_ERROR_INTERNAL, 0, "the driver that made the data is at fault",
                        "a batch does not have the schema's columns");
    for (size_t i = 0; i < table->count; i++) {
        struct csv_field *field = &table->fields[i];
        const struct ArrowArray *array = batch->children[field->source];
        if (csv_field_bind(field, array) < 0)
            return -1;
        if (array->length < end)
            return csv_fail(host, OSIRIS_ERROR_INTERNAL, 0,
                            "the driver that made the data is at fault",
                            "column \"%s\": it is shorter than its batch", field->name);
        field->offset += batch->offset;
    }
    return 0;
}

/* A null has no quotes. */
static inline char *put_cell(struct csv_field *field, int64_t row, const struct csv_word *null_text,
                             char *at)
{
    int64_t index = row + field->offset;
    if (!csv_field_is_null(field, index))
        return field->cell(field, index, at);
    return null_text->size == 0 ? at : csv_cell_null(field, at);
}

/* A lone empty field would be an empty line, which most readers skip. */
static char *put_lone_empty(const struct csv_options *options, char *at)
{
    if (options->quoting == CSV_QUOTE_NONE)
        return at;
    at[0] = at[1] = options->quote;
    return at + 2;
}

static int write_rows(struct csv_table *table, int64_t length)
{
    struct csv_context *context = &table->context;
    const struct csv_options *options = context->options;
    struct csv_field *const last = table->fields + table->count - 1;
    const struct csv_word null_text = options->null_text;
    char *at = table->at;

    for (int64_t row = 0; row < length; row++) {
        if (csv_sink_room(&context->sink, at) < context->sink.reserve) {
            at = csv_sink_flush(&context->sink, at);
            if (at == NULL)
                return -1;
        }
        context->row = row;
        const char *begin = at;
        for (struct csv_field *field = table->fields; field < last; field++) {
            at = put_cell(field, row, &null_text, at);
            if (at == NULL)
                return -1;
            *at++ = options->delimiter;
        }
        at = put_cell(last, row, &null_text, at);
        if (at == NULL)
            return -1;
        if (at == begin)
            at = put_lone_empty(options, at);
        at = put_newline(options, at);
    }
    table->at = at;
    return 0;
}

int csv_table_write_batch(struct csv_table *table, const struct ArrowArray *batch)
{
    if (bind_batch(table, batch) < 0)
        return -1;
    if (table->count > 0 && write_rows(table, batch->length) < 0)
        return -1;
    table->context.rows += batch->length;
    return 0;
}

int csv_table_finish(struct csv_table *table)
{
    table->at = csv_sink_flush(&table->context.sink, table->at);
    return table->at == NULL ? -1 : 0;
}
