/*
 * Formats of columns; see format.h.
 */
#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "format.h"
#include "shortest.h"

static char *put_boolean(struct csv_field *field, int64_t index, char *at)
{
    const struct csv_options *options = field->context->options;
    const uint8_t *bits = field->values;
    bool value = bits[index >> 3] >> (index & 7) & 1;
    const struct csv_word *word = value ? &options->true_text : &options->false_text;
    memcpy(at, word->data, word->size);
    return at + word->size;
}

/* The value of an IEEE 754 binary16. */
static double half_value(uint16_t bits)
{
    double fraction = bits & 0x3ff, scale = 1.0 / (1 << 24);
    int biased = (bits >> 10) & 0x1f;
    if (biased == 0x1f)
        return (bits >> 15 ? -1 : 1) * (fraction == 0 ? __builtin_inf() : __builtin_nan(""));
    if (biased > 0) {
        fraction += 1 << 10;
        scale *= (double)(UINT32_C(1) << (biased - 1));
    }
    return (bits >> 15 ? -1 : 1) * fraction * scale;
}

static double number_at(const struct csv_field *field, int64_t index)
{
    switch (field->type[0]) {
    case 'e':
        return half_value(((const uint16_t *)field->values)[index]);
    case 'f':
        return ((const float *)field->values)[index];
    default:
        return ((const double *)field->values)[index];
    }
}

static int print_number(char *at, char conversion, int precision, double value)
{
    const size_t size = CSV_FIELD_WIDTH_MAX;
    switch (conversion) {
    case 'e':
        return snprintf(at, size, "%.*e", precision, value);
    case 'E':
        return snprintf(at, size, "%.*E", precision, value);
    case 'f':
        return snprintf(at, size, "%.*f", precision, value);
    case 'F':
        return snprintf(at, size, "%.*F", precision, value);
    case 'g':
        return snprintf(at, size, "%.*g", precision, value);
    default:
        return snprintf(at, size, "%.*G", precision, value);
    }
}

/* Like printf, which rounds the exact value half to even. A NaN has no text. The run has set the C
 * locale. */
static char *put_number(struct csv_field *field, int64_t index, char *at)
{
    const struct csv_float_format *format = &field->context->options->float_format;
    double value = number_at(field, index);
    return value != value ? at
                          : at + print_number(at, format->conversion, format->precision, value);
}

static char *put_date(struct csv_field *field, int64_t index, char *at)
{
    struct csv_moment moment = {
        .day = field->type[2] == 'D'
                   ? ((const int32_t *)field->values)[index]
                   : csv_floor_divide(((const int64_t *)field->values)[index], 86400000)};
    return csv_moment_put(&field->context->options->date_format, &moment, at);
}

static uint32_t nanoseconds(int64_t fraction, int64_t per_second)
{
    return (uint32_t)fraction * (uint32_t)(1000000000 / per_second);
}

static char *put_timestamp(struct csv_field *field, int64_t index, char *at)
{
    int64_t value = ((const int64_t *)field->values)[index];
    int64_t seconds = csv_floor_divide(value, field->per_second);
    struct csv_moment moment = {.day = csv_floor_divide(seconds, 86400), .zoned = field->zoned};
    /* Unsigned: the floor of the least value times its divisor is out of the range of int64_t. */
    moment.second = (uint32_t)((uint64_t)seconds - (uint64_t)moment.day * 86400);
    moment.nanosecond =
        nanoseconds((int64_t)((uint64_t)value - (uint64_t)seconds * (uint64_t)field->per_second),
                    field->per_second);
    return csv_moment_put(&field->context->options->timestamp_format, &moment, at);
}

/* A time of day. One outside the day, which the type should not have, keeps its default text. */
static char *put_time(struct csv_field *field, int64_t index, char *at)
{
    bool narrow = field->type[2] == 's' || field->type[2] == 'm';
    int64_t value =
        narrow ? ((const int32_t *)field->values)[index] : ((const int64_t *)field->values)[index];
    if (value < 0 || value / field->per_second >= 86400)
        return csv_put_span(at, value, field->per_second);
    struct csv_moment moment = {.second = (uint32_t)(value / field->per_second),
                                .nanosecond =
                                    nanoseconds(value % field->per_second, field->per_second)};
    return csv_moment_put(&field->context->options->time_format, &moment, at);
}

static bool choose(struct csv_field *field, csv_put put, size_t width)
{
    field->put = put;
    field->width = width;
    return true;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool choose_boolean(struct csv_field *field)
{
    const struct csv_word *yes = &field->context->options->true_text;
    const struct csv_word *no = &field->context->options->false_text;
    if (strcmp(yes->data, "True") == 0 && strcmp(no->data, "False") == 0)
        return false;
    return choose(field, put_boolean, larger(yes->size, no->size));
}

bool csv_format_choose(struct csv_field *field)
{
    const struct csv_options *options = field->context->options;
    if (field->class == CSV_CLASS_BOOLEAN)
        return choose_boolean(field);
    /* Up to 309 digits before the point. */
    if (field->class == CSV_CLASS_FLOAT)
        return options->float_format.conversion != 0 &&
               choose(field, put_number, 309 + 3 + CSV_PRECISION_MAX);
    if (strncmp(field->type, "td", 2) == 0)
        return options->date_format.count > 0 &&
               choose(field, put_date, options->date_format.width);
    if (strncmp(field->type, "ts", 2) == 0)
        return options->timestamp_format.count > 0 &&
               choose(field, put_timestamp, options->timestamp_format.width);
    if (strncmp(field->type, "tt", 2) == 0)
        return options->time_format.count > 0 &&
               choose(field, put_time, larger(options->time_format.width, CSV_SPAN_WIDTH));
    return false;
}
