/*
 * Names of output files; see name.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calendar.h"
#include "name.h"
#include "report.h"

struct name {
    const struct osiris_host *host;
    int64_t part;
    bool has_part; /* the path contains ${part} */
    char text[PATH_MAX + 1];
    size_t size;
};

static int append(struct name *name, const char *data, size_t size)
{
    if (size >= PATH_MAX - name->size)
        return csv_refuse(name->host, "path", "use a shorter path", "the name is too long");
    memcpy(name->text + name->size, data, size);
    name->size += size;
    return 0;
}

/* A run's id is a ULID: its first ten characters are its start in milliseconds, so that
 * all steps agree. With any other id the current time is used. */
static int64_t started(const struct osiris_host *host)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t milliseconds = 0;
    bool known = host->run_id != NULL && strlen(host->run_id) == 26;
    for (size_t i = 0; known && i < 10; i++) {
        const char *digit = strchr(digits, host->run_id[i]);
        known = digit != NULL;
        milliseconds = milliseconds * 32 + (known ? digit - digits : 0);
    }
    return known ? milliseconds / 1000 : (int64_t)time(NULL);
}

static int append_moment(struct name *name, const char *text)
{
    struct csv_moment_format format;
    const char *problem = csv_moment_compile(&format, text, CSV_MOMENT_DATE | CSV_MOMENT_CLOCK);
    if (problem != NULL)
        return csv_refuse(name->host, "path", "write a format such as ${now:%Y-%m-%d}", "\"%s\": %s", text,
                          problem);
    int64_t seconds = started(name->host);
    struct csv_moment moment = {.day = csv_floor_divide(seconds, 86400), .zoned = true};
    moment.second = (uint32_t)(seconds - moment.day * 86400);
    char made[CSV_MOMENT_WIDTH_MAX + CSV_SCRIBBLE];
    return append(name, made, (size_t)(csv_moment_put(&format, &moment, made) - made));
}

static int append_part(struct name *name)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%05lld", (long long)name->part);
    name->has_part = true;
    return append(name, digits, (size_t)size);
}

/* Substitutes the text between "${" and "}". */
static int append_placeholder(struct name *name, const char *key)
{
    if (strcmp(key, "part") == 0)
        return append_part(name);
    if (strcmp(key, "run_id") == 0)
        return append(name, name->host->run_id, strlen(name->host->run_id));
    if (strcmp(key, "step_id") == 0)
        return append(name, name->host->step_id, strlen(name->host->step_id));
    if (strcmp(key, "date") == 0)
        return append_moment(name, "%Y-%m-%d");
    if (strcmp(key, "time") == 0)
        return append_moment(name, "%H%M%S");
    if (strncmp(key, "now:", 4) == 0)
        return append_moment(name, key + 4);
    return csv_refuse(name->host, "path",
                      "use part, run_id, step_id, date, time or now:FORMAT, or write $${ for ${",
                      "${%s} is unknown", key);
}

static int fill_in(struct name *name, const char *path)
{
    const char *start;
    while ((start = strstr(path, "${")) != NULL) {
        bool literal = start > path && start[-1] == '$';
        const char *end = strchr(start, '}');
        char key[100];
        if (append(name, path, (size_t)(start - path)) < 0)
            return -1;
        path = start + 2;
        if (literal) {
            name->text[name->size++] = '{';
            continue;
        }
        if (end == NULL || (size_t)(end - start) >= sizeof key)
            return csv_refuse(name->host, "path", "write $${ for ${", "a ${ is not closed");
        memcpy(key, start + 2, (size_t)(end - start - 2));
        key[end - start - 2] = '\0';
        if (append_placeholder(name, key) < 0)
            return -1;
        path = end + 1;
    }
    return append(name, path, strlen(path));
}

/* The start of the extension, including the one before a compression's extension; the end if there is
 * none. */
static size_t extension_of(const char *text, size_t size)
{
    size_t end = size;
    if (csv_compression_of_name(text) != CSV_PLAIN)
        end = (size_t)(strrchr(text, '.') - text);
    for (size_t at = end; at > 1 && text[at - 1] != '/'; at--)
        if (text[at - 1] == '.')
            return at > 1 && text[at - 2] != '/' ? at - 1 : end;
    return end;
}

static int add_part(struct name *name)
{
    char extension[PATH_MAX + 1];
    name->text[name->size] = '\0';
    size_t at = extension_of(name->text, name->size);
    size_t size = name->size - at;
    memcpy(extension, name->text + at, size);
    name->size = at;
    if (append(name, "-", 1) < 0 || append_part(name) < 0)
        return -1;
    return append(name, extension, size);
}

static int make(struct name *name, const struct csv_options *options)
{
    if (fill_in(name, options->path) < 0)
        return -1;
    bool several = options->rows_per_file > 0 || options->bytes_per_file > 0;
    if (several && !name->has_part && add_part(name) < 0)
        return -1;
    name->text[name->size] = '\0';
    return 0;
}

int csv_name_check(const struct osiris_host *host, const struct csv_options *options)
{
    struct name name = {.host = host, .part = 1};
    const char *part = strstr(options->path, "${part}");
    if (part != NULL && strchr(part, '/') != NULL)
        return csv_refuse(host, "path", "move it to the name of the file",
                          "${part} cannot be in the name of a folder");
    return make(&name, options);
}

char *csv_name_make(const struct osiris_host *host, const struct csv_options *options, int64_t part)
{
    struct name name = {.host = host, .part = part};
    if (make(&name, options) < 0)
        return NULL;
    char *text = strdup(name.text);
    if (text == NULL)
        csv_fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL, "not enough memory");
    return text;
}
