/*
 * The redactor: it knows the secret values and which key names are secret. Values may be added at any time from any
 * thread; redaction is safe on any thread.
 *
 * A secret may be a word that we write ourselves: "success", "mysql", "2026". So each text is redacted where it comes in from
 * outside (texts of drivers, servers and adapters, paths and configs of users), and is fully masked there; what is built from it
 * and from our own words is not masked again. Records, reports and traces are redacted once more on their way out (redactor_record), for
 * all secrets that cannot be one of our words: those with characters other than letters, digits and _.:-, and those of 24 bytes or more.
 */
#ifndef OSIRIS_CORE_BASE_REDACT_H
#define OSIRIS_CORE_BASE_REDACT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

#define REDACT_MASK "***MASKED***"

struct redactor;

struct redactor *redactor_new(void);
void redactor_free(struct redactor *redactor);

/* Adds a secret value, also in the forms in which it travels: percent-encoded, JSON-escaped,
 * base64. Values shorter than 4 bytes are masked only as separate words (between non-word
 * characters); the empty one is ignored. Returns 0 or -1 (out of memory). */
int redactor_add(struct redactor *redactor, const char *value);

/* A copy of a text from outside with every secret value replaced by REDACT_MASK (free it), NULL if out of memory. The author of the
 * text may have truncated it in the middle of a secret: so a prefix of one, REDACT_PREFIX bytes or more, is masked, too, where the
 * text, a line of it or a quotation ends. */
#define REDACT_PREFIX 6
char *redactor_text(struct redactor *redactor, const char *text, size_t length);

/* Texts of drivers and workers may be truncated: a message has room for a few texts of this length, a line of the records for such an
 * event's fields. */
#define REDACT_TEXT_MAXIMUM ((size_t)64 << 10)
#define REDACT_EVENT_MAXIMUM ((size_t)1 << 20)

/* The same, at most REDACT_TEXT_MAXIMUM bytes long: the end of a longer one says that it was truncated. Masked first, because
 * a part of a secret would not be recognised. */
char *redactor_short_text(struct redactor *redactor, const char *text);

/* How many of these bytes can be masked and passed on if more of the same text follows: a secret may start after them. */
size_t redactor_settled(struct redactor *redactor, const char *text, size_t length);

/* The texts of an error that comes from outside. */
void redactor_error(struct redactor *redactor, struct osiris_error *error);

/* Deep copies of JSON values: strings redacted by value, and every string, number or array under a secret key name masked. The
 * caller owns it. */

/* Configs, parameters, and a driver's answer to a request: their texts may have been truncated, but a whole text that is a prefix of a
 * secret is a name. */
json_object *redactor_json(struct redactor *redactor, json_object *value);
/* The fields of an event: texts, and keys that may come from data. */
json_object *redactor_event(struct redactor *redactor, json_object *value);
/* What we write, on its way out; see above. */
json_object *redactor_record(struct redactor *redactor, json_object *value);
char *redactor_record_text(struct redactor *redactor, const char *text);

/* password, token, api_key, *_pw, …; never primary_key and the like (docs/secrets.md has the list). */
bool redact_key_is_secret(const char *key);

#endif
