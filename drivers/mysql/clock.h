/* The monotonic clock. */
#ifndef OSIRIS_DRIVERS_MYSQL_CLOCK_H
#define OSIRIS_DRIVERS_MYSQL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t mysql_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t mysql_now_ms(void)
{
    return mysql_now_us() / 1000;
}

#endif
