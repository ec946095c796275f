/* Diagnostics of user-written files; see diagnostic.h. */
#include "core/diagnostic.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "core/json-build.h"

#define SHOWN_WIDTH 120 /* columns of a line that are shown */

static char *line_at(const char *source, size_t length, unsigned line)
{
    const char *at = source, *end = source + length;

    for (unsigned i = 1; i < line && at != NULL && at < end; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at != NULL)
            at++;
    }
    if (at == NULL || at >= end)
        return NULL;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t width = (size_t)((stop == NULL ? end : stop) - at);
    if (width > 0 && at[width - 1] == '\r')
        width--;
    return strndup(at, width);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_known(const struct diagnostics *diagnostics, const struct diagnostic *item)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *other = &diagnostics->items[i];
        if (other->line == item->line && other->column == item->column &&
            same_text(other->type, item->type) && same_text(other->message, item->message) &&
            same_text(other->file, item->file) && same_text(other->location, item->location))
            return true;
    }
    return false;
}

static void clear_item(struct diagnostic *item)
{
    free(item->type);
    free(item->message);
    free(item->location);
    free(item->hint);
    free(item->file);
    free(item->line_text);
}

static void keep(struct diagnostics *diagnostics, struct diagnostic *item)
{
    void *grown = diagnostics->count >= DIAGNOSTICS_MAXIMUM
                      ? NULL
                      : reallocarray(diagnostics->items, diagnostics->count + 1,
                                     sizeof *diagnostics->items);

    if (item->severity == DIAGNOSTIC_ERROR)
        diagnostics->errors++;
    else
        diagnostics->warnings++;
    if (grown == NULL) {
        diagnostics->dropped++;
        clear_item(item);
        return;
    }
    diagnostics->items = grown;
    diagnostics->items[diagnostics->count++] = *item;
}

int diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                    const char *type, const struct source_location *where, const char *source,
                    size_t source_length, const char *location, const char *hint,
                    const char *format, ...)
{
    struct diagnostic item = {.severity = severity};
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&item.message, format, arguments) < 0)
        item.message = NULL;
    va_end(arguments);
    item.type = copy(type);
    item.location = copy(location);
    item.hint = copy(hint);
    if (where != NULL) {
        item.file = copy(where->file);
        item.line = where->line;
        item.column = where->column;
        if (source != NULL && where->line > 0)
            item.line_text = line_at(source, source_length, where->line);
    }
    if (is_known(diagnostics, &item))
        clear_item(&item);
    else
        keep(diagnostics, &item);
    return -1;
}

void diagnostics_clear(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        clear_item(&diagnostics->items[i]);
    free(diagnostics->items);
    *diagnostics = (struct diagnostics)DIAGNOSTICS_INIT;
}

void diagnostics_hide_lines(struct diagnostics *diagnostics, const char *file, unsigned first,
                            unsigned last)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        struct diagnostic *item = &diagnostics->items[i];
        if (item->line < first || item->line > last || !same_text(item->file, file))
            continue;
        free(item->line_text);
        item->line_text = NULL;
    }
}

/* Printing. */

static int by_place(const void *a, const void *b)
{
    const struct diagnostic *left = *(const struct diagnostic *const *)a;
    const struct diagnostic *right = *(const struct diagnostic *const *)b;
    int files = strcmp(left->file == NULL ? "" : left->file, right->file == NULL ? "" : right->file);

    if (files != 0)
        return files;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    /* Stable: both are in one array. */
    return left < right ? -1 : left > right;
}

static size_t character_bytes(const char *at)
{
    size_t bytes = 1;

    while (((unsigned char)at[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

/* The part of the line around the column, and below it a caret. A tab is one blank. */
static void print_line(const struct diagnostic *item, FILE *stream)
{
    const char *at = item->line_text;
    unsigned column = 1;
    unsigned first = item->column > SHOWN_WIDTH / 2 ? item->column - SHOWN_WIDTH / 2 : 1;
    bool cut_before = first > 1;

    while (*at != '\0' && column < first) {
        at += character_bytes(at);
        column++;
    }
    fprintf(stream, "    %s", cut_before ? "…" : "");
    for (; *at != '\0' && column < first + SHOWN_WIDTH; column++) {
        size_t bytes = character_bytes(at);
        if (*at == '\t')
            fputc(' ', stream);
        else if (iscntrl((unsigned char)*at))
            fputc('?', stream);
        else
            fwrite(at, 1, bytes, stream);
        at += bytes;
    }
    fputs(*at != '\0' ? "…\n" : "\n", stream);
    if (item->column > 0)
        fprintf(stream, "    %*s^\n", (int)(item->column - first + cut_before), "");
}

static void print_item(const struct diagnostic *item, FILE *stream, bool color)
{
    bool is_error = item->severity == DIAGNOSTIC_ERROR;

    if (item->file != NULL)
        fprintf(stream, "%s:", item->file);
    if (item->line > 0)
        fprintf(stream, "%u:%u:", item->line, item->column);
    if (item->file != NULL || item->line > 0)
        fputc(' ', stream);
    fprintf(stream, "%s%s:%s %s", !color ? "" : is_error ? "\033[1;31m" : "\033[1;33m",
            is_error ? "error" : "warning", color ? "\033[0m" : "",
            item->message == NULL ? "" : item->message);
    if (item->type != NULL)
        fprintf(stream, " [%s]", item->type);
    fputc('\n', stream);
    if (item->line_text != NULL)
        print_line(item, stream);
    if (item->hint != NULL)
        fprintf(stream, "    hint: %s\n", item->hint);
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *stream, bool color)
{
    const struct diagnostic **sorted = calloc(diagnostics->count + 1, sizeof *sorted);

    if (sorted == NULL)
        return;
    for (size_t i = 0; i < diagnostics->count; i++)
        sorted[i] = &diagnostics->items[i];
    qsort(sorted, diagnostics->count, sizeof *sorted, by_place);
    for (size_t i = 0; i < diagnostics->count; i++)
        print_item(sorted[i], stream, color);
    if (diagnostics->dropped > 0)
        fprintf(stream, "… and %zu more\n", diagnostics->dropped);
    free(sorted);
}

json_object *diagnostics_to_json(const struct diagnostics *diagnostics)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        json_object *object = json_object_new_object();
        json_add_string(object, "severity",
                        item->severity == DIAGNOSTIC_ERROR ? "error" : "warning");
        json_add_string(object, "type", item->type);
        json_add_string(object, "message", item->message);
        json_add_string(object, "location", item->location);
        json_add_string(object, "hint", item->hint);
        json_add_string(object, "file", item->file);
        if (item->line > 0) {
            json_add_integer(object, "line", item->line);
            json_add_integer(object, "column", item->column);
        }
        json_append(list, object);
    }
    return list;
}
