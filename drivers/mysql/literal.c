/* Values of key columns as SQL literals; see key.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"

#define MICROSECONDS INT64_C(1000000)
#define LONGEST_SCALAR 96 /* 76 digits, sign, point, leading zero */

/* Quoted texts and numbers consist of these characters only, so that no server can inject SQL into ours. */
static bool consists_of(const char *text, const char *allowed)
{
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

/* 0000-00-00, 2024-02-00 and 2023-02-30 can be compared, but have no literal that every sql_mode accepts. */
static bool is_real_date(const char *text)
{
    int year, month, day, length = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &length) != 3 || length != 10 ||
        year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int days = month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    return day <= days;
}

static bool add_quoted(struct sql *sql, const char *type, const char *text, const char *allowed)
{
    if (!consists_of(text, allowed))
        return false;
    sql_format(sql, "%s'%s'", type, text);
    return true;
}

static bool add_scalar(struct sql *sql, enum mysql_key_kind kind, const char *text)
{
    switch (kind) {
    case MYSQL_KEY_NUMBER:
        if (!consists_of(text, "-.0123456789"))
            return false;
        sql_add(sql, text);
        return true;
    case MYSQL_KEY_YEAR:
        /* Comparisons with the year 0 differ between servers: MySQL reads two digits as 20xx. */
        if (!consists_of(text, "0123456789") || atoi(text) < 1901)
            return false;
        sql_add(sql, text);
        return true;
    case MYSQL_KEY_DATE:
        return is_real_date(text) && add_quoted(sql, "DATE", text, "-0123456789");
    case MYSQL_KEY_DATETIME:
        return is_real_date(text) && add_quoted(sql, "TIMESTAMP", text, "-.: 0123456789");
    case MYSQL_KEY_TIME:
        return add_quoted(sql, "TIME", text, "-.:0123456789");
    case MYSQL_KEY_PLAIN:
        return add_quoted(sql, "", text, "-.:0123456789abcdefABCDEF");
    default:
        return false;
    }
}

bool mysql_add_literal(struct sql *sql, const struct mysql_key_column *column, const char *text)
{
    if (text == NULL)
        return false;
    if (column->kind != MYSQL_KEY_TEXT && column->kind != MYSQL_KEY_BYTES)
        return add_scalar(sql, column->kind, text);
    if (text[0] != '\0' && !consists_of(text, "0123456789ABCDEFabcdef"))
        return false;
    /* Such a literal adopts the column's collation. */
    if (column->kind == MYSQL_KEY_TEXT) {
        if (column->charset == NULL ||
            !consists_of(column->charset, "abcdefghijklmnopqrstuvwxyz0123456789"))
            return false;
        sql_format(sql, "_%s ", column->charset);
    }
    sql_format(sql, "x'%s'", text);
    return true;
}

bool mysql_key_column_comes_back(const struct mysql_key_column *column)
{
    static const char *const charsets[] = {"utf8mb4", "utf8mb3", "utf8",  "ascii",  "latin1",
                                           "ucs2",    "utf16",   "utf32", "utf16le"};

    if (column->kind != MYSQL_KEY_TEXT)
        return column->kind != MYSQL_KEY_UNUSABLE;
    for (size_t i = 0; column->charset != NULL && i < sizeof charsets / sizeof charsets[0]; i++)
        if (strcmp(column->charset, charsets[i]) == 0)
            return true;
    return false;
}

/* From Arrow. */

static bool is_null(const struct ArrowArray *array, int64_t at)
{
    const uint8_t *validity = array->buffers[0];

    return array->null_count != 0 && validity != NULL && (validity[at >> 3] >> (at & 7) & 1) == 0;
}

#define PRINT_INTEGER(ctype, format)                                                               \
    do {                                                                                           \
        ctype value;                                                                               \
        memcpy(&value, (const uint8_t *)array->buffers[1] + (size_t)at * sizeof value,             \
               sizeof value);                                                                      \
        snprintf(text, size, "%" format, value);                                                   \
        return true;                                                                               \
    } while (0)

static bool print_integer(const struct ArrowArray *array, char type, int64_t at, char *text,
                          size_t size)
{
    switch (type) {
    case 'c':
        PRINT_INTEGER(int8_t, PRId8);
    case 'C':
        PRINT_INTEGER(uint8_t, PRIu8);
    case 's':
        PRINT_INTEGER(int16_t, PRId16);
    case 'S':
        PRINT_INTEGER(uint16_t, PRIu16);
    case 'i':
        PRINT_INTEGER(int32_t, PRId32);
    case 'I':
        PRINT_INTEGER(uint32_t, PRIu32);
    case 'l':
        PRINT_INTEGER(int64_t, PRId64);
    case 'L':
        PRINT_INTEGER(uint64_t, PRIu64);
    default:
        return false;
    }
}

#undef PRINT_INTEGER

/* Divides a number of `count` 32-bit words by ten and returns the remainder: its lowest decimal digit. */
static uint32_t take_digit(uint32_t *words, size_t count)
{
    uint64_t rest = 0;

    for (size_t i = count; i-- > 0;) {
        uint64_t value = rest << 32 | words[i];
        words[i] = (uint32_t)(value / 10);
        rest = value % 10;
    }
    return (uint32_t)rest;
}

static bool is_zero(const uint32_t *words, size_t count)
{
    uint32_t all = 0;

    for (size_t i = 0; i < count; i++)
        all |= words[i];
    return all == 0;
}

static void negate(uint32_t *words, size_t count)
{
    uint64_t carry = 1;

    for (size_t i = 0; i < count; i++) {
        carry += (uint32_t)~words[i];
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* Writes the digits from the last to the first, with at least one before the point. */
static bool print_words(uint32_t *words, size_t count, int scale, bool negative, char *text,
                        size_t size)
{
    char digits[LONGEST_SCALAR];
    size_t start = sizeof digits;

    digits[--start] = '\0';
    for (int i = 0; i <= scale || !is_zero(words, count); i++) {
        if (start < 3)
            return false;
        if (i == scale && scale > 0)
            digits[--start] = '.';
        digits[--start] = (char)('0' + take_digit(words, count));
    }
    if (negative)
        digits[--start] = '-';
    return snprintf(text, size, "%s", digits + start) < (int)size;
}

/* d:precision,scale[,256] */
static bool print_decimal(const struct ArrowArray *array, const char *format, int64_t at, char *text,
                          size_t size)
{
    int precision, scale, bits = 128;
    uint32_t words[8];

    if (sscanf(format, "d:%d,%d,%d", &precision, &scale, &bits) < 2 ||
        (bits != 128 && bits != 256) || scale < 0 || scale > 76)
        return false;
    size_t count = (size_t)bits / 32;
    memcpy(words, (const uint8_t *)array->buffers[1] + (size_t)at * count * 4, count * 4);
    bool negative = words[count - 1] >> 31;
    if (negative)
        negate(words, count);
    return print_words(words, count, scale, negative, text, size);
}

/* A date from days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
static void print_days(int64_t days, char *text, size_t size)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;

    snprintf(text, size, "%04lld-%02lld-%02lld",
             (long long)(year_of_era + era * 400 + (month <= 2)), (long long)month,
             (long long)(day_of_year - (153 * shifted + 2) / 5 + 1));
}

static void print_time(int64_t time, char *text, size_t size)
{
    long long left = llabs(time);

    snprintf(text, size, "%s%02lld:%02lld:%02lld.%06lld", time < 0 ? "-" : "",
             left / (3600 * MICROSECONDS), left / (60 * MICROSECONDS) % 60,
             left / MICROSECONDS % 60, left % MICROSECONDS);
}

static void print_timestamp(int64_t value, char *text, size_t size)
{
    int64_t days = value / (86400 * MICROSECONDS), time = value % (86400 * MICROSECONDS);

    if (time < 0) {
        days--;
        time += 86400 * MICROSECONDS;
    }
    print_days(days, text, size);
    size_t length = strlen(text);
    text[length++] = ' ';
    print_time(time, text + length, size - length);
}

static int64_t get_int64(const struct ArrowArray *array, int64_t at)
{
    int64_t value;

    memcpy(&value, (const uint8_t *)array->buffers[1] + (size_t)at * sizeof value, sizeof value);
    return value;
}

static bool print_scalar(const struct ArrowArray *array, const char *format, int64_t at, char *text,
                         size_t size)
{
    int32_t days;

    if (format[1] == '\0')
        return print_integer(array, format[0], at, text, size);
    if (strncmp(format, "d:", 2) == 0)
        return print_decimal(array, format, at, text, size);
    if (strcmp(format, "tdD") == 0) {
        memcpy(&days, (const uint8_t *)array->buffers[1] + (size_t)at * sizeof days, sizeof days);
        print_days(days, text, size);
        return true;
    }
    if (strncmp(format, "tsu:", 4) == 0) {
        print_timestamp(get_int64(array, at), text, size);
        return true;
    }
    if (strcmp(format, "tDu") == 0) {
        print_time(get_int64(array, at), text, size);
        return true;
    }
    return false;
}

static bool add_bytes(struct sql *sql, const struct mysql_key_column *column, bool text,
                      const struct ArrowArray *array, int64_t at)
{
    int32_t ends[2];
    char plain[64];

    memcpy(ends, (const uint8_t *)array->buffers[1] + (size_t)at * sizeof ends[0], sizeof ends);
    const char *bytes = (const char *)array->buffers[2] + ends[0];
    size_t length = (size_t)(ends[1] - ends[0]);
    if (column->kind == MYSQL_KEY_PLAIN) {
        snprintf(plain, sizeof plain, "%.*s", length > 63 ? 63 : (int)length, bytes);
        return add_scalar(sql, column->kind, plain);
    }
    if (column->kind != (text ? MYSQL_KEY_TEXT : MYSQL_KEY_BYTES) ||
        !mysql_key_column_comes_back(column))
        return false;
    if (text)
        sql_add(sql, "_utf8mb4 ");
    sql_add_hex(sql, bytes, length);
    return true;
}

bool mysql_add_arrow_literal(struct sql *sql, const struct mysql_key_column *column,
                             const struct ArrowSchema *schema, const struct ArrowArray *array,
                             int64_t row)
{
    char text[LONGEST_SCALAR];
    int64_t at = array->offset + row;

    if (array->n_buffers < 2 || is_null(array, at))
        return false;
    if (strcmp(schema->format, "u") == 0 || strcmp(schema->format, "z") == 0)
        return add_bytes(sql, column, schema->format[0] == 'u', array, at);
    return print_scalar(array, schema->format, at, text, sizeof text) &&
           add_scalar(sql, column->kind, text);
}
