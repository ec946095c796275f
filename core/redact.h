/*
 * The one redactor that everything passes which leaves the orchestrator's or the worker's memory: it knows
 * the secret values, and which key names are secret. Values may be added at any time from any
 * thread; redaction is safe on any thread.
 */
#ifndef OSIRIS_CORE_REDACT_H
#define OSIRIS_CORE_REDACT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define REDACT_MASK "***MASKED***"

struct redactor;

struct redactor *redactor_new(void);
void redactor_free(struct redactor *redactor);

/* Remembers a secret value, also in the forms in which it travels: percent-encoded, JSON-escaped,
 * base64. Values shorter than 4 bytes are masked only where they stand alone (between non-word
 * characters); the empty one is ignored. Returns 0 or -1 (out of memory). */
int redactor_add(struct redactor *redactor, const char *value);

/* A copy of `text` with every secret value replaced by REDACT_MASK (free it), NULL if out of memory. */
char *redactor_text(struct redactor *redactor, const char *text, size_t length);

/* What drivers and workers say may be cut: a message has room for a few texts of this length, a line of the records for such an
 * event's fields. */
#define REDACT_TEXT_MAXIMUM ((size_t)64 << 10)
#define REDACT_EVENT_MAXIMUM ((size_t)1 << 20)

/* The same, at most REDACT_TEXT_MAXIMUM bytes long: the end of a longer one says that it was cut. Masked first, since
 * half a secret is none that is known. */
char *redactor_short_text(struct redactor *redactor, const char *text);

/* A deep copy of a JSON value: strings (and keys) redacted by value, and every string, number or array
 * under a secret key name masked. The caller owns it. */
json_object *redactor_json(struct redactor *redactor, json_object *value);

/* password, token, api_key, *_pw, …; never primary_key and the like (docs/secrets.md has the list). */
bool redact_key_is_secret(const char *key);

#endif
