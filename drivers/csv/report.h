/*
 * Reports errors to the host. Both functions return -1.
 */
#ifndef OSIRIS_CSV_REPORT_H
#define OSIRIS_CSV_REPORT_H

#include <osiris/host.h>

/* Reports what is wrong with an option, printf-like; `hint` may be NULL. */
int csv_refuse(const struct osiris_host *host, const char *option, const char *hint,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reports any other error. */
int csv_fail(const struct osiris_host *host, int category, int native_code, const char *hint,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
