/*
 * Reads the options. The host has checked them against the schema (spec.c); what a schema cannot
 * express is checked here, and invalid values that the host should have refused are refused again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "options.h"
#include "report.h"

static int refuse(const struct osiris_host *host, const char *hint, const char *key,
                  const char *problem)
{
    return csv_refuse(host, key, hint, "%s", problem);
}

/* The index of an option's value among its names, or -1, reported. */
static int read_choice(const struct osiris_host *host, const char *key, const char *const *names)
{
    const char *value = host->get_string(host, OSIRIS_CONFIG, key, names[0]);
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(value, names[i]) == 0)
            return i;
    return csv_refuse(host, key, NULL, "\"%s\" is not one of its values", value);
}

/* An option of one ASCII character that is not a line break. If it is absent, the value is not changed. */
static int read_character(const struct osiris_host *host, const char *key, char *character)
{
    const char *value = host->get_string(host, OSIRIS_CONFIG, key, NULL);
    if (value == NULL)
        return 0;
    unsigned char byte = (unsigned char)value[0];
    if (byte == '\0' || value[1] != '\0' || byte >= 0x80)
        return csv_refuse(host, key, "use one ASCII character, such as \",\" or \"\\t\"",
                          "\"%s\" is not one ASCII character", value);
    if (byte == '\r' || byte == '\n')
        return refuse(host, "use another character", key, "it cannot be a line break");
    *character = (char)byte;
    return 0;
}

static bool is_alphanumeric(char character)
{
    char lower = character | 32;
    return (character >= '0' && character <= '9') || (lower >= 'a' && lower <= 'z');
}

static int read_characters(const struct osiris_host *host, struct csv_options *options)
{
    options->delimiter = ',';
    options->quote = '"';
    if (read_character(host, "delimiter", &options->delimiter) < 0 ||
        read_character(host, "quote", &options->quote) < 0)
        return -1;
    options->escape = options->quote;
    if (read_character(host, "escape", &options->escape) < 0)
        return -1;
    if (options->delimiter == options->quote)
        return refuse(host, "use another character",
                      options->delimiter == ',' ? "quote" : "delimiter",
                      "quote and delimiter are the same character");
    if (!csv_has_escape(options))
        return 0;
    if (options->escape == options->delimiter)
        return refuse(host, "use another character", "escape",
                      "escape and delimiter are the same character");
    /* Readers that interpret escapes read "\n" as a line break: an escaped letter would become another
     * character. */
    if (is_alphanumeric(options->delimiter) || is_alphanumeric(options->quote) ||
        is_alphanumeric(options->escape))
        return refuse(host, "use punctuation", "escape",
                      "with an escape character, delimiter, quote and escape cannot be letters or digits");
    return 0;
}

static int read_word(const struct osiris_host *host, const char *key, const char *fallback,
                     struct csv_word *word)
{
    word->data = host->get_string(host, OSIRIS_CONFIG, key, fallback);
    word->size = strlen(word->data);
    if (word->size > CSV_TEXT_OPTION_MAX)
        return csv_refuse(host, key, NULL, "it is longer than %d bytes", CSV_TEXT_OPTION_MAX);
    return 0;
}

/* It is written as it is, without quotes, and no value may be mistaken for it. */
static int check_null_text(const struct osiris_host *host, const struct csv_options *options)
{
    const struct csv_word *word = &options->null_text;
    for (size_t i = 0; i < word->size; i++) {
        char byte = word->data[i];
        if (byte == options->delimiter || byte == options->quote || byte == '\r' || byte == '\n')
            return refuse(host, "use a word, such as NULL or \\N", "null_text",
                          "it contains a delimiter, a quote or a line break");
        bool escapes = csv_has_escape(options) && byte == options->escape;
        if (escapes && (i + 1 == word->size || word->data[i + 1] == options->escape))
            return refuse(host, "use a word, such as NULL or \\N", "null_text",
                          "its escape character does not precede a character that could be escaped");
        i += escapes;
    }
    return 0;
}

static int read_words(const struct osiris_host *host, struct csv_options *options)
{
    if (read_word(host, "null_text", "", &options->null_text) < 0 ||
        read_word(host, "true_text", "True", &options->true_text) < 0 ||
        read_word(host, "false_text", "False", &options->false_text) < 0 ||
        check_null_text(host, options) < 0)
        return -1;
    if (options->true_text.size == 0 || options->false_text.size == 0 ||
        strcmp(options->true_text.data, options->false_text.data) == 0)
        return refuse(host, "use two different words, such as 1 and 0",
                      strcmp(options->true_text.data, "True") == 0 ? "false_text" : "true_text",
                      "true_text and false_text are empty or the same");
    return 0;
}

/* "%e", "%.3e", …: true if it is one. */
static bool parse_float_format(const char *text, struct csv_float_format *format)
{
    int precision = 6;
    if (*text++ != '%')
        return false;
    if (*text == '.') {
        size_t digits = strspn(++text, "0123456789");
        if (digits < 1 || digits > 2)
            return false;
        precision = digits == 1 ? text[0] - '0' : (text[0] - '0') * 10 + text[1] - '0';
        text += digits;
    }
    *format = (struct csv_float_format){.conversion = *text, .precision = precision};
    return *text != '\0' && strchr("efgEFG", *text) != NULL && text[1] == '\0' &&
           precision <= CSV_PRECISION_MAX;
}

static int read_float_format(const struct osiris_host *host, struct csv_float_format *format)
{
    const char *text = host->get_string(host, OSIRIS_CONFIG, "float_format", "shortest");
    if (strcmp(text, "shortest") == 0 || parse_float_format(text, format))
        return 0;
    return csv_refuse(host, "float_format",
                      "use shortest, or a format such as %.6f, %.3e or %.10g, with up to 40 digits",
                      "\"%s\" is not a valid format", text);
}

static int read_moment_format(const struct osiris_host *host, const char *key, int parts,
                              struct csv_moment_format *format)
{
    const char *text = host->get_string(host, OSIRIS_CONFIG, key, NULL);
    const char *problem = text == NULL ? NULL : csv_moment_compile(format, text, parts);
    return problem == NULL
               ? 0
               : csv_refuse(host, key, "write a format such as %Y-%m-%d, %H:%M:%S or %Y-%m-%dT%H:%M:%S.%6f",
                            "\"%s\": %s", text, problem);
}

static int read_formats(const struct osiris_host *host, struct csv_options *options)
{
    if (read_float_format(host, &options->float_format) < 0 ||
        read_moment_format(host, "date_format", CSV_MOMENT_DATE, &options->date_format) < 0 ||
        read_moment_format(host, "time_format", CSV_MOMENT_CLOCK, &options->time_format) < 0)
        return -1;
    return read_moment_format(host, "timestamp_format", CSV_MOMENT_DATE | CSV_MOMENT_CLOCK,
                              &options->timestamp_format);
}

static int read_order(const struct osiris_host *host, enum csv_order *order)
{
    static const char *const orders[] = {"sorted", "source", NULL};
    if (host->value_type(host, OSIRIS_CONFIG, "columns") == OSIRIS_ARRAY) {
        *order = CSV_ORDER_LIST;
        return 0;
    }
    int choice = read_choice(host, "columns", orders);
    *order = (enum csv_order)choice;
    return choice < 0 ? -1 : 0;
}

static int read_choices(const struct osiris_host *host, struct csv_options *options)
{
    static const char *const newlines[] = {"lf", "crlf", NULL};
    static const char *const quotings[] = {"minimal", "all", "nonnumeric", "none", NULL};
    static const char *const binaries[] = {"hex", "base64", NULL};
    static const char *const guards[] = {"none", "apostrophe", NULL};
    static const char *const encodings[] = {"utf-8",    "utf-8-sig", "utf-16",  "utf-16le",
                                            "utf-16be", "ascii",     "latin-1", NULL};
    static const char *const syncs[] = {"always", "never", NULL};

    int newline = read_choice(host, "newline", newlines);
    int quoting = read_choice(host, "quoting", quotings);
    int binary = read_choice(host, "binary", binaries);
    int guard = read_choice(host, "formula_guard", guards);
    int encoding = read_choice(host, "encoding", encodings);
    int sync = read_choice(host, "fsync", syncs);
    if (newline < 0 || quoting < 0 || binary < 0 || guard < 0 || encoding < 0 || sync < 0)
        return -1;
    options->encoding = (enum csv_encoding)encoding;
    options->sync = sync == 0;
    options->newline[0] = newline == 1 ? '\r' : '\n';
    options->newline[1] = '\n';
    options->newline_size = newline == 1 ? 2 : 1;
    options->quoting = (enum csv_quoting)quoting;
    options->base64 = binary == 1;
    options->guard = guard == 1;
    return 0;
}

static int check_encodable(const struct osiris_host *host, const struct csv_options *options,
                           const char *key, const char *text)
{
    size_t at;
    uint32_t code_point;
    if (text == NULL || !csv_encoding_converts(options->encoding) ||
        csv_encoding_check(options->encoding, text, strlen(text), &at, &code_point) == CSV_FITS)
        return 0;
    return csv_refuse(host, key, "use another text or encoding",
                      "\"%s\" has a character that this encoding does not have", text);
}

static int check_encodings(const struct osiris_host *host, const struct csv_options *options)
{
    static const char *const keys[] = {"null_text",   "true_text",   "false_text",
                                       "date_format", "time_format", "timestamp_format"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (check_encodable(host, options, keys[i],
                            host->get_string(host, OSIRIS_CONFIG, keys[i], NULL)) < 0)
            return -1;
    return 0;
}

static int read_compression(const struct osiris_host *host, struct csv_options *options)
{
    static const char *const names[] = {"auto", "none", "gzip", "zstd", NULL};
    int choice = read_choice(host, "compression", names);
    if (choice < 0)
        return -1;
    options->compression =
        choice == 0 ? csv_compression_of_name(options->path) : (enum csv_compression)(choice - 1);
    int64_t level = host->get_integer(host, OSIRIS_CONFIG, "compression_level", 0);
    options->compression_level = level >= 0 && level <= 100 ? (int)level : -1;
    const char *problem = csv_compression_problem(options->compression, options->compression_level);
    return problem == NULL
               ? 0
               : refuse(host, NULL,
                        options->compression_level != 0 ? "compression_level" : "compression",
                        problem);
}

/* "0640": three or four octal digits. */
static int read_mode(const struct osiris_host *host, uint32_t *mode)
{
    const char *text = host->get_string(host, OSIRIS_CONFIG, "mode", NULL);
    if (text == NULL)
        return 0;
    size_t size = strlen(text);
    *mode = (uint32_t)strtoul(text, NULL, 8);
    if (strspn(text, "01234567") == size && (size == 3 || size == 4) && *mode <= 0777)
        return *mode > 0 ? 0
                         : csv_refuse(host, "mode", "omit it for the default permissions",
                                      "\"%s\" would make the file unreadable for everybody", text);
    return csv_refuse(host, "mode", "write it in quotes: mode: \"0640\"",
                      "\"%s\" is not three or four octal digits up to 0777", text);
}

/* Paths that do not mean what their author probably expects. */
static int check_path(const struct osiris_host *host, const struct csv_options *options)
{
    static const char *const own[] = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(options->path, own[i]) == 0)
            return refuse(host, "write path: \"-\"", "path",
                          "it is the standard output of the step's own process, not that of osiris");
    if (strncmp(options->path, "~/", 2) == 0)
        return refuse(host, "write the full path, or ./~/ for a folder of that name", "path",
                      "~ is not replaced by the home folder");
    return 0;
}

static int read_files(const struct osiris_host *host, struct csv_options *options)
{
    options->rows_per_file = host->get_integer(host, OSIRIS_CONFIG, "rows_per_file", 0);
    options->bytes_per_file = host->get_integer(host, OSIRIS_CONFIG, "bytes_per_file", 0);
    options->append = host->get_boolean(host, OSIRIS_CONFIG, "append", 0) != 0;
    bool splits = options->rows_per_file != 0 || options->bytes_per_file != 0;
    if (options->rows_per_file < 0 || options->bytes_per_file < 0)
        return refuse(host, NULL, "rows_per_file, bytes_per_file", "they cannot be negative");
    if (options->append && splits)
        return refuse(host, "omit one of them", "append",
                      "it cannot be combined with rows_per_file or bytes_per_file");
    if (strcmp(options->path, "-") == 0 && (options->append || splits))
        return refuse(host, "write to a file", "path",
                      "standard output can be neither appended to nor split");
    if (read_mode(host, &options->mode) < 0 || read_compression(host, options) < 0)
        return -1;
    return check_path(host, options) < 0 ? -1 : csv_name_check(host, options);
}

int csv_options_read(const struct osiris_host *host, struct csv_options *options)
{
    *options = (struct csv_options){
        .path = host->get_string(host, OSIRIS_CONFIG, "path", NULL),
        .header = host->get_boolean(host, OSIRIS_CONFIG, "header", 1) != 0,
        .create_dirs = host->get_boolean(host, OSIRIS_CONFIG, "create_dirs", 1) != 0,
    };
    if (options->path == NULL || options->path[0] == '\0')
        return csv_refuse(host, "path", "set it, for example: path: output/data.csv",
                          "a file name is required");
    if (read_choices(host, options) < 0 || read_order(host, &options->order) < 0 ||
        read_characters(host, options) < 0 || read_words(host, options) < 0 ||
        read_formats(host, options) < 0 || check_encodings(host, options) < 0)
        return -1;
    return read_files(host, options);
}
