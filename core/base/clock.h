/* Time and identifiers: durations are monotonic, timestamps are UTC. */
#ifndef OSIRIS_CORE_BASE_CLOCK_H
#define OSIRIS_CORE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in milliseconds and nanoseconds. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);

/* A moment of CLOCK_REALTIME, and now, in milliseconds since 1970. */
int64_t clock_ms_of(const struct timespec *time);
int64_t clock_realtime_ms(void);

/* The earlier of two deadlines. */
static inline int64_t clock_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* "2026-11-24T09:13:05.123456Z" */
#define CLOCK_TIMESTAMP_SIZE 32
void clock_timestamp(char text[CLOCK_TIMESTAMP_SIZE]);
void clock_timestamp_of(const struct timespec *time, char text[CLOCK_TIMESTAMP_SIZE]);

/* A ULID (https://github.com/ulid/spec): 48 bits of milliseconds, 80 random bits from getrandom, 26
 * characters of Crockford's base 32. Returns 0 or -1. */
#define CLOCK_ULID_SIZE 27
int clock_ulid(char text[CLOCK_ULID_SIZE]);
/* Whether the text could be one. */
bool clock_is_ulid(const char *text);

#endif
