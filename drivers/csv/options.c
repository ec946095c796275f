/*
 * Reads the options. The host has checked them against the schema; what a schema cannot say is checked
 * here, and names that the host should have refused are refused again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

int csv_fail(const struct osiris_host *host, int category, int native_code, const char *hint,
             const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = category,
        .native_code = native_code,
        .message = message,
        .hint = hint,
    };
    host->error(host, &report);
    return -1;
}

/* The place of an option's value among its names, -1 reported. */
static int read_choice(const struct osiris_host *host, const char *key, const char *const *names)
{
    const char *value = host->get_string(host, OSIRIS_CONFIG, key, names[0]);
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(value, names[i]) == 0)
            return i;
    return csv_fail(host, OSIRIS_ERROR_CONFIG, 0, NULL, "%s: \"%s\" is not one of its values", key,
                    value);
}

static int read_delimiter(const struct osiris_host *host, char *delimiter)
{
    const char *value = host->get_string(host, OSIRIS_CONFIG, "delimiter", ",");
    unsigned char byte = (unsigned char)value[0];
    if (byte == '\0' || value[1] != '\0' || byte >= 0x80)
        return csv_fail(host, OSIRIS_ERROR_CONFIG, 0, "use one ASCII character, such as \",\" or \"\\t\"",
                        "delimiter: \"%s\" is not one ASCII character", value);
    if (byte == '"' || byte == '\r' || byte == '\n')
        return csv_fail(host, OSIRIS_ERROR_CONFIG, 0, "use another character",
                        "delimiter: a quote or line break cannot separate fields");
    *delimiter = (char)byte;
    return 0;
}

int csv_options_read(const struct osiris_host *host, struct csv_options *options)
{
    static const char *const newlines[] = {"lf", "crlf", NULL};
    static const char *const quotings[] = {"minimal", "all", "nonnumeric", "none", NULL};
    static const char *const orders[] = {"sorted", "source", NULL};
    static const char *const binaries[] = {"hex", "base64", NULL};
    static const char *const encodings[] = {"utf-8", NULL};

    int newline = read_choice(host, "newline", newlines);
    int quoting = read_choice(host, "quoting", quotings);
    int order = read_choice(host, "columns", orders);
    int binary = read_choice(host, "binary", binaries);
    int encoding = read_choice(host, "encoding", encodings);
    if (newline < 0 || quoting < 0 || order < 0 || binary < 0 || encoding < 0)
        return -1;

    *options = (struct csv_options){
        .path = host->get_string(host, OSIRIS_CONFIG, "path", NULL),
        .newline = {newline == 1 ? '\r' : '\n', '\n'},
        .newline_size = newline == 1 ? 2 : 1,
        .quoting = (enum csv_quoting)quoting,
        .header = host->get_boolean(host, OSIRIS_CONFIG, "header", 1) != 0,
        .create_dirs = host->get_boolean(host, OSIRIS_CONFIG, "create_dirs", 1) != 0,
        .sorted = order == 0,
        .base64 = binary == 1,
    };
    if (options->path == NULL || options->path[0] == '\0')
        return csv_fail(host, OSIRIS_ERROR_CONFIG, 0, "say where to write: path: output/data.csv",
                        "path: a file name is needed");
    return read_delimiter(host, &options->delimiter);
}
