/* Durations as people write them: seconds (30, 1.5), or a number with a unit (250ms, 30s, 5m, 2h, 1d). */
#ifndef OSIRIS_ORCHESTRATOR_OML_DURATION_H
#define OSIRIS_ORCHESTRATOR_OML_DURATION_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#define DURATION_MAXIMUM_MS (INT64_C(30) * 24 * 3600 * 1000)
/* The rule for error messages. */
#define DURATION_RULE "seconds, or a number with ms, s, m, h or d: from 1 ms to 30 days"

/* 0, or -1 if it is not a duration, or not from 1 ms to DURATION_MAXIMUM_MS. A part of a millisecond counts as a whole one. */
int duration_parse(const char *text, int64_t *ms);
/* The same for a number (seconds) or a text. */
int duration_from_json(json_object *value, int64_t *ms);

/* "30 s", "1.5 s", "250 ms" */
#define DURATION_TEXT_SIZE 32
const char *duration_text(int64_t ms, char text[DURATION_TEXT_SIZE]);

#endif
