/*
 * From the binary protocol's values to Arrow columns; see values.h.
 * Formats: https://mariadb.com/kb/en/resultset-row/, "Binary Resultset Row".
 */
#include "values.h"

#include <stdio.h>

#define MICROSECONDS INT64_C(1000000)

/* libmariadb does not report where a row ends, but no row extends beyond its buffer: a server with wrong lengths causes an
 * error, not an out-of-bounds read. */
static bool has_bytes(struct mysql_columns *columns, unsigned char *const *row, uint64_t count)
{
    if (*row <= columns->net->buff_end && count <= (uint64_t)(columns->net->buff_end - *row))
        return true;
    columns->error = "the server sent a malformed row";
    return false;
}

/* Fixed sizes. Little-endian on the wire; memcpy and le…toh are one load on this side. */

#define APPEND_FIXED(name, wire_type, kit_name, ctype)                                             \
    void mysql_append_##name(struct mysql_columns *columns, struct mysql_column *column,           \
                             unsigned char **row)                                                  \
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
    columns->error = "the text of a batch exceeds 2 GiB, or memory is insufficient; lower batch_size";
    osiris_append_null(column->out);
}

/* The row in the connection's buffer is large: it is copied when there is room. If the reading was
 * stopped, it is not copied. */
static __attribute__((cold, noinline)) bool has_room(struct mysql_columns *columns, size_t row_bytes)
{
    columns->large_row = row_bytes;
    return columns->room.wait == NULL ||
           columns->room.wait(columns->room.owner,
                              osiris_builder_bytes(columns->builder) + row_bytes);
}

static void append_behind(struct mysql_columns *columns, struct mysql_column *column,
                          unsigned char **row, size_t skipped)
{
    size_t length = take_length(columns, row);
    size_t row_bytes = (size_t)(*row - columns->net->buff) + length;

    skipped = length < skipped ? length : skipped;
    if (row_bytes > MYSQL_LARGE_ROW && !has_room(columns, row_bytes))
        osiris_append_null(column->out);
    else if (osiris_append_bytes(column->out, *row + skipped, length - skipped) < 0)
        fail_to_append(columns, column);
    *row += length;
}

void mysql_append_bytes(struct mysql_columns *columns, struct mysql_column *column,
                        unsigned char **row)
{
    append_behind(columns, column, row, 0);
}

/* GEOMETRY: the SRID (4), then the well-known binary. */
void mysql_append_geometry(struct mysql_columns *columns, struct mysql_column *column,
                           unsigned char **row)
{
    append_behind(columns, column, row, 4);
}

/* BIT(n): big-endian bytes. */
void mysql_append_bit(struct mysql_columns *columns, struct mysql_column *column,
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

/* Decimals arrive as text: [-]digits[.digits], with exactly the column's scale. */

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

/* Eighteen digits at a time into a word, then into the number: most decimals need one pass. */
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

void mysql_append_decimal(struct mysql_columns *columns, struct mysql_column *column,
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

/* For months that do not have 31 days; called only for days above 28. */
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

/* Handles what take_date refused: NULL and counted, or an error. */
static __attribute__((cold, noinline)) void append_bad_date(struct mysql_columns *columns,
                                                            struct mysql_column *column,
                                                            const unsigned char *bytes,
                                                            size_t length)
{
    uint16_t year = 0;

    osiris_append_null(column->out);
    if (!columns->bad_dates_fail) {
        columns->bad_dates++;
        return;
    }
    if (columns->error == NULL) {
        if (length >= 4)
            memcpy(&year, bytes, sizeof year);
        snprintf(columns->text, sizeof columns->text,
                 "row %lld, column \"%.200s\": the date %04u-%02u-%02u does not exist; set zero_dates "
                 "to \"null\", or exclude such rows",
                 (long long)(columns->rows_before + column->out->length), column->name, year,
                 length >= 4 ? bytes[2] : 0u, length >= 4 ? bytes[3] : 0u);
        columns->error = columns->text;
    }
}

void mysql_append_date(struct mysql_columns *columns, struct mysql_column *column,
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

void mysql_append_timestamp(struct mysql_columns *columns, struct mysql_column *column,
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
void mysql_append_time(struct mysql_columns *columns, struct mysql_column *column,
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

void mysql_append_nothing(struct mysql_columns *columns, struct mysql_column *column,
                          unsigned char **row)
{
    (void)columns;
    (void)row;
    osiris_append_null(column->out);
}
