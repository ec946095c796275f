/*
 * The writer's options, read once from the step's config. Texts are borrowed from the host.
 */
#ifndef OSIRIS_CSV_OPTIONS_H
#define OSIRIS_CSV_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <osiris/host.h>

#include "compress.h"
#include "encode.h"
#include "moment.h"

#define CSV_TEXT_OPTION_MAX 64 /* bytes of null_text, true_text and false_text */
#define CSV_PRECISION_MAX 40

enum csv_quoting {
    CSV_QUOTE_MINIMAL,
    CSV_QUOTE_ALL,
    CSV_QUOTE_NONNUMERIC,
    CSV_QUOTE_NONE,
};

enum csv_order {
    CSV_ORDER_SORTED,
    CSV_ORDER_SOURCE,
    CSV_ORDER_LIST, /* selected and ordered by the config's list */
};

struct csv_word {
    const char *data;
    size_t size;
};

/* "%.<precision><conversion>" of printf; conversion 0: shortest. */
struct csv_float_format {
    char conversion;
    int precision;
};

struct csv_options {
    const char *path;
    char delimiter;
    char quote;
    char escape; /* equal to the quote: no escape character, quotes are doubled */
    char newline[2];
    size_t newline_size;
    enum csv_quoting quoting;
    enum csv_order order;
    bool header;
    bool create_dirs;
    bool base64; /* binary; else hex */
    enum csv_encoding encoding;
    enum csv_compression compression;
    int compression_level;  /* 0: the default */
    int64_t rows_per_file;  /* 0: any number */
    int64_t bytes_per_file; /* 0: any number */
    bool append;
    bool sync;     /* wait for the disk */
    uint32_t mode; /* 0: the default */
    bool guard;    /* text that a spreadsheet would treat as a formula gets an apostrophe */
    struct csv_word null_text;
    struct csv_word true_text;
    struct csv_word false_text;
    struct csv_float_format float_format;
    struct csv_moment_format date_format; /* empty: the default format of docs/csv-writer.md */
    struct csv_moment_format time_format;
    struct csv_moment_format timestamp_format;
};

/* 0, or -1 reported. */
int csv_options_read(const struct osiris_host *host, struct csv_options *options);

static inline bool csv_has_escape(const struct csv_options *options)
{
    return options->escape != options->quote;
}

#endif
