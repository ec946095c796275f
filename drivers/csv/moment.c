/*
 * Formats of dates and times; see moment.h.
 */
#include <string.h>

#include "calendar.h"
#include "moment.h"

/* The directives, the parts that they need and the maximum length of their text. */
static const struct directive {
    char letter;
    int needs;
    size_t width;
} directives[] = {
    {'Y', CSV_MOMENT_DATE, CSV_YEAR_WIDTH},
    {'y', CSV_MOMENT_DATE, 2},
    {'m', CSV_MOMENT_DATE, 2},
    {'d', CSV_MOMENT_DATE, 2},
    {'j', CSV_MOMENT_DATE, 3},
    {'b', CSV_MOMENT_DATE, 3},
    {'B', CSV_MOMENT_DATE, 9},
    {'a', CSV_MOMENT_DATE, 3},
    {'A', CSV_MOMENT_DATE, 9},
    {'u', CSV_MOMENT_DATE, 1},
    {'F', CSV_MOMENT_DATE, CSV_DAY_WIDTH},
    {'H', CSV_MOMENT_CLOCK, 2},
    {'I', CSV_MOMENT_CLOCK, 2},
    {'p', CSV_MOMENT_CLOCK, 2},
    {'M', CSV_MOMENT_CLOCK, 2},
    {'S', CSV_MOMENT_CLOCK, 2},
    {'f', CSV_MOMENT_CLOCK, 9},
    {'T', CSV_MOMENT_CLOCK, 8},
    {'z', CSV_MOMENT_DATE | CSV_MOMENT_CLOCK, 6},
    {'Z', CSV_MOMENT_DATE | CSV_MOMENT_CLOCK, 3},
    {'s', CSV_MOMENT_DATE | CSV_MOMENT_CLOCK, 20},
};

static const struct directive *find_directive(char letter)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (directives[i].letter == letter)
            return &directives[i];
    return NULL;
}

/* Compiles one directive; *text is just past its percent sign. NULL, or what is wrong. */
static const char *compile_directive(struct csv_moment_part *part, const char **text, int allowed,
                                     size_t *width)
{
    char modifier = **text;
    if (modifier == '%') {
        *part = (struct csv_moment_part){.argument = '%'};
        *width = 1;
        ++*text;
        return NULL;
    }
    bool has_digit = modifier >= '1' && modifier <= '9';
    if (has_digit || modifier == ':')
        ++*text;
    else
        modifier = 0;
    const struct directive *directive = find_directive(**text);
    if (directive == NULL || (has_digit && directive->letter != 'f') ||
        (modifier == ':' && directive->letter != 'z'))
        return "it has an unknown directive";
    if ((directive->needs & ~allowed) != 0)
        return "it has a directive for a part that the values do not have";
    ++*text;
    *part = (struct csv_moment_part){.directive = directive->letter, .argument = modifier};
    if (directive->letter == 'f')
        part->argument = (char)(has_digit ? modifier - '0' : 6);
    *width = directive->width;
    return NULL;
}

const char *csv_moment_compile(struct csv_moment_format *format, const char *text, int parts)
{
    *format = (struct csv_moment_format){0};
    while (*text != '\0') {
        if (format->count == CSV_MOMENT_PARTS_MAX)
            return "it is too long";
        struct csv_moment_part *part = &format->parts[format->count++];
        size_t width = 1;
        char first = *text++;
        if (first != '%') {
            *part = (struct csv_moment_part){.argument = first};
        } else {
            const char *problem = compile_directive(part, &text, parts, &width);
            if (problem != NULL)
                return problem;
        }
        format->width += width;
    }
    return format->count == 0                     ? "it is empty"
           : format->width > CSV_MOMENT_WIDTH_MAX ? "its texts could be too long"
                                                  : NULL;
}

static char *put_name(char *at, const char *name, size_t size)
{
    memcpy(at, name, size);
    return at + size;
}

static char *put_month(char *at, uint32_t month, bool whole)
{
    static const char names[12][10] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
    const char *name = names[month - 1];
    return put_name(at, name, whole ? strlen(name) : 3);
}

/* 0: Monday. */
static unsigned weekday(int64_t day)
{
    /* 1970-01-01 was a Thursday. */
    return (unsigned)(day + 3 - csv_floor_divide(day + 3, 7) * 7);
}

static char *put_weekday(char *at, int64_t day, bool whole)
{
    static const char names[7][10] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};
    const char *name = names[weekday(day)];
    return put_name(at, name, whole ? strlen(name) : 3);
}

static uint32_t day_of_year(const struct csv_day *date)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    return before[date->month - 1] + date->day + (leap && date->month > 2);
}

static char *put_of_date(char directive, int64_t day, char *at)
{
    struct csv_day date = csv_day_of(day);
    switch (directive) {
    case 'Y':
        return csv_put_year(at, date.year);
    case 'y':
        return csv_put_two(at, (unsigned)(date.year - csv_floor_divide(date.year, 100) * 100));
    case 'm':
        return csv_put_two(at, date.month);
    case 'd':
        return csv_put_two(at, date.day);
    case 'j':
        return csv_put_padded(at, day_of_year(&date), 3);
    case 'b':
        return put_month(at, date.month, false);
    case 'B':
        return put_month(at, date.month, true);
    case 'a':
        return put_weekday(at, day, false);
    case 'A':
        return put_weekday(at, day, true);
    case 'u':
        *at = (char)('1' + weekday(day));
        return at + 1;
    default: /* 'F' */
        return csv_put_day(at, day);
    }
}

/* The power of ten that reduces nine digits to this many. */
static char *put_digits(char *at, uint32_t nanosecond, unsigned digits)
{
    for (unsigned i = digits; i < 9; i++)
        nanosecond /= 10;
    return csv_put_padded(at, nanosecond, digits);
}

static char *put_of_clock(const struct csv_moment_part *part, const struct csv_moment *moment,
                          char *at)
{
    unsigned hour = moment->second / 3600;
    switch (part->directive) {
    case 'H':
        return csv_put_two(at, hour);
    case 'I':
        return csv_put_two(at, (hour + 11) % 12 + 1);
    case 'p':
        return put_name(at, hour < 12 ? "AM" : "PM", 2);
    case 'M':
        return csv_put_two(at, moment->second / 60 % 60);
    case 'S':
        return csv_put_two(at, moment->second % 60);
    case 'f':
        return put_digits(at, moment->nanosecond, (unsigned)part->argument);
    default: /* 'T' */
        return csv_put_clock(at, moment->second);
    }
}

static char *put_of_both(const struct csv_moment_part *part, const struct csv_moment *moment,
                         char *at)
{
    if (part->directive == 's')
        /* The day of the least second starts below the range of int64_t; unsigned arithmetic wraps back. */
        return csv_put_signed(at, (int64_t)((uint64_t)moment->day * 86400 + moment->second));
    if (!moment->zoned)
        return at;
    if (part->directive == 'Z')
        return put_name(at, "UTC", 3);
    return part->argument == ':' ? put_name(at, "+00:00", 6) : put_name(at, "+0000", 5);
}

char *csv_moment_put(const struct csv_moment_format *format, const struct csv_moment *moment,
                     char *at)
{
    for (size_t i = 0; i < format->count; i++) {
        const struct csv_moment_part *part = &format->parts[i];
        if (part->directive == 0) {
            *at++ = part->argument;
            continue;
        }
        switch (find_directive(part->directive)->needs) {
        case CSV_MOMENT_DATE:
            at = put_of_date(part->directive, moment->day, at);
            break;
        case CSV_MOMENT_CLOCK:
            at = put_of_clock(part, moment, at);
            break;
        default:
            at = put_of_both(part, moment, at);
        }
    }
    return at;
}
