/*
 * Diagnostics of user-written files (pipelines, connections, osiris.yaml): all problems of a file are
 * collected and shown together, each with file:line:column, the line itself with a caret, and a hint.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_DIAGNOSTIC_H
#define OSIRIS_ORCHESTRATOR_OML_DIAGNOSTIC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base/cleanup.h"

enum diagnostic_severity { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

/* A position in a file. `file` is borrowed from the owner of the document; line and column count from 1
 * (column in characters); 0: unknown. */
struct source_location {
    const char *file;
    unsigned line;
    unsigned column;
};

struct diagnostic {
    enum diagnostic_severity severity;
    char *type;     /* duplicate_id, missing_step_field, … (docs/pipelines.md lists them) */
    char *message;
    char *location; /* steps[1].config.path, or NULL */
    char *hint;     /* or NULL */
    char *file;     /* or NULL */
    unsigned line, column;
    char *line_text; /* the offending line without its newline, of a long one the part around the column; or NULL */
    unsigned line_first; /* the column at which line_text begins: 1, or more if its start was truncated */
    bool line_goes_on;   /* its end was truncated */
};

/* At most DIAGNOSTICS_MAXIMUM are kept, errors before warnings; the rest are counted. Texts are truncated, so that a hostile
 * file cannot make them too large. */
#define DIAGNOSTICS_MAXIMUM 100
#define DIAGNOSTIC_MAXIMUM_TEXT 1000 /* bytes of a message, hint or location */

struct diagnostics {
    struct diagnostic *items; /* owned */
    size_t count;
    size_t errors; /* of all that were added, kept or not */
    size_t warnings;
    size_t dropped;
    struct hidden_lines *hidden; /* owned */
    size_t hidden_count;
    bool hides_all; /* there are too many of them */
};

#define DIAGNOSTICS_INIT                                                                           \
    {                                                                                              \
        0                                                                                          \
    }
#define _cleanup_diagnostics_ _cleanup_(diagnostics_clear)

/* Adds one. `where` may be NULL, and so may `location` and `hint`. `source` is the text of the file, from
 * which the offending line is copied, or NULL. Always returns -1. */
int diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                    const char *type, const struct source_location *where, const char *source,
                    size_t source_length, const char *location, const char *hint,
                    const char *format, ...) __attribute__((format(printf, 9, 10)));

/* Whether one more error would only be counted, so that its hint need not be computed. */
static inline bool diagnostics_are_full(const struct diagnostics *diagnostics)
{
    return diagnostics->errors >= DIAGNOSTICS_MAXIMUM;
}

/* Hides the lines of the file from `first` to `last`, now and later, because they contain a secret. */
void diagnostics_hide_lines(struct diagnostics *diagnostics, const char *file, unsigned first,
                            unsigned last);

void diagnostics_clear(struct diagnostics *diagnostics);

/* Text like a compiler's, sorted by position; control characters from the file are shown as '?'. */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *stream, bool color);

/* [{severity, type, message, location, hint, file, line, column}], sorted by position. */
json_object *diagnostics_to_json(const struct diagnostics *diagnostics);

#endif
