/*
 * Columns in order, and rows in a loop that does not depend on types.
 */
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "columns.h"
#include "digits.h"
#include "report.h"
#include "table.h"

#define SLACK 64 /* bytes that may be overwritten, and the quotes of a single empty field */

static int init_fields(struct csv_table *table, const struct ArrowSchema *schema)
{
    struct csv_context *context = &table->context;
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0 || schema->n_children < 0)
        return csv_fail(context->host, OSIRIS_ERROR_INTERNAL, 0, NULL,
                        "the input is not a table: its Arrow schema is not a struct");
    table->source_count = schema->n_children;
    if (csv_columns_choose(context->host, context->options, schema, &table->fields, &table->count) <
        0)
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

/* The maximum size of a row's values of bounded width, with quotes and delimiters. */
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

int csv_table_init(struct csv_table *table, struct csv_parts *parts,
                   const struct ArrowSchema *schema)
{
    *table = (struct csv_table){
        .context = {.host = parts->file.host, .options = parts->file.options}, .parts = parts};
    if (init_fields(table, schema) < 0 ||
        csv_sink_init(&table->context.sink, &parts->file, row_reserve(table)) < 0)
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

static int write_header(struct csv_table *table)
{
    const struct csv_options *options = table->context.options;
    char *at = table->at;
    table->context.row = -1;
    for (size_t i = 0; i < table->count; i++) {
        /* A name is text, whatever the type of the column. */
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

/* The start of a file. */
static int begin_file(struct csv_table *table)
{
    if (csv_file_write_mark(&table->parts->file) < 0)
        return -1;
    return table->context.options->header ? write_header(table) : 0;
}

/* The required start of a file that is appended to. */
static int compare_beginning(struct csv_table *table)
{
    struct csv_file *file = &table->parts->file;
    struct csv_sink *sink = &table->context.sink;
    if (csv_file_compare_begin(file) < 0 || begin_file(table) < 0)
        return -1;
    table->at = csv_sink_flush(sink, table->at);
    return table->at == NULL ? -1 : csv_file_compare_end(file);
}

int csv_table_begin(struct csv_table *table)
{
    if ((table->parts->appends ? compare_beginning(table) : begin_file(table)) < 0)
        return -1;
    return table->parts->file.compressor != NULL ? csv_sink_start_relay(&table->context.sink) : 0;
}

static int bind_batch(struct csv_table *table, const struct ArrowArray *batch)
{
    const struct osiris_host *host = table->context.host;
    int64_t end;
    if (batch->n_children != table->source_count || batch->length < 0 || batch->offset < 0 ||
        __builtin_add_overflow(batch->length, batch->offset, &end))
        return csv_fail(host, OSIRIS_ERROR_INTERNAL, 0, "the driver that made the data is at fault",
                        "a batch does not have the columns of its schema");
    for (size_t i = 0; i < table->count; i++) {
        struct csv_field *field = &table->fields[i];
        const struct ArrowArray *array = batch->children[field->source];
        if (csv_field_bind(field, array) < 0)
            return -1;
        if (array->length < end)
            return csv_fail(host, OSIRIS_ERROR_INTERNAL, 0,
                            "the driver that made the data is at fault",
                            "column \"%s\" is shorter than its batch", field->name);
        field->offset += batch->offset;
    }
    return 0;
}

/* NULL is never quoted. */
static inline char *put_cell(struct csv_field *field, int64_t row, const struct csv_word *null_text,
                             char *at)
{
    int64_t index = row + field->offset;
    if (!csv_field_is_null(field, index))
        return field->cell(field, index, at);
    return null_text->size == 0 ? at : csv_cell_null(field, at);
}

/* The current row starts another file. */
static char *begin_next_file(struct csv_table *table, char *at)
{
    struct csv_sink *sink = &table->context.sink;
    at = csv_sink_drain(sink, at);
    if (at == NULL || csv_parts_next(table->parts) < 0)
        return NULL;
    csv_sink_restart(sink);
    int64_t row = table->context.row;
    table->part_begin = table->context.rows + row;
    table->at = at;
    if (begin_file(table) < 0)
        return NULL;
    table->context.row = row;
    return table->at;
}

/* Called where a row begins and the buffer or the file is full. */
static char *turn(struct csv_table *table, char *at)
{
    struct csv_sink *sink = &table->context.sink;
    if (csv_sink_is_full(sink, at) && table->context.rows + table->context.row > table->part_begin)
        return begin_next_file(table, at);
    return csv_sink_room(sink, at) < sink->reserve ? csv_sink_flush(sink, at) : at;
}

static int write_rows(struct csv_table *table, int64_t from, int64_t to)
{
    struct csv_context *context = &table->context;
    const struct csv_options *options = context->options;
    struct csv_field *const last = table->fields + table->count - 1;
    const struct csv_word null_text = options->null_text;
    char *at = table->at;

    for (int64_t row = from; row < to; row++) {
        context->row = row;
        if (at >= context->sink.mark) {
            at = turn(table, at);
            if (at == NULL)
                return -1;
        }
        const char *begin = at;
        for (struct csv_field *field = table->fields; field < last; field++) {
            at = put_cell(field, row, &null_text, at);
            if (at == NULL)
                return -1;
            *at++ = options->delimiter;
        }
        at = put_cell(last, row, &null_text, at);
        if (at == begin)
            at = csv_cell_lone_empty(last, at);
        if (at == NULL)
            return -1;
        at = put_newline(options, at);
    }
    table->at = at;
    return 0;
}

/* Writes the rows of the batch, across files. */
static int write_batch_rows(struct csv_table *table, int64_t length)
{
    struct csv_context *context = &table->context;
    int64_t most = context->options->rows_per_file;
    if (most == 0)
        return write_rows(table, 0, length);
    for (int64_t row = 0; row < length;) {
        int64_t left = table->part_begin + most - (context->rows + row);
        context->row = row;
        if (left <= 0) {
            table->at = begin_next_file(table, table->at);
            if (table->at == NULL)
                return -1;
            left = most;
        }
        int64_t to = left < length - row ? row + left : length;
        if (write_rows(table, row, to) < 0)
            return -1;
        row = to;
    }
    return 0;
}

int csv_table_write_batch(struct csv_table *table, const struct ArrowArray *batch)
{
    if (bind_batch(table, batch) < 0)
        return -1;
    if (table->count > 0 && write_batch_rows(table, batch->length) < 0)
        return -1;
    table->context.rows += batch->length;
    return 0;
}

int csv_table_finish(struct csv_table *table)
{
    table->at = csv_sink_drain(&table->context.sink, table->at);
    return table->at == NULL ? -1 : csv_file_end(&table->parts->file);
}
