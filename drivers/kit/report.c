/* Reports through the host, printf-like; see include/osiris/kit.h. */
#include <osiris/kit.h>
#include <stdarg.h>
#include <stdio.h>

#define LONGEST_MESSAGE 4096

/* Formats the message and reports. Always -1. */
static int report(const struct osiris_host *host, struct osiris_error_report *report,
                  const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

static int report(const struct osiris_host *host, struct osiris_error_report *report,
                  const char *format, va_list arguments)
{
    char message[LONGEST_MESSAGE];

    vsnprintf(message, sizeof message, format, arguments);
    report->struct_size = sizeof *report;
    report->message = message;
    host->error(host, report);
    return -1;
}

int osiris_fail(const struct osiris_host *host, int32_t category, int32_t retryable,
                int32_t native_code, const char *native_state, const char *hint, const char *format,
                ...)
{
    struct osiris_error_report about = {
        .category = category,
        .retryable = retryable,
        .native_code = native_code,
        .native_state = native_state,
        .hint = hint,
    };
    va_list arguments;

    va_start(arguments, format);
    int result = report(host, &about, format, arguments);
    va_end(arguments);
    return result;
}

int osiris_refuse(const struct osiris_host *host, const char *option, const char *hint,
                  const char *format, ...)
{
    struct osiris_error_report about = {
        .category = OSIRIS_ERROR_CONFIG,
        .hint = hint,
        .option = option,
    };
    va_list arguments;

    va_start(arguments, format);
    int result = report(host, &about, format, arguments);
    va_end(arguments);
    return result;
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
