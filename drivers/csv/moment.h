/*
 * Dates and times in a user-defined format, a subset of strftime's, exact for every day that an
 * Arrow type can represent. It is compiled once and knows the maximum length of its texts. Names of days
 * and months are English.
 *
 *     %Y year, at least four digits, "-" before year 0    %y its last two digits     %m month  %d
 * day  %j day of the year %b %B month's name     %a %A day's name             %u day of the week, 1
 * is Monday %H hour  %I hour of 12  %p AM or PM  %M minute  %S second %f fraction of a second, six
 * digits; %1f to %9f this many: further digits are truncated, not rounded %z "+0000"  %:z "+00:00"  %Z
 * "UTC": nothing for a timestamp without a zone %s seconds since 1970      %F %Y-%m-%d      %T
 * %H:%M:%S      %% a percent sign
 */
#ifndef OSIRIS_CSV_MOMENT_H
#define OSIRIS_CSV_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_MOMENT_PARTS_MAX 64
#define CSV_MOMENT_WIDTH_MAX 400 /* the longest text of any format */

/* The parts that a format may use. */
enum {
    CSV_MOMENT_DATE = 1,
    CSV_MOMENT_CLOCK = 2,
};

struct csv_moment_part {
    char directive; /* 0: a literal */
    char argument;  /* the literal; digits of %f; ':' of %:z */
};

struct csv_moment_format {
    struct csv_moment_part parts[CSV_MOMENT_PARTS_MAX];
    size_t count;
    size_t width; /* the maximum, without the bytes that may be overwritten (digits.h) */
};

struct csv_moment {
    int64_t day;     /* since 1970-01-01 */
    uint32_t second; /* of the day */
    uint32_t nanosecond;
    bool zoned; /* in UTC; else without a time zone */
};

/* Compiles `text`, which may use `parts` (CSV_MOMENT_…). NULL, or what is wrong with it: a
 * constant text. */
const char *csv_moment_compile(struct csv_moment_format *format, const char *text, int parts);

/* Returns the end of what it wrote: up to `width` bytes; CSV_SCRIBBLE more may be overwritten. */
char *csv_moment_put(const struct csv_moment_format *format, const struct csv_moment *moment,
                     char *at);

#endif
