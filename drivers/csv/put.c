/*
 * Values of bounded width as text: one function for each type, chosen once for each column.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calendar.h"
#include "field.h"
#include "report.h"
#include "shortest.h"

static char *put_boolean(struct csv_field *field, int64_t index, char *at)
{
    const uint8_t *bits = field->values;
    if (bits[index >> 3] >> (index & 7) & 1) {
        memcpy(at, "True", 4);
        return at + 4;
    }
    memcpy(at, "False", 5);
    return at + 5;
}

#define DEFINE_INTEGER(name, type, put)                                                            \
    static char *name(struct csv_field *field, int64_t index, char *at)                            \
    {                                                                                              \
        return put(at, ((const type *)field->values)[index]);                                      \
    }
DEFINE_INTEGER(put_int8, int8_t, csv_put_signed)
DEFINE_INTEGER(put_uint8, uint8_t, csv_put_unsigned)
DEFINE_INTEGER(put_int16, int16_t, csv_put_signed)
DEFINE_INTEGER(put_uint16, uint16_t, csv_put_unsigned)
DEFINE_INTEGER(put_int32, int32_t, csv_put_signed)
DEFINE_INTEGER(put_uint32, uint32_t, csv_put_unsigned)
DEFINE_INTEGER(put_int64, int64_t, csv_put_signed)
DEFINE_INTEGER(put_uint64, uint64_t, csv_put_unsigned)

static char *put_half(struct csv_field *field, int64_t index, char *at)
{
    return csv_put_half(at, ((const uint16_t *)field->values)[index]);
}

static char *put_float(struct csv_field *field, int64_t index, char *at)
{
    return csv_put_float(at, ((const float *)field->values)[index]);
}

static char *put_double(struct csv_field *field, int64_t index, char *at)
{
    return csv_put_double(at, ((const double *)field->values)[index]);
}

/* Inserts the decimal point into digits that end at `end`; there are more than `scale` of them. */
static char *put_point(char *end, int scale)
{
    char *point = end - scale;
    if (scale <= 16) {
        char moved[16];
        memcpy(moved, point, sizeof moved);
        memcpy(point + 1, moved, sizeof moved);
    } else {
        memmove(point + 1, point, (size_t)scale);
    }
    *point = '.';
    return end + 1;
}

/* Scales the unsigned digits of a decimal in `at`..`end`, in place. */
static char *put_scale(char *at, char *end, int scale)
{
    if (scale < 0) {
        if (*at == '0')
            return end;
        memset(end, '0', (size_t)-scale);
        return end - scale;
    }
    ptrdiff_t missing = scale + 1 - (end - at);
    if (missing > 0) {
        memmove(at + missing, at, (size_t)(end - at));
        memset(at, '0', (size_t)missing);
        end += missing;
    }
    return scale == 0 ? end : put_point(end, scale);
}

static char *put_decimal64(char *at, int64_t value, int scale)
{
    *at = '-';
    at += value < 0;
    char *end = csv_put_unsigned(at, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    return put_scale(at, end, scale);
}

/* Decimals beyond 64 bits: the magnitude, low word first, is split into blocks of 18 digits. */
static char *put_decimal_words(char *at, const uint64_t *value, int words, int scale)
{
    __extension__ typedef unsigned __int128 wide;
    const uint64_t block = 1000000000000000000u;
    uint64_t magnitude[4], blocks[5];
    bool negative = value[words - 1] >> 63;
    uint64_t carry = negative;
    for (int i = 0; i < words; i++) {
        magnitude[i] = negative ? ~value[i] + carry : value[i];
        carry = carry && magnitude[i] == 0;
    }
    int count = 0;
    do {
        uint64_t remainder = 0;
        for (int i = words - 1; i >= 0; i--) {
            wide dividend = ((wide)remainder << 64) | magnitude[i];
            magnitude[i] = (uint64_t)(dividend / block);
            remainder = (uint64_t)(dividend % block);
        }
        blocks[count++] = remainder;
        while (words > 0 && magnitude[words - 1] == 0)
            words--;
    } while (words > 0);

    *at = '-';
    at += negative;
    char *end = csv_put_unsigned(at, blocks[--count]);
    while (count > 0) {
        uint64_t digits = blocks[--count];
        end = csv_put_two(end, (unsigned)(digits / 10000000000000000u));
        digits %= 10000000000000000u;
        end = csv_put_eight(end, (uint32_t)(digits / 100000000));
        end = csv_put_eight(end, (uint32_t)(digits % 100000000));
    }
    return put_scale(at, end, scale);
}

static char *put_decimal(struct csv_field *field, int64_t index, char *at)
{
    if (field->bits == 32)
        return put_decimal64(at, ((const int32_t *)field->values)[index], field->scale);
    if (field->bits == 64)
        return put_decimal64(at, ((const int64_t *)field->values)[index], field->scale);

    uint64_t words[4];
    int count = field->bits / 64;
    memcpy(words, (const char *)field->values + (size_t)index * (size_t)count * 8,
           (size_t)count * 8);
    return put_decimal_words(at, words, count, field->scale);
}

static char *put_decimal128(struct csv_field *field, int64_t index, char *at)
{
    uint64_t words[2];
    memcpy(words, (const char *)field->values + (size_t)index * 16, sizeof words);
    if ((int64_t)words[1] == (int64_t)words[0] >> 63)
        return put_decimal64(at, (int64_t)words[0], field->scale);
    return put_decimal_words(at, words, 2, field->scale);
}

static inline char *put_cached_day(struct csv_field *field, int64_t day, char *at)
{
    if (day != field->cached_day || field->cached_size == 0) {
        field->cached_day = day;
        field->cached_size = (size_t)(csv_put_day(field->cached_text, day) - field->cached_text);
    }
    memcpy(at, field->cached_text, CSV_DAY_WIDTH);
    return at + field->cached_size;
}

static char *put_date32(struct csv_field *field, int64_t index, char *at)
{
    return put_cached_day(field, ((const int32_t *)field->values)[index], at);
}

static char *put_date64(struct csv_field *field, int64_t index, char *at)
{
    int64_t milliseconds = ((const int64_t *)field->values)[index];
    return put_cached_day(field, csv_floor_divide(milliseconds, 86400000), at);
}

static inline char *put_instant(struct csv_field *field, int64_t index, int64_t per_second,
                                char *at)
{
    int64_t value = ((const int64_t *)field->values)[index];
    int64_t seconds = csv_floor_divide(value, per_second);
    /* Unsigned: the floor of the least value times its divisor is out of the range of int64_t. */
    uint32_t fraction = (uint32_t)((uint64_t)value - (uint64_t)seconds * (uint64_t)per_second);
    int64_t day = csv_floor_divide(seconds, 86400);
    at = put_cached_day(field, day, at);
    *at++ = ' ';
    at = csv_put_clock(at, (uint64_t)seconds - (uint64_t)day * 86400);
    at = csv_put_fraction(at, fraction, per_second);
    if (field->zoned) {
        memcpy(at, "+00:00", 6);
        at += 6;
    }
    return at;
}

/* Constant units, so that the divisions become multiplications. */
#define DEFINE_INSTANT(name, per_second)                                                           \
    static char *name(struct csv_field *field, int64_t index, char *at)                            \
    {                                                                                              \
        return put_instant(field, index, per_second, at);                                          \
    }
DEFINE_INSTANT(put_timestamp_s, 1)
DEFINE_INSTANT(put_timestamp_ms, 1000)
DEFINE_INSTANT(put_timestamp_us, 1000000)
DEFINE_INSTANT(put_timestamp_ns, 1000000000)

static char *put_time32(struct csv_field *field, int64_t index, char *at)
{
    return csv_put_span(at, ((const int32_t *)field->values)[index], field->per_second);
}

static char *put_time64(struct csv_field *field, int64_t index, char *at)
{
    return csv_put_span(at, ((const int64_t *)field->values)[index], field->per_second);
}

/* A calendar interval as an ISO 8601 duration: P14M, P-3DT1.500000S. Parts are not converted
 * into one another, because months and days have no fixed length. */
static char *put_parts(char *at, int32_t months, int32_t days, int64_t clock, int64_t per_second)
{
    uint64_t magnitude = clock < 0 ? 0 - (uint64_t)clock : (uint64_t)clock;
    *at++ = 'P';
    if (months != 0) {
        at = csv_put_signed(at, months);
        *at++ = 'M';
    }
    if (days != 0 || (months == 0 && clock == 0)) {
        at = csv_put_signed(at, days);
        *at++ = 'D';
    }
    if (clock == 0)
        return at;
    *at++ = 'T';
    *at = '-';
    at += clock < 0;
    at = csv_put_unsigned(at, magnitude / (uint64_t)per_second);
    at = csv_put_fraction(at, (uint32_t)(magnitude % (uint64_t)per_second), per_second);
    *at++ = 'S';
    return at;
}

static char *put_months(struct csv_field *field, int64_t index, char *at)
{
    return put_parts(at, ((const int32_t *)field->values)[index], 0, 0, 1);
}

static char *put_day_time(struct csv_field *field, int64_t index, char *at)
{
    const int32_t *parts = (const int32_t *)field->values + 2 * index;
    return put_parts(at, 0, parts[0], parts[1], 1000);
}

static char *put_month_day_nano(struct csv_field *field, int64_t index, char *at)
{
    struct {
        int32_t months;
        int32_t days;
        int64_t nanoseconds;
    } value;
    memcpy(&value, (const char *)field->values + (size_t)index * sizeof value, sizeof value);
    return put_parts(at, value.months, value.days, value.nanoseconds, 1000000000);
}

struct fixed_type {
    const char *format;
    csv_put put;
    enum csv_class class;
    size_t width;
    int64_t per_second;
};

#define INTERVAL_WIDTH (1 + 12 + 12 + 2 + 11 + 10 + 1)
#define INSTANT_WIDTH (CSV_DAY_WIDTH + 1 + 8 + 10 + 6)

static const struct fixed_type fixed_types[] = {
    {"b", put_boolean, CSV_CLASS_BOOLEAN, 5, 0},
    {"c", put_int8, CSV_CLASS_NUMBER, 4, 0},
    {"C", put_uint8, CSV_CLASS_NUMBER, 3, 0},
    {"s", put_int16, CSV_CLASS_NUMBER, 6, 0},
    {"S", put_uint16, CSV_CLASS_NUMBER, 5, 0},
    {"i", put_int32, CSV_CLASS_NUMBER, 11, 0},
    {"I", put_uint32, CSV_CLASS_NUMBER, 10, 0},
    {"l", put_int64, CSV_CLASS_NUMBER, 20, 0},
    {"L", put_uint64, CSV_CLASS_NUMBER, 20, 0},
    {"e", put_half, CSV_CLASS_FLOAT, CSV_FLOAT_WIDTH, 0},
    {"f", put_float, CSV_CLASS_FLOAT, CSV_FLOAT_WIDTH, 0},
    {"g", put_double, CSV_CLASS_FLOAT, CSV_FLOAT_WIDTH, 0},
    {"tdD", put_date32, CSV_CLASS_STRING, CSV_DAY_WIDTH, 0},
    {"tdm", put_date64, CSV_CLASS_STRING, CSV_DAY_WIDTH, 0},
    {"tts", put_time32, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1},
    {"ttm", put_time32, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000},
    {"ttu", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000000},
    {"ttn", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000000000},
    {"tDs", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1},
    {"tDm", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000},
    {"tDu", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000000},
    {"tDn", put_time64, CSV_CLASS_STRING, CSV_SPAN_WIDTH, 1000000000},
    {"tiM", put_months, CSV_CLASS_STRING, INTERVAL_WIDTH, 0},
    {"tiD", put_day_time, CSV_CLASS_STRING, INTERVAL_WIDTH, 0},
    {"tin", put_month_day_nano, CSV_CLASS_STRING, INTERVAL_WIDTH, 0},
    {"tss:", put_timestamp_s, CSV_CLASS_STRING, INSTANT_WIDTH, 1},
    {"tsm:", put_timestamp_ms, CSV_CLASS_STRING, INSTANT_WIDTH, 1000},
    {"tsu:", put_timestamp_us, CSV_CLASS_STRING, INSTANT_WIDTH, 1000000},
    {"tsn:", put_timestamp_ns, CSV_CLASS_STRING, INSTANT_WIDTH, 1000000000},
};

/* "d:precision,scale[,bits]" */
static int choose_decimal(struct csv_field *field, const char *format)
{
    int precision, scale, bits = 128, used = 0;
    int count = sscanf(format, "d:%4d,%5d%n,%4d%n", &precision, &scale, &used, &bits, &used);
    if (count < 2 || format[used] != '\0' || precision < 1 || precision > 76 || scale < -128 ||
        scale > 127 || (bits != 32 && bits != 64 && bits != 128 && bits != 256))
        return csv_fail(field->context->host, OSIRIS_ERROR_DATA, 0, NULL,
                        "column \"%s\": \"%s\" is not a decimal type", field->name, format);
    field->put = bits == 128 ? put_decimal128 : put_decimal;
    field->bits = bits;
    field->scale = scale;
    field->class = CSV_CLASS_NUMBER;
    /* 78 digits of 256 bits, or scale + 1 if that is more, zeros of a negative scale, sign, point.
     */
    field->width = 78 + (size_t)abs(scale) + 3;
    return 0;
}

int csv_put_choose(struct csv_field *field, const char *format)
{
    field->kind = CSV_FIXED;
    strncpy(field->type, format, sizeof field->type - 1);
    if (format[0] == 'd')
        return choose_decimal(field, format);
    for (size_t i = 0; i < sizeof fixed_types / sizeof fixed_types[0]; i++) {
        const struct fixed_type *type = &fixed_types[i];
        size_t size = strlen(type->format);
        bool takes_zone = type->format[size - 1] == ':';
        if (takes_zone ? strncmp(format, type->format, size) != 0
                       : strcmp(format, type->format) != 0)
            continue;
        field->put = type->put;
        field->class = type->class;
        field->width = type->width;
        field->per_second = type->per_second;
        field->zoned = takes_zone && format[size] != '\0';
        return 0;
    }
    return 1;
}
