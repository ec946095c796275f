/*
 * The redactor; see redact.h. `lock` guards the list of values; texts are scanned under it for reading.
 * A table of first bytes lets a text without any secret pass at the speed of a table look-up a byte.
 */
#include "core/redact.h"

#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"

struct secret {
    char *text; /* owned */
    size_t length;
};

struct redactor {
    pthread_rwlock_t lock;
    struct secret *secrets; /* longest first */
    size_t count, capacity;
    bool first_bytes[256];
};

struct redactor *redactor_new(void)
{
    struct redactor *redactor = calloc(1, sizeof *redactor);

    if (redactor != NULL)
        pthread_rwlock_init(&redactor->lock, NULL);
    return redactor;
}

void redactor_free(struct redactor *redactor)
{
    if (redactor == NULL)
        return;
    for (size_t i = 0; i < redactor->count; i++) {
        explicit_bzero(redactor->secrets[i].text, redactor->secrets[i].length);
        free(redactor->secrets[i].text);
    }
    free(redactor->secrets);
    pthread_rwlock_destroy(&redactor->lock);
    free(redactor);
}

/* Takes `text`. */
static int add_form_locked(struct redactor *redactor, char *text)
{
    size_t length, at;

    if (text == NULL)
        return -1;
    length = strlen(text);
    for (size_t i = 0; i < redactor->count; i++)
        if (strcmp(redactor->secrets[i].text, text) == 0) {
            free(text);
            return 0;
        }
    if (redactor->count == redactor->capacity) {
        size_t capacity = redactor->capacity == 0 ? 16 : redactor->capacity * 2;
        void *grown = reallocarray(redactor->secrets, capacity, sizeof *redactor->secrets);
        if (grown == NULL) {
            free(text);
            return -1;
        }
        redactor->secrets = grown;
        redactor->capacity = capacity;
    }
    for (at = redactor->count; at > 0 && redactor->secrets[at - 1].length < length; at--)
        redactor->secrets[at] = redactor->secrets[at - 1];
    redactor->secrets[at] = (struct secret){.text = text, .length = length};
    redactor->count++;
    redactor->first_bytes[(uint8_t)text[0]] = true;
    return 0;
}

static char *percent_encoded(const char *value)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(SIZE_MAX / 2);

    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
        if (isalnum(*c) || strchr("-._~", *c) != NULL)
            buffer_append_char(&text, (char)*c);
        else
            buffer_append_format(&text, "%%%02X", *c);
    }
    return buffer_steal(&text);
}

/* As json-c prints it, without the quotes. */
static char *json_escaped(const char *value, int flags)
{
    _cleanup_json_ json_object *string = json_object_new_string(value);

    if (string == NULL)
        return NULL;
    const char *quoted = json_object_to_json_string_ext(string, flags);
    return quoted == NULL ? NULL : strndup(quoted + 1, strlen(quoted) - 2);
}

static char *base64_encoded(const char *value)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)value;
    size_t length = strlen(value);
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(SIZE_MAX / 2);

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned bits = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0);
        buffer_append_char(&text, digits[bits >> 18 & 63]);
        buffer_append_char(&text, digits[bits >> 12 & 63]);
        buffer_append_char(&text, left > 1 ? digits[bits >> 6 & 63] : '=');
        buffer_append_char(&text, left > 2 ? digits[bits & 63] : '=');
    }
    return buffer_steal(&text);
}

int redactor_add(struct redactor *redactor, const char *value)
{
    int result = 0;

    if (value[0] == '\0')
        return 0;
    pthread_rwlock_wrlock(&redactor->lock);
    result |= add_form_locked(redactor, strdup(value));
    if (strlen(value) >= 4) {
        result |= add_form_locked(redactor, percent_encoded(value));
        result |= add_form_locked(redactor, json_escaped(value, JSON_C_TO_STRING_PLAIN));
        result |= add_form_locked(
            redactor,
            json_escaped(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        result |= add_form_locked(redactor, base64_encoded(value));
    }
    pthread_rwlock_unlock(&redactor->lock);
    return result < 0 ? -1 : 0;
}

static bool is_word(const char *text, size_t length, size_t at)
{
    return at < length && (isalnum((unsigned char)text[at]) || text[at] == '_');
}

/* The length of the longest secret at `at`, 0 if there is none. */
static size_t secret_at_locked(const struct redactor *redactor, const char *text, size_t length,
                               size_t at)
{
    for (size_t i = 0; i < redactor->count; i++) {
        const struct secret *secret = &redactor->secrets[i];
        if (secret->length > length - at ||
            memcmp(text + at, secret->text, secret->length) != 0)
            continue;
        /* A short one would mask half of every text: it counts only where it stands alone. */
        if (secret->length < 4 && ((at > 0 && is_word(text, length, at - 1)) ||
                                   is_word(text, length, at + secret->length)))
            continue;
        return secret->length;
    }
    return 0;
}

static void redact_locked(const struct redactor *redactor, const char *text, size_t length,
                          struct buffer *out)
{
    size_t clean = 0;

    for (size_t at = 0; at < length;) {
        size_t found = redactor->first_bytes[(uint8_t)text[at]]
                           ? secret_at_locked(redactor, text, length, at)
                           : 0;
        if (found == 0) {
            at++;
            continue;
        }
        buffer_append(out, text + clean, at - clean);
        buffer_append_text(out, REDACT_MASK);
        at += found;
        clean = at;
    }
    buffer_append(out, text + clean, length - clean);
}

char *redactor_text(struct redactor *redactor, const char *text, size_t length)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(SIZE_MAX / 2);

    pthread_rwlock_rdlock(&redactor->lock);
    redact_locked(redactor, text, length, &out);
    pthread_rwlock_unlock(&redactor->lock);
    return buffer_steal(&out);
}

static json_object *redact_string(struct redactor *redactor, json_object *value)
{
    _cleanup_free_ char *clean = redactor_text(redactor, json_object_get_string(value),
                                               (size_t)json_object_get_string_len(value));

    return json_object_new_string(clean == NULL ? REDACT_MASK : clean);
}

static json_object *redact_array(struct redactor *redactor, json_object *value)
{
    json_object *copy = json_object_new_array();

    for (size_t i = 0; copy != NULL && i < json_object_array_length(value); i++) {
        json_object *item = redactor_json(redactor, json_object_array_get_idx(value, i));
        if (json_object_array_add(copy, item) < 0)
            json_object_put(item);
    }
    return copy;
}

/* "key" alone is a secret's name in a config, but a plain word in events and their like. */
static bool is_secret_member(const char *key, json_object *value)
{
    if (strcmp(key, "key") == 0 || !redact_key_is_secret(key))
        return false;
    return json_object_is_type(value, json_type_string) ||
           json_object_is_type(value, json_type_int) ||
           json_object_is_type(value, json_type_double) ||
           json_object_is_type(value, json_type_array);
}

static json_object *redact_object(struct redactor *redactor, json_object *value)
{
    json_object *copy = json_object_new_object();

    if (copy == NULL)
        return NULL;
    json_object_object_foreach(value, key, member)
    {
        _cleanup_free_ char *clean = redactor_text(redactor, key, strlen(key));
        json_object *item = is_secret_member(key, member)
                                ? json_object_new_string(REDACT_MASK)
                                : redactor_json(redactor, member);
        if (clean == NULL || json_object_object_add(copy, clean, item) < 0)
            json_object_put(item);
    }
    return copy;
}

json_object *redactor_json(struct redactor *redactor, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return redact_string(redactor, value);
    case json_type_array:
        return redact_array(redactor, value);
    case json_type_object:
        return redact_object(redactor, value);
    default:
        /* Scalars do not change: sharing is as good as a copy. */
        return json_object_get(value);
    }
}
