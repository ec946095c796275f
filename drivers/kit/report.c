/* Reports through the host, printf-like; see include/osiris/kit.h. */
#include <osiris/kit.h>
#include <stdarg.h>
#include <stdio.h>

#define LONGEST_MESSAGE 4096

int osiris_fail(const struct osiris_host *host, int32_t category, int32_t retryable,
                int32_t native_code, const char *native_state, const char *hint, const char *format,
                ...)
{
    char message[LONGEST_MESSAGE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = category,
        .retryable = retryable,
        .native_code = native_code,
        .native_state = native_state,
        .message = message,
        .hint = hint,
    };
    host->error(host, &report);
    return -1;
}

int osiris_refuse(const struct osiris_host *host, const char *option, const char *hint,
                  const char *format, ...)
{
    char message[LONGEST_MESSAGE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = OSIRIS_ERROR_CONFIG,
        .message = message,
        .hint = hint,
        .option = option,
    };
    host->error(host, &report);
    return -1;
}

void osiris_log(const struct osiris_host *host, int32_t level, const char *format, ...)
{
    char message[LONGEST_MESSAGE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    host->log(host, level, message);
}
