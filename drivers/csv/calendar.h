/*
 * Dates and times as text, in the proleptic Gregorian calendar, for any year that 64 bits of seconds can represent.
 * Each function returns the end of what it wrote, and needs the same room as those of digits.h.
 */
#ifndef OSIRIS_CSV_CALENDAR_H
#define OSIRIS_CSV_CALENDAR_H

#include <stdint.h>

#include "digits.h"

#define CSV_YEAR_WIDTH 13 /* -292277022657 */
#define CSV_DAY_WIDTH 20  /* -292277022657-01-27 */
#define CSV_SPAN_WIDTH (1 + 20 + 6 + 10)

struct csv_day {
    int64_t year;
    uint32_t month; /* 1 to 12 */
    uint32_t day;   /* 1 to 31 */
};

/* Quotient rounded towards minus infinity; the divisor is positive. */
static inline int64_t csv_floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

/* From days since 1970-01-01. The arithmetic counts years from March in eras of 400 years (Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
static inline struct csv_day csv_day_of(int64_t day)
{
    int64_t shifted = day + 719468;
    int64_t era = csv_floor_divide(shifted, 146097);
    uint32_t of_era = (uint32_t)(shifted - era * 146097);
    uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * of_year + 2) / 153;
    uint32_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    return (struct csv_day){.year = (int64_t)year_of_era + era * 400 + (month <= 2),
                            .month = month,
                            .day = of_month};
}

/* At least four digits. */
static inline char *csv_put_year(char *at, int64_t year)
{
    if (year >= 0 && year <= 9999) {
        at = csv_put_two(at, (unsigned)year / 100);
        return csv_put_two(at, (unsigned)year % 100);
    }
    uint64_t magnitude = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
    *at = '-';
    at += year < 0;
    return magnitude <= 9999 ? csv_put_padded(at, (uint32_t)magnitude, 4)
                             : csv_put_unsigned(at, magnitude);
}

/* The text of days since 1970-01-01. */
static inline char *csv_put_day(char *at, int64_t day)
{
    struct csv_day date = csv_day_of(day);
    at = csv_put_year(at, date.year);
    *at++ = '-';
    at = csv_put_two(at, date.month);
    *at++ = '-';
    return csv_put_two(at, date.day);
}

/* A number of seconds as HH:MM:SS; hours beyond 99 have more digits. */
static inline char *csv_put_clock(char *at, uint64_t seconds)
{
    uint64_t hours = seconds / 3600;
    uint32_t rest = (uint32_t)(seconds - hours * 3600);
    at = hours < 100 ? csv_put_two(at, (unsigned)hours) : csv_put_unsigned(at, hours);
    *at++ = ':';
    at = csv_put_two(at, rest / 60);
    *at++ = ':';
    return csv_put_two(at, rest % 60);
}

/* A fraction of a second, of `per_second` parts, as Python prints one: nothing if it is zero, else six
 * digits, or nine if it has nanoseconds. */
static inline char *csv_put_fraction(char *at, uint32_t fraction, int64_t per_second)
{
    if (fraction == 0)
        return at;
    *at++ = '.';
    uint32_t nanoseconds = fraction * (uint32_t)(1000000000 / per_second);
    return nanoseconds % 1000 == 0 ? csv_put_padded(at, nanoseconds / 1000, 6)
                                   : csv_put_padded(at, nanoseconds, 9);
}

/* A span of time, a clock's or a duration: [-]HH:MM:SS[.ffffff]. */
static inline char *csv_put_span(char *at, int64_t value, int64_t per_second)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *at = '-';
    at += value < 0;
    at = csv_put_clock(at, magnitude / (uint64_t)per_second);
    return csv_put_fraction(at, (uint32_t)(magnitude % (uint64_t)per_second), per_second);
}

#endif
