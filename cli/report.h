/*
 * What the command prints when it ends: errors for people on stderr, or with --json exactly one object on
 * stdout. Exit codes: docs/cli.md.
 */
#ifndef OSIRIS_CLI_REPORT_H
#define OSIRIS_CLI_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/oml/diagnostic.h"
#include "core/base/error.h"

enum exit_code {
    EXIT_CODE_SUCCESS = 0,
    EXIT_CODE_FAILED = 1,
    EXIT_CODE_USAGE = 2, /* or a pipeline that does not compile */
};

/* Prints "osiris: <where>message; hint" on stderr; `where` is "" or ends in ": ". Lines of the message after the first are
 * indented (terminal.h). */
void report_error(const struct osiris_error *error, const char *where);

/* With --json the object {status: "error", phase, message, error, diagnostics}, else the text. Either of
 * error and diagnostics may be NULL. Returns `code`. */
int report_failure(bool json, const char *phase, const struct osiris_error *error,
                   const struct diagnostics *diagnostics, int code);

/* Prints `object` (taken) on stdout with a newline. */
void report_json(json_object *object);

/* Whether stderr takes colors and a live display: a terminal that is not dumb. */
bool report_terminal(void);
bool report_color(void);

/* "12.3 MB"; a kB is 1000 bytes. */
#define REPORT_SIZE_LENGTH 32
const char *report_bytes(int64_t bytes, char text[REPORT_SIZE_LENGTH]);
/* "1 234 567", whatever the locale. */
const char *report_count(int64_t count, char text[REPORT_SIZE_LENGTH]);
/* Rows per second; 0 if it took no time. */
int64_t report_rate(int64_t rows, double duration_ms);
/* "85 ms", "12.3 s", "3 min 05 s". */
const char *report_duration(double milliseconds, char text[REPORT_SIZE_LENGTH]);

#endif
