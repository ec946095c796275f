/*
 * The writer's options, read once from the step's config.
 */
#ifndef OSIRIS_CSV_OPTIONS_H
#define OSIRIS_CSV_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <osiris/host.h>

enum csv_quoting {
    CSV_QUOTE_MINIMAL,
    CSV_QUOTE_ALL,
    CSV_QUOTE_NONNUMERIC,
    CSV_QUOTE_NONE,
};

struct csv_options {
    const char *path; /* borrowed from the host */
    char delimiter;
    char newline[2];
    size_t newline_size;
    enum csv_quoting quoting;
    bool header;
    bool create_dirs;
    bool sorted; /* columns by name; else as they come */
    bool base64; /* binary; else hex */
};

/* 0, or -1 reported. */
int csv_options_read(const struct osiris_host *host, struct csv_options *options);

/* Reports an error with a printf-like message; `hint` may be NULL. Always -1. */
int csv_fail(const struct osiris_host *host, int category, int native_code, const char *hint,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
