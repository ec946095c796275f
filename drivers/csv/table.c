/*
 * Columns in order, rows in a loop that knows nothing of types.
 */
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "digits.h"
#include "table.h"

#define SLACK 64 /* scribbles, and the quotes of a lone empty field */

static int compare_names(const void *left, const void *right)
{
    const struct csv_field *a = left, *b = right;
    /* Bytes of UTF-8 are in the order of code points. Equal names keep the source's order. */
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->source > b->source) - (a->source < b->source);
}

static int init_fields(struct csv_table *table, const struct ArrowSchema *schema)
{
    struct csv_context *context = &table->context;
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0 || schema->n_children < 0)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL,
                        "the input is not a table: its Arrow schema is not a struct");
    table->fields = calloc((size_t)schema->n_children + 1, sizeof *table->fields);
    if (table->fields == NULL)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL, "not enough memory");
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct csv_field *field = &table->fields[table->count++];
        if (csv_field_init(field, context, schema->children[i]) < 0)
            return -1;
        csv_cell_choose(field);
        field->source = i;
    }
    if (context->options->sorted)
        qsort(table->fields, table->count, sizeof *table->fields, compare_names);
    return 0;
}

/* The most that a row's values of bounded width take, with quotes and delimiters. */
static size_t row_reserve(const struct csv_table *table)
{
    size_t reserve = SLACK;
    for (size_t i = 0; i < table->count; i++) {
        const struct csv_field *field = &table->fields[i];
        if (field->kind == CSV_DICTIONARY)
            field = field->dictionary;
        reserve += field->width + 3 + CSV_SCRIBBLE;
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
    for (size_t i = 0; i < table->count; i++) {
        /* A name is text whatever the column holds. */
        struct csv_field name = {
            .context = &table->context, .name = table->fields[i].name, .class = CSV_CLASS_STRING};
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
    int64_t columns = (int64_t)table->count, end;
    if (batch->n_children != columns || batch->length < 0 || batch->offset < 0 ||
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

/* A null has no text and no quotes. */
static inline char *put_cell(struct csv_field *field, int64_t row, char *at)
{
    int64_t index = row + field->offset;
    return csv_field_is_null(field, index) ? at : field->cell(field, index, at);
}

/* A lone empty field would be an empty line, which most readers skip. */
static char *put_lone_empty(const struct csv_options *options, char *at)
{
    if (options->quoting == CSV_QUOTE_NONE)
        return at;
    memcpy(at, "\"\"", 2);
    return at + 2;
}

static int write_rows(struct csv_table *table, int64_t length)
{
    struct csv_context *context = &table->context;
    const struct csv_options *options = context->options;
    struct csv_field *const last = table->fields + table->count - 1;
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
            at = put_cell(field, row, at);
            if (at == NULL)
                return -1;
            *at++ = options->delimiter;
        }
        at = put_cell(last, row, at);
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
