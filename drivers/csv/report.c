/*
 * Errors of the writer; see report.h.
 */
#include <osiris/kit.h>
#include <stdarg.h>
#include <stdio.h>

#include "report.h"

int csv_refuse(const struct osiris_host *host, const char *option, const char *hint,
               const char *format, ...)
{
    char message[1024];
    va_list arguments;
    int prefix = snprintf(message, sizeof message, "%s: ", option);
    va_start(arguments, format);
    vsnprintf(message + prefix, sizeof message - (size_t)prefix, format, arguments);
    va_end(arguments);
    return osiris_refuse(host, option, hint, "%s", message);
}

int csv_fail(const struct osiris_host *host, int category, int native_code, const char *hint,
             const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return osiris_fail(host, category, 0, native_code, NULL, hint, "%s", message);
}
