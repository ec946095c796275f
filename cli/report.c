/* Errors and results, for people and for programs; see report.h. */
#include "cli/report.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "orchestrator/base/terminal.h"
#include "core/base/utf8.h"

void report_error(const struct osiris_error *error, const char *where)
{
    _cleanup_free_ char *text = memory_format("osiris: %s%s%s%s", where, error->message, error->hint == NULL ? "" : "; ",
                                              error->hint == NULL ? "" : error->hint);
    _cleanup_free_ char *lines = terminal_lines(text);

    fprintf(stderr, "%s\n", lines);
}

/* File names may be any bytes. */
void report_json(json_object *object)
{
    const char *text = json_text(
        object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
    _cleanup_buffer_ struct buffer clean = BUFFER_INIT(SIZE_MAX / 2);

    utf8_append(&clean, text, strlen(text));
    puts(clean.data);
    json_object_put(object);
}

static const char *first_error(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (diagnostics->items[i].severity == DIAGNOSTIC_ERROR)
            return diagnostics->items[i].message;
    return NULL;
}

int report_failure(bool json, const char *phase, const struct osiris_error *error,
                   const struct diagnostics *diagnostics, int code)
{
    bool has_error = error != NULL && error->category != 0;

    if (json) {
        json_object *object = json_object_new_object();
        json_add_string(object, "status", "error");
        json_add_string(object, "phase", phase);
        json_add_string(object, "message",
                        has_error             ? error->message
                        : diagnostics != NULL ? first_error(diagnostics)
                                              : "failed");
        if (has_error)
            json_add(object, "error", osiris_error_to_json(error));
        if (diagnostics != NULL)
            json_add(object, "diagnostics", diagnostics_to_json(diagnostics));
        report_json(object);
        return code;
    }
    if (diagnostics != NULL)
        diagnostics_print(diagnostics, stderr, report_color());
    if (has_error)
        report_error(error, "");
    return code;
}

bool report_terminal(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDERR_FILENO) == 1 && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0;
}

bool report_color(void)
{
    const char *no_color = getenv("NO_COLOR");

    return report_terminal() && (no_color == NULL || no_color[0] == '\0');
}

const char *report_bytes(int64_t bytes, char text[REPORT_SIZE_LENGTH])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(text, REPORT_SIZE_LENGTH, "%" PRId64 " B", bytes);
        return text;
    }
    for (; value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1000;
    snprintf(text, REPORT_SIZE_LENGTH, "%.1f %s", value, units[unit]);
    return text;
}

int64_t report_rate(int64_t rows, double duration_ms)
{
    double rate = duration_ms > 0 && rows > 0 ? (double)rows * 1000 / duration_ms : 0;

    return rate < 0x1p63 ? (int64_t)rate : INT64_MAX;
}

const char *report_count(int64_t count, char text[REPORT_SIZE_LENGTH])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, count);
    size_t out = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            text[out++] = ' ';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

const char *report_duration(double milliseconds, char text[REPORT_SIZE_LENGTH])
{
    int64_t seconds = (int64_t)(milliseconds / 1000);

    if (milliseconds < 1000)
        snprintf(text, REPORT_SIZE_LENGTH, "%.0f ms", milliseconds);
    else if (seconds < 60)
        snprintf(text, REPORT_SIZE_LENGTH, "%.2f s", milliseconds / 1000);
    else
        snprintf(text, REPORT_SIZE_LENGTH, "%" PRId64 " min %02" PRId64 " s", seconds / 60,
                 seconds % 60);
    return text;
}
