/* Diagnostics of user-written files; see diagnostic.h. */
#include "orchestrator/oml/diagnostic.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "core/base/json-build.h"
#include "orchestrator/base/terminal.h"

#define SHOWN_WIDTH 120     /* characters of a line that are kept and shown */
#define HIDDEN_MAXIMUM 1000 /* with more ranges to hide, all lines are hidden */

struct hidden_lines {
    char *file;
    unsigned first, last;
};

/* Texts. */

/* The bytes of the character that begins at `at`, which is not the end. */
static size_t character_bytes(const char *at, const char *end)
{
    size_t bytes = 1;

    while (at + bytes < end && ((unsigned char)at[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

/* Takes `text` and returns it, truncated between two characters if it is too long. */
static char *shorten(char *text)
{
    static const char mark[] = "…";

    if (strlen(text) <= DIAGNOSTIC_MAXIMUM_TEXT)
        return text;
    size_t length = DIAGNOSTIC_MAXIMUM_TEXT - sizeof mark;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    memcpy(text + length, mark, sizeof mark);
    return text;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : shorten(strndup(text, DIAGNOSTIC_MAXIMUM_TEXT + 1));
}

/* Keeps the line of item->line, or the part of it around item->column. */
static void keep_line(struct diagnostic *item, const char *source, size_t length)
{
    const char *at = source, *end = source + length;
    unsigned column = 1;

    for (unsigned i = 1; i < item->line && at != NULL; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at != NULL)
            at++;
    }
    if (at == NULL || at >= end)
        return;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (stop != NULL)
        end = stop;
    if (end > at && end[-1] == '\r')
        end--;
    item->line_first = item->column > SHOWN_WIDTH / 2 ? item->column - SHOWN_WIDTH / 2 : 1;
    for (; at < end && column < item->line_first; column++)
        at += character_bytes(at, end);
    const char *last = at;
    for (unsigned i = 0; last < end && i < SHOWN_WIDTH; i++)
        last += character_bytes(last, end);
    item->line_goes_on = last < end;
    item->line_text = strndup(at, (size_t)(last - at));
}

/* Collecting. */

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

/* Makes room for an error in a full list by removing the last warning. */
static bool drop_a_warning(struct diagnostics *diagnostics)
{
    for (size_t i = diagnostics->count; i-- > 0;) {
        if (diagnostics->items[i].severity != DIAGNOSTIC_WARNING)
            continue;
        clear_item(&diagnostics->items[i]);
        memmove(&diagnostics->items[i], &diagnostics->items[i + 1],
                (diagnostics->count - i - 1) * sizeof *diagnostics->items);
        diagnostics->count--;
        diagnostics->dropped++;
        return true;
    }
    return false;
}

/* Whether there is no room for one more of this severity. */
static bool is_full(struct diagnostics *diagnostics, enum diagnostic_severity severity)
{
    return diagnostics->count >= DIAGNOSTICS_MAXIMUM &&
           !(severity == DIAGNOSTIC_ERROR && drop_a_warning(diagnostics));
}

static void count_item(struct diagnostics *diagnostics, enum diagnostic_severity severity)
{
    if (severity == DIAGNOSTIC_ERROR)
        diagnostics->errors++;
    else
        diagnostics->warnings++;
}

static bool lies_in(const struct diagnostic *item, const struct hidden_lines *lines)
{
    return item->line >= lines->first && item->line <= lines->last &&
           same_text(item->file, lines->file);
}

static bool is_hidden(const struct diagnostics *diagnostics, const struct diagnostic *item)
{
    for (size_t i = 0; i < diagnostics->hidden_count; i++)
        if (lies_in(item, &diagnostics->hidden[i]))
            return true;
    return diagnostics->hides_all;
}

int diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                    const char *type, const struct source_location *where, const char *source,
                    size_t source_length, const char *location, const char *hint,
                    const char *format, ...)
{
    struct diagnostic item = {.severity = severity};
    va_list arguments;

    if (is_full(diagnostics, severity)) {
        count_item(diagnostics, severity);
        diagnostics->dropped++;
        return -1;
    }
    va_start(arguments, format);
    item.message = shorten(memory_vformat(format, arguments));
    va_end(arguments);
    item.type = copy(type);
    item.location = copy(location);
    item.hint = copy(hint);
    if (where != NULL) {
        item.file = where->file == NULL ? NULL : strdup(where->file);
        item.line = where->line;
        item.column = where->column;
    }
    if (is_known(diagnostics, &item)) {
        clear_item(&item);
        return -1;
    }
    if (source != NULL && item.line > 0 && !is_hidden(diagnostics, &item))
        keep_line(&item, source, source_length);
    count_item(diagnostics, severity);
    diagnostics->items = reallocarray(diagnostics->items, diagnostics->count + 1, sizeof item);
    diagnostics->items[diagnostics->count++] = item;
    return -1;
}

void diagnostics_clear(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        clear_item(&diagnostics->items[i]);
    free(diagnostics->items);
    for (size_t i = 0; i < diagnostics->hidden_count; i++)
        free(diagnostics->hidden[i].file);
    free(diagnostics->hidden);
    *diagnostics = (struct diagnostics)DIAGNOSTICS_INIT;
}

/* False if there is no room for one more. */
static bool remember_hidden(struct diagnostics *diagnostics, const char *file, unsigned first,
                            unsigned last)
{
    size_t count = diagnostics->hidden_count;

    for (size_t i = 0; i < count; i++)
        if (diagnostics->hidden[i].first <= first && diagnostics->hidden[i].last >= last &&
            strcmp(diagnostics->hidden[i].file, file) == 0)
            return true;
    if (count >= HIDDEN_MAXIMUM)
        return false;
    diagnostics->hidden = reallocarray(diagnostics->hidden, count + 1, sizeof *diagnostics->hidden);
    diagnostics->hidden[diagnostics->hidden_count++] =
        (struct hidden_lines){.file = strdup(file), .first = first, .last = last};
    return true;
}

void diagnostics_hide_lines(struct diagnostics *diagnostics, const char *file, unsigned first,
                            unsigned last)
{
    if (!diagnostics->hides_all && !remember_hidden(diagnostics, file, first, last))
        diagnostics->hides_all = true;
    for (size_t i = 0; i < diagnostics->count; i++) {
        struct diagnostic *item = &diagnostics->items[i];
        if (!is_hidden(diagnostics, item))
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

/* Columns of a terminal that a character takes: none if it goes on top of the one before it, two in East Asian scripts
 * and for emoji. */
static unsigned character_width(const char *at, size_t bytes)
{
    const unsigned char *c = (const unsigned char *)at;
    unsigned code = bytes == 2   ? (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu)
                    : bytes == 3 ? (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu)
                    : bytes == 4 ? (c[0] & 0x07u) << 18 | (c[1] & 0x3fu) << 12 |
                                       (c[2] & 0x3fu) << 6 | (c[3] & 0x3fu)
                                 : c[0];

    if ((code >= 0x300 && code <= 0x36f) || (code >= 0x200b && code <= 0x200d) || code == 0xfe0f)
        return 0;
    return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                   (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                   (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                   (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) ||
                   (code >= 0x20000 && code <= 0x3fffd)
               ? 2
               : 1;
}

/* The line, and below it a caret. */
static void print_line(const struct diagnostic *item, FILE *stream)
{
    const char *at = item->line_text, *end = at + strlen(at);
    bool cut_before = item->line_first > 1;
    unsigned blanks = cut_before;

    terminal_print(stream, "    %s%s%s\n", cut_before ? "…" : "", at, item->line_goes_on ? "…" : "");
    if (item->column == 0)
        return;
    for (unsigned column = item->line_first; column < item->column && at < end; column++) {
        bool harmless;
        size_t bytes = terminal_character(at, end, &harmless);
        blanks += harmless ? character_width(at, bytes) : 1;
        at += bytes;
    }
    fprintf(stream, "    %*s^\n", (int)blanks, "");
}

static void print_item(const struct diagnostic *item, FILE *stream, bool color)
{
    bool is_error = item->severity == DIAGNOSTIC_ERROR;

    if (item->file != NULL)
        terminal_print(stream, "%s:", item->file);
    if (item->line > 0)
        fprintf(stream, "%u:%u:", item->line, item->column);
    if (item->file != NULL || item->line > 0)
        fputc(' ', stream);
    fprintf(stream, "%s%s:%s ", !color ? "" : is_error ? "\033[1;31m" : "\033[1;33m",
            is_error ? "error" : "warning", color ? "\033[0m" : "");
    terminal_print(stream, "%s", item->message);
    if (item->type != NULL)
        fprintf(stream, " [%s]", item->type);
    fputc('\n', stream);
    if (item->line_text != NULL)
        print_line(item, stream);
    if (item->hint != NULL)
        terminal_print(stream, "    hint: %s\n", item->hint);
}

/* Pointers to the items, sorted by position. */
static const struct diagnostic **sorted_items(const struct diagnostics *diagnostics)
{
    const struct diagnostic **sorted = calloc(diagnostics->count + 1, sizeof *sorted);

    for (size_t i = 0; i < diagnostics->count; i++)
        sorted[i] = &diagnostics->items[i];
    qsort(sorted, diagnostics->count, sizeof *sorted, by_place);
    return sorted;
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *stream, bool color)
{
    _cleanup_free_ const struct diagnostic **sorted = sorted_items(diagnostics);

    for (size_t i = 0; i < diagnostics->count; i++)
        print_item(sorted[i], stream, color);
    if (diagnostics->dropped > 0)
        fprintf(stream, "… and %zu more\n", diagnostics->dropped);
}

json_object *diagnostics_to_json(const struct diagnostics *diagnostics)
{
    _cleanup_free_ const struct diagnostic **sorted = sorted_items(diagnostics);
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = sorted[i];
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
