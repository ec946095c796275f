/* Time and identifiers; see clock.h. */
#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int64_t clock_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

int64_t clock_ms_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

int64_t clock_realtime_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return clock_ms_of(&now);
}

void clock_timestamp_of(const struct timespec *time, char text[CLOCK_TIMESTAMP_SIZE])
{
    struct tm parts;

    gmtime_r(&time->tv_sec, &parts);
    size_t length = strftime(text, CLOCK_TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, CLOCK_TIMESTAMP_SIZE - length, ".%06ldZ", time->tv_nsec / 1000);
}

void clock_timestamp(char text[CLOCK_TIMESTAMP_SIZE])
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_timestamp_of(&now, text);
}

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int clock_ulid(char text[CLOCK_ULID_SIZE])
{
    uint8_t random[10];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -1;
    uint64_t time_ms = (uint64_t)clock_realtime_ms();
    for (int i = 9; i >= 0; i--) {
        text[i] = digits[time_ms & 31];
        time_ms >>= 5;
    }
    /* 80 bits are 16 digits of five bits; two runs of 40 bits each. */
    for (int half = 0; half < 2; half++) {
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | random[half * 5 + i];
        for (int i = 7; i >= 0; i--) {
            text[10 + half * 8 + i] = digits[bits & 31];
            bits >>= 5;
        }
    }
    text[26] = '\0';
    return 0;
}

bool clock_is_ulid(const char *text)
{
    return strlen(text) == CLOCK_ULID_SIZE - 1 && strspn(text, digits) == CLOCK_ULID_SIZE - 1;
}
