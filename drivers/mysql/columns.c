/*
 * From the binary protocol's values to Arrow columns; see mysql-driver.h. The row callback of libmariadb hands over each
 * column's raw bytes; a function chosen once a column decodes and appends them.
 * Formats: https://mariadb.com/kb/en/resultset-row/, "Binary Resultset Row".
 */
#include <stdio.h>
#include <stdlib.h>

#include "mysql-driver.h"

#define BINARY_CHARSET 63
#define MICROSECONDS INT64_C(1000000)

struct mysql_columns;

struct mysql_column {
    struct osiris_column *out;
    void (*append)(struct mysql_columns *columns, struct mysql_column *column,
                   unsigned char **row);
    int32_t scale;
    const char *name; /* the statement's */
};

struct mysql_columns {
    struct osiris_builder *builder;
    struct mysql_column *items;
    unsigned count;
    bool tinyint1_is_boolean, bad_dates_fail;
    int64_t bad_dates, rows_before; /* rows of the batches that are finished */
    const char *error;
    char text[512]; /* of an error that names its place */
    const NET *net; /* of the connection: its buffer holds the row */
};

/* libmariadb does not say where a row ends, but no row ends behind its buffer: a server that lies about lengths makes an
 * error, not a read of other memory. */
static bool has_bytes(struct mysql_columns *columns, unsigned char *const *row, uint64_t count)
{
    if (*row <= columns->net->buff_end && count <= (uint64_t)(columns->net->buff_end - *row))
        return true;
    columns->error = "the server sent a malformed row";
    return false;
}

/* Fixed sizes. Little-endian on the wire; memcpy and le…toh are one load on this side. */

#define APPEND_FIXED(name, wire_type, kit_name, ctype)                                             \
    static void append_##name(struct mysql_columns *columns, struct mysql_column *column,          \
                              unsigned char **row)                                                 \
    {                                                                                              \
        wire_type value;                                                                           \
        if (!has_bytes(columns, row, sizeof value)) {                                              \
            osiris_append_null(column->out);                                                       \
            return;                                                                                \
        }                                                                                          \
        memcpy(&value, *row, sizeof value);                                                        \
        *row += sizeof value;                                                                      \
        osiris_append_##kit_name(column->out, (ctype)value);                                       \
    }

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the binary protocol's integers are read as they are: a little-endian machine is needed"
#endif

APPEND_FIXED(int8, int8_t, int8, int8_t)
APPEND_FIXED(uint8, uint8_t, uint8, uint8_t)
APPEND_FIXED(int16, int16_t, int16, int16_t)
APPEND_FIXED(uint16, uint16_t, uint16, uint16_t)
APPEND_FIXED(int32, int32_t, int32, int32_t)
APPEND_FIXED(uint32, uint32_t, uint32, uint32_t)
APPEND_FIXED(int64, int64_t, int64, int64_t)
APPEND_FIXED(uint64, uint64_t, uint64, uint64_t)
APPEND_FIXED(float, float, float, float)
APPEND_FIXED(double, double, double, double)
APPEND_FIXED(boolean, int8_t, boolean, int)

/* Length-encoded. */

static size_t take_length(struct mysql_columns *columns, unsigned char **row)
{
    uint64_t length = 0;

    if (!has_bytes(columns, row, 1))
        return 0;
    unsigned char first = *(*row)++;
    size_t bytes = first < 251 ? 0 : first == 252 ? 2 : first == 253 ? 3 : 8;
    if (!has_bytes(columns, row, bytes))
        return 0;
    if (bytes == 0)
        length = first;
    else
        memcpy(&length, *row, bytes);
    *row += bytes;
    return has_bytes(columns, row, length) ? (size_t)length : 0;
}

static __attribute__((cold)) void fail_to_append(struct mysql_columns *columns,
                                                 struct mysql_column *column)
{
    columns->error = "a batch's text does not fit into 2 GiB, or memory is short; lower batch_size";
    osiris_append_null(column->out);
}

static void append_bytes(struct mysql_columns *columns, struct mysql_column *column,
                         unsigned char **row)
{
    size_t length = take_length(columns, row);

    if (osiris_append_bytes(column->out, *row, length) < 0)
        fail_to_append(columns, column);
    *row += length;
}

/* GEOMETRY: the SRID (4), then the well-known binary. */
static void append_geometry(struct mysql_columns *columns, struct mysql_column *column,
                            unsigned char **row)
{
    size_t length = take_length(columns, row);
    size_t prefix = length < 4 ? length : 4;

    if (osiris_append_bytes(column->out, *row + prefix, length - prefix) < 0)
        fail_to_append(columns, column);
    *row += length;
}

/* BIT(n): big-endian bytes. */
static void append_bit(struct mysql_columns *columns, struct mysql_column *column,
                       unsigned char **row)
{
    size_t length = take_length(columns, row);
    uint64_t value = 0;

    (void)columns;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | (*row)[i];
    *row += length;
    osiris_append_uint64(column->out, value);
}

/* Decimals come as text: [-]digits[.digits], with just the column's scale. */

/* words = words * 10^digits + value, as one number of `count` words. */
static void multiply_add(uint64_t *words, size_t count, uint64_t factor, uint64_t value)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t carry = value;

    for (size_t i = 0; i < count; i++) {
        wide product = (wide)words[i] * factor + carry;
        words[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
}

static void negate(uint64_t *words, size_t count)
{
    uint64_t carry = 1;

    for (size_t i = 0; i < count; i++) {
        words[i] = ~words[i] + carry;
        carry = carry && words[i] == 0;
    }
}

/* Eighteen digits at a time into a word, then into the number: most decimals are done with one go. */
static bool parse_decimal(const unsigned char *text, size_t length, int32_t scale, uint64_t *words,
                          size_t count)
{
    static const uint64_t powers[] = {1,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      UINT64_C(10000000000),
                                      UINT64_C(100000000000),
                                      UINT64_C(1000000000000),
                                      UINT64_C(10000000000000),
                                      UINT64_C(100000000000000),
                                      UINT64_C(1000000000000000),
                                      UINT64_C(10000000000000000),
                                      UINT64_C(100000000000000000),
                                      UINT64_C(1000000000000000000)};
    bool negative = length > 0 && text[0] == '-';
    bool behind_point = false;
    int32_t decimals = 0;
    uint64_t part = 0;
    unsigned digits = 0;

    for (size_t i = negative; i < length; i++) {
        unsigned char digit = (unsigned char)(text[i] - '0');
        if (digit > 9) {
            if (text[i] != '.' || behind_point)
                return false;
            behind_point = true;
            continue;
        }
        decimals += behind_point;
        part = part * 10 + digit;
        if (++digits == 18) {
            multiply_add(words, count, powers[18], part);
            part = 0;
            digits = 0;
        }
    }
    multiply_add(words, count, powers[digits], part);
    for (; decimals < scale; decimals++)
        multiply_add(words, count, 10, 0);
    if (negative)
        negate(words, count);
    return decimals == scale;
}

static void append_decimal(struct mysql_columns *columns, struct mysql_column *column,
                           unsigned char **row)
{
    size_t length = take_length(columns, row);
    uint64_t words[4] = {0};

    if (parse_decimal(*row, length, column->scale, words, column->out->value_size / 8)) {
        osiris_append_decimal(column->out, words);
    } else {
        columns->error = "the server sent a decimal that does not fit its column's type";
        osiris_append_null(column->out);
    }
    *row += length;
}

/* Dates and times: a length, then year (2), month, day, hour, minute, second, microseconds (4). */

/* Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", days_from_civil). */
static int32_t days_from_civil(int32_t year, uint32_t month, uint32_t day)
{
    year -= month <= 2;
    int32_t era = (year >= 0 ? year : year - 399) / 400;
    uint32_t year_of_era = (uint32_t)(year - era * 400);
    uint32_t day_of_year = (153 * (month + (month > 2 ? (uint32_t)-3 : 9)) + 2) / 5 + day - 1;
    uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + (int32_t)day_of_era - 719468;
}

/* Of the months whose days differ from 31; only days above 28 come here. */
static __attribute__((noinline)) bool is_in_month(uint32_t year, uint32_t month, uint32_t day)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month == 2)
        return day == 29 && leap;
    return day <= (month == 4 || month == 6 || month == 9 || month == 11 ? 30u : 31u);
}

/* False for a date that does not exist: 0000-00-00, 2024-02-00, and 2023-02-30, which sql_mode ALLOW_INVALID_DATES lets
 * in. */
static bool take_date(const unsigned char *bytes, size_t length, int32_t *days)
{
    uint16_t year;

    if (length < 4)
        return false;
    memcpy(&year, bytes, sizeof year);
    if (bytes[2] == 0 || bytes[3] == 0 ||
        (bytes[3] > 28 && !is_in_month(year, bytes[2], bytes[3])))
        return false;
    *days = days_from_civil(year, bytes[2], bytes[3]);
    return true;
}

static int64_t take_time(const unsigned char *bytes, size_t length)
{
    uint32_t micros = 0;

    if (length < 3)
        return 0;
    if (length >= 7)
        memcpy(&micros, bytes + 3, sizeof micros);
    return ((int64_t)bytes[0] * 3600 + bytes[1] * 60 + bytes[2]) * MICROSECONDS + micros;
}

/* What take_date refused: NULL and counted, or an error. */
static __attribute__((cold, noinline)) void append_bad_date(struct mysql_columns *columns,
                                                            struct mysql_column *column,
                                                            const unsigned char *bytes,
                                                            size_t length)
{
    uint16_t year = 0;

    if (columns->bad_dates_fail && columns->error == NULL) {
        if (length >= 4)
            memcpy(&year, bytes, sizeof year);
        snprintf(columns->text, sizeof columns->text,
                 "row %lld, column \"%.200s\": the date %04u-%02u-%02u does not exist; set zero_dates "
                 "to \"null\", or leave such rows out",
                 (long long)(columns->rows_before + column->out->length + 1), column->name, year,
                 length >= 4 ? bytes[2] : 0u, length >= 4 ? bytes[3] : 0u);
        columns->error = columns->text;
    }
    columns->bad_dates++;
    osiris_append_null(column->out);
}

static void append_date(struct mysql_columns *columns, struct mysql_column *column,
                        unsigned char **row)
{
    size_t length = take_length(columns, row);
    int32_t days;

    if (take_date(*row, length, &days)) {
        osiris_append_date32(column->out, days);
    } else {
        append_bad_date(columns, column, *row, length);
    }
    *row += length;
}

static void append_timestamp(struct mysql_columns *columns, struct mysql_column *column,
                             unsigned char **row)
{
    size_t length = take_length(columns, row);
    int32_t days;

    if (take_date(*row, length, &days)) {
        int64_t time = length > 4 ? take_time(*row + 4, length - 4) : 0;
        osiris_append_timestamp(column->out, (int64_t)days * 86400 * MICROSECONDS + time);
    } else {
        append_bad_date(columns, column, *row, length);
    }
    *row += length;
}

/* TIME is a duration: from -838:59:59 to 838:59:59. Sign (1), days (4), hour, minute, second, microseconds (4). */
static void append_time(struct mysql_columns *columns, struct mysql_column *column,
                        unsigned char **row)
{
    size_t length = take_length(columns, row);
    int64_t value = 0;

    (void)columns;
    if (length >= 8) {
        uint32_t days;
        memcpy(&days, *row + 1, sizeof days);
        value = (int64_t)days * 86400 * MICROSECONDS + take_time(*row + 5, length - 5);
        if ((*row)[0] != 0)
            value = -value;
    }
    osiris_append_duration(column->out, value);
    *row += length;
}

static void append_nothing(struct mysql_columns *columns, struct mysql_column *column,
                           unsigned char **row)
{
    (void)columns;
    (void)row;
    osiris_append_null(column->out);
}

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

/* MySQL's BOOLEAN is TINYINT(1); the width is all that tells it from a number. */
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
        column->append = is_unsigned ? append_uint8 : append_int8;
        break;
    case MYSQL_TYPE_SHORT:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT16 : OSIRIS_TYPE_INT16;
        column->append = is_unsigned ? append_uint16 : append_int16;
        break;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT32 : OSIRIS_TYPE_INT32;
        column->append = is_unsigned ? append_uint32 : append_int32;
        break;
    default:
        out->type = is_unsigned ? OSIRIS_TYPE_UINT64 : OSIRIS_TYPE_INT64;
        column->append = is_unsigned ? append_uint64 : append_int64;
    }
}

static void choose_decimal(const MYSQL_FIELD *field, struct osiris_field *out,
                           struct mysql_column *column)
{
    /* The length counts the sign and the point, too. */
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
    column->append = append_decimal;
}

static void choose_bytes(const MYSQL_FIELD *field, struct osiris_field *out,
                         struct mysql_column *column)
{
    bool binary = field->charsetnr == BINARY_CHARSET && field->type != MYSQL_TYPE_JSON;

    out->type = binary ? OSIRIS_TYPE_BINARY : OSIRIS_TYPE_UTF8;
    column->append = append_bytes;
}

static void choose(int32_t type, struct osiris_field *out, struct mysql_column *column,
                   void (*append)(struct mysql_columns *, struct mysql_column *, unsigned char **))
{
    out->type = type;
    column->append = append;
}

/* False: a type that is not known. */
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
        choose(OSIRIS_TYPE_UINT16, out, column, append_uint16);
        return true;
    case MYSQL_TYPE_FLOAT:
        choose(OSIRIS_TYPE_FLOAT, out, column, append_float);
        return true;
    case MYSQL_TYPE_DOUBLE:
        choose(OSIRIS_TYPE_DOUBLE, out, column, append_double);
        return true;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        choose_decimal(field, out, column);
        return true;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        choose(OSIRIS_TYPE_DATE32, out, column, append_date);
        return true;
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
        out->zone = "UTC";
        choose(OSIRIS_TYPE_TIMESTAMP_US, out, column, append_timestamp);
        return true;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
        choose(OSIRIS_TYPE_TIMESTAMP_US, out, column, append_timestamp);
        return true;
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
        choose(OSIRIS_TYPE_DURATION_US, out, column, append_time);
        return true;
    case MYSQL_TYPE_BIT:
        choose(OSIRIS_TYPE_UINT64, out, column, append_bit);
        return true;
    case MYSQL_TYPE_NULL:
        choose(OSIRIS_TYPE_NULL, out, column, append_nothing);
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
        choose(OSIRIS_TYPE_BINARY, out, column, append_geometry);
        return true;
    default:
        return false;
    }
}

/* The builder takes room for all rows of a batch at once, and a batch ends at MYSQL_BATCH_BYTES anyway. */
static int64_t fitting_rows(const struct osiris_field *chosen, unsigned count, int64_t batch_rows)
{
    size_t width = 1;

    for (unsigned i = 0; i < count; i++)
        width += osiris_type_size(chosen[i].type);
    int64_t fitting = (int64_t)(MYSQL_BATCH_BYTES / width) + 1;
    return fitting < batch_rows ? fitting : batch_rows;
}

static int fill_columns(struct mysql_columns *columns, const struct osiris_host *host,
                        const MYSQL_FIELD *fields, struct osiris_field *chosen, int64_t batch_rows)
{
    for (unsigned i = 0; i < columns->count; i++) {
        chosen[i].name = columns->items[i].name = fields[i].name;
        if (columns->tinyint1_is_boolean && is_tinyint1(&fields[i]))
            choose(OSIRIS_TYPE_BOOLEAN, &chosen[i], &columns->items[i], append_boolean);
        else if (!choose_type(&fields[i], &chosen[i], &columns->items[i]))
            return osiris_fail(host, OSIRIS_ERROR_DATA, 0, 0, NULL, "cast it in the query",
                               "the column \"%s\" is of the unknown type %d", fields[i].name,
                               (int)fields[i].type);
    }
    columns->builder = osiris_builder_new(chosen, columns->count,
                                          fitting_rows(chosen, columns->count, batch_rows));
    if (columns->builder == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    for (unsigned i = 0; i < columns->count; i++)
        columns->items[i].out = osiris_builder_column(columns->builder, i);
    return 0;
}

struct mysql_columns *mysql_columns_new(const struct osiris_host *host, const NET *net,
                                        const MYSQL_FIELD *fields, unsigned count,
                                        int64_t batch_rows)
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
        result = fill_columns(columns, host, fields, chosen, batch_rows);
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
