/*
 * Days and clocks as text. The proleptic Gregorian calendar, any year that 64 bits of seconds reach.
 * Each function returns the end of what it wrote; room as in digits.h.
 */
#ifndef OSIRIS_CSV_CALENDAR_H
#define OSIRIS_CSV_CALENDAR_H

#include <stdint.h>

#include "digits.h"

#define CSV_DAY_WIDTH 20 /* -292277022657-01-27 */
#define CSV_CLOCK_WIDTH 24

/* Quotient rounded towards minus infinity; the divisor is positive. */
static inline int64_t csv_floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

/* The day's text, days since 1970-01-01. The arithmetic counts years from March in eras of 400 years
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days). */
static inline char *csv_put_day(char *at, int64_t day)
{
    int64_t shifted = day + 719468;
    int64_t era = csv_floor_divide(shifted, 146097);
    uint32_t of_era = (uint32_t)(shifted - era * 146097);
    uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * of_year + 2) / 153;
    uint32_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    int64_t year = (int64_t)year_of_era + era * 400 + (month <= 2);

    if (year >= 0 && year <= 9999) {
        at = csv_put_two(at, (unsigned)year / 100);
        at = csv_put_two(at, (unsigned)year % 100);
    } else {
        uint64_t magnitude = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
        *at = '-';
        at += year < 0;
        at = magnitude <= 9999 ? csv_put_padded(at, (uint32_t)magnitude, 4)
                               : csv_put_unsigned(at, magnitude);
    }
    *at++ = '-';
    at = csv_put_two(at, month);
    *at++ = '-';
    return csv_put_two(at, of_month);
}

/* HH:MM:SS of a number of seconds; hours beyond 99 take what they need. */
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

#endif
