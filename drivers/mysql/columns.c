/*
 * A statement's columns as Arrow columns; see mysql-driver.h. The row callback of libmariadb hands over each column's raw
 * bytes, and the function chosen for the column appends them (values.h).
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "values.h"

#define BINARY_CHARSET 63

void mysql_columns_append(void *data, unsigned index, unsigned char **row)
{
    struct mysql_columns *columns = data;
    struct mysql_column *column = &columns->items[index];

    if (row == NULL)
        osiris_append_null(column->out);
    else
        column->append(columns, column, row);
}

/* Choosing types; docs/mysql-extractor.md has the table. */

/* MySQL's BOOLEAN is TINYINT(1); only the width distinguishes it from a number. */
static bool is_tinyint1(const MYSQL_FIELD *field)
{
    return field->type == MYSQL_TYPE_TINY && field->length == 1 &&
           (field->flags & (UNSIGNED_FLAG | ZEROFILL_FLAG)) == 0;
}

static void choose_integer(const MYSQL_FIELD *field, struct osiris_field *out,
                           struct mysql_column *column)
{
    bool is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;

    switch (field->type) {
    case MYSQL_TYPE_TINY:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT8 : OSIRIS_TYPE_INT8;
        column->append = is_unsigned ? mysql_append_uint8 : mysql_append_int8;
        break;
    case MYSQL_TYPE_SHORT:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT16 : OSIRIS_TYPE_INT16;
        column->append = is_unsigned ? mysql_append_uint16 : mysql_append_int16;
        break;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT32 : OSIRIS_TYPE_INT32;
        column->append = is_unsigned ? mysql_append_uint32 : mysql_append_int32;
        break;
    default:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT64 : OSIRIS_TYPE_INT64;
        column->append = is_unsigned ? mysql_append_uint64 : mysql_append_int64;
    }
}

static void choose_decimal(const MYSQL_FIELD *field, struct osiris_field *out,
                           struct mysql_column *column)
{
    /* The length includes the sign and the point. */
    int32_t digits = (int32_t)field->length - (field->decimals > 0) -
                     ((field->flags & UNSIGNED_FLAG) == 0);

    if (digits < (int32_t)field->decimals)
        digits = (int32_t)field->decimals;
    if (digits < 1)
        digits = 1;
    out->precision = digits > 76 ? 76 : digits;
    out->scale = (int32_t)field->decimals;
    out->type = digits > 38 ? OSIRIS_TYPE_DECIMAL256 : OSIRIS_TYPE_DECIMAL128;
    column->scale = out->scale;
    column->append = mysql_append_decimal;
}

static void choose_bytes(const MYSQL_FIELD *field, struct osiris_field *out,
                         struct mysql_column *column)
{
    bool binary = field->charsetnr == BINARY_CHARSET && field->type != MYSQL_TYPE_JSON;

    out->type = binary ? OSIRIS_TYPE_BINARY : OSIRIS_TYPE_UTF8;
    column->append = mysql_append_bytes;
}

static void choose(int32_t type, struct osiris_field *out, struct mysql_column *column,
                   mysql_append *append)
{
    out->type = type;
    column->append = append;
}

/* False: an unknown type. */
static bool choose_type(const MYSQL_FIELD *field, struct osiris_field *out,
                        struct mysql_column *column)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        choose_integer(field, out, column);
        return true;
    case MYSQL_TYPE_YEAR:
        choose(OSIRIS_TYPE_UINT16, out, column, mysql_append_uint16);
        return true;
    case MYSQL_TYPE_FLOAT:
        choose(OSIRIS_TYPE_FLOAT, out, column, mysql_append_float);
        return true;
    case MYSQL_TYPE_DOUBLE:
        choose(OSIRIS_TYPE_DOUBLE, out, column, mysql_append_double);
        return true;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        choose_decimal(field, out, column);
        return true;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        choose(OSIRIS_TYPE_DATE32, out, column, mysql_append_date);
        return true;
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        out->zone = "UTC";
        choose(OSIRIS_TYPE_TIMESTAMP_US, out, column, mysql_append_timestamp);
        return true;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
        choose(OSIRIS_TYPE_TIMESTAMP_US, out, column, mysql_append_timestamp);
        return true;
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
        choose(OSIRIS_TYPE_DURATION_US, out, column, mysql_append_time);
        return true;
    case MYSQL_TYPE_BIT:
        choose(OSIRIS_TYPE_UINT64, out, column, mysql_append_bit);
        return true;
    case MYSQL_TYPE_NULL:
        choose(OSIRIS_TYPE_NULL, out, column, mysql_append_nothing);
        return true;
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_JSON:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
        choose_bytes(field, out, column);
        return true;
    case MYSQL_TYPE_GEOMETRY:
        choose(OSIRIS_TYPE_BINARY, out, column, mysql_append_geometry);
        return true;
    default:
        return false;
    }
}

/* The builder allocates room for all rows of a batch at once. */
static int64_t fitting_rows(const struct osiris_field *chosen, unsigned count, int64_t batch_rows,
                            size_t batch_bytes)
{
    size_t width = 1;

    for (unsigned i = 0; i < count; i++)
        width += osiris_type_size(chosen[i].type);
    int64_t fitting = (int64_t)(batch_bytes / width) + 1;
    return fitting < batch_rows ? fitting : batch_rows;
}

static int fill_columns(struct mysql_columns *columns, const struct osiris_host *host,
                        const MYSQL_FIELD *fields, struct osiris_field *chosen, int64_t batch_rows,
                        size_t batch_bytes)
{
    for (unsigned i = 0; i < columns->count; i++) {
        chosen[i].name = columns->items[i].name = fields[i].name;
        if (columns->tinyint1_is_boolean && is_tinyint1(&fields[i]))
            choose(OSIRIS_TYPE_BOOLEAN, &chosen[i], &columns->items[i], mysql_append_boolean);
        else if (!choose_type(&fields[i], &chosen[i], &columns->items[i]))
            return osiris_fail(host, OSIRIS_ERROR_DATA, 0, 0, NULL, "cast it in the query",
                               "the column \"%s\" is of the unknown type %d", fields[i].name,
                               (int)fields[i].type);
    }
    columns->builder =
        osiris_builder_new(chosen, columns->count,
                           fitting_rows(chosen, columns->count, batch_rows, batch_bytes));
    if (columns->builder == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    for (unsigned i = 0; i < columns->count; i++)
        columns->items[i].out = osiris_builder_column(columns->builder, i);
    return 0;
}

struct mysql_columns *mysql_columns_new(const struct osiris_host *host, const NET *net,
                                        const MYSQL_FIELD *fields, unsigned count,
                                        int64_t batch_rows, size_t batch_bytes)
{
    struct mysql_columns *columns = calloc(1, sizeof *columns);
    struct osiris_field *chosen = calloc(count + 1, sizeof *chosen);
    int result = -1;

    if (columns != NULL && chosen != NULL) {
        columns->items = calloc(count + 1, sizeof *columns->items);
        columns->count = count;
        columns->net = net;
        columns->tinyint1_is_boolean =
            host->get_boolean(host, OSIRIS_CONFIG, "tinyint1_as_boolean", 0) != 0;
        columns->bad_dates_fail =
            strcmp(host->get_string(host, OSIRIS_CONFIG, "zero_dates", "null"), "error") == 0;
    }
    if (columns == NULL || chosen == NULL || columns->items == NULL)
        osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    else
        result = fill_columns(columns, host, fields, chosen, batch_rows, batch_bytes);
    free(chosen);
    if (result == 0)
        return columns;
    mysql_columns_free(columns);
    return NULL;
}

void mysql_columns_free(struct mysql_columns *columns)
{
    if (columns == NULL)
        return;
    osiris_builder_free(columns->builder);
    free(columns->items);
    free(columns);
}

struct osiris_builder *mysql_columns_builder(struct mysql_columns *columns)
{
    return columns->builder;
}

void mysql_columns_set_room(struct mysql_columns *columns, struct mysql_room room)
{
    columns->room = room;
}

/* The buffer keeps the size of the largest row, but none of its content is needed after the row, so its pages can be freed. */
static __attribute__((cold, noinline)) void return_pages(const NET *net)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)net->buff + page - 1) / page * page;
    uintptr_t end = (uintptr_t)net->buff_end / page * page;

    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void mysql_columns_end_row(struct mysql_columns *columns)
{
    osiris_builder_end_row(columns->builder);
    if (columns->large_row == 0)
        return;
    columns->large_row = 0;
    return_pages(columns->net);
}

int mysql_columns_finish(struct mysql_columns *columns, struct ArrowArray *out)
{
    columns->rows_before += osiris_builder_rows(columns->builder);
    return osiris_builder_finish(columns->builder, out);
}

const char *mysql_columns_error(const struct mysql_columns *columns)
{
    return columns->error;
}

int64_t mysql_columns_bad_dates(const struct mysql_columns *columns)
{
    return columns->bad_dates;
}
