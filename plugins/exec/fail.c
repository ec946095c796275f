/* Reporting why a verb fails; see fail.h. */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

int fail(const struct osiris_host *host, int32_t category, const char *hint, const char *format, ...)
{
    char message[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct osiris_error_report report = {
        .struct_size = sizeof report, .category = category, .message = message, .hint = hint};
    host->error(host, &report);
    return -1;
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
