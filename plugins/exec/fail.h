/* Reporting why a verb fails. */
#ifndef EXEC_FAIL_H
#define EXEC_FAIL_H

#include <osiris/host.h>

/* `hint` may be NULL. -1. */
int fail(const struct osiris_host *host, int32_t category, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* CLOCK_MONOTONIC in milliseconds. */
int64_t now_ms(void);

#endif
