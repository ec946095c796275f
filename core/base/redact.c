/* The redactor: masks secret values in all forms in which they travel, in one scan; see redact.h. */
#include "core/base/redact.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"

#define LONGEST_QUOTED 4096 /* the longest quotation by a server, which truncates much earlier */

#define SHORT_VALUE 4
/* A shorter secret of only these characters may be one of our own words: an id, a name, a time. */
#define WORD_MAXIMUM 24
#define WORD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"
/* A piece of a secret (a line of a key, a part of a base64 text) hides only if it is this long. */
#define PIECE_MINIMUM 8
#define VALUE_MAXIMUM ((size_t)16 << 20)
#define CUT_MARK "... (cut: %zu bytes in all)"
#define CUT_ROOM ((size_t)64)

/* One text to mask. */
struct pattern {
    struct pattern *next; /* with the same first byte, not longer than this one */
    size_t length;
    bool alone; /* masked only between non-word characters */
    bool plain; /* may be one of our own words */
    char text[];
};

struct redactor {
    pthread_rwlock_t lock; /* guards what follows */
    bool empty;
    struct pattern *patterns[256]; /* by first byte */
};

struct redactor *redactor_new(void)
{
    struct redactor *redactor = calloc(1, sizeof *redactor);

    (void)pthread_rwlock_init(&redactor->lock, NULL);
    redactor->empty = true;
    return redactor;
}

void redactor_free(struct redactor *redactor)
{
    if (redactor == NULL)
        return;
    for (size_t i = 0; i < 256; i++)
        while (redactor->patterns[i] != NULL) {
            struct pattern *pattern = redactor->patterns[i];
            redactor->patterns[i] = pattern->next;
            explicit_bzero(pattern->text, pattern->length);
            free(pattern);
        }
    (void)pthread_rwlock_destroy(&redactor->lock);
    free(redactor);
}

/* Adding. The lock is held for writing. */

/* How the forms of a value are masked. */
struct manner {
    bool alone, plain;
};

static int add_pattern(struct redactor *redactor, const char *text, size_t length, struct manner manner)
{
    if (length == 0)
        return 0;
    struct pattern **link = &redactor->patterns[(unsigned char)text[0]];
    for (; *link != NULL && (*link)->length >= length; link = &(*link)->next)
        if ((*link)->length == length && memcmp((*link)->text, text, length) == 0) {
            (*link)->alone = (*link)->alone && manner.alone;
            (*link)->plain = (*link)->plain && manner.plain;
            return 0;
        }
    struct pattern *pattern = malloc(sizeof *pattern + length);
    if (pattern == NULL)
        return -1;
    pattern->length = length;
    pattern->alone = manner.alone;
    pattern->plain = manner.plain;
    memcpy(pattern->text, text, length);
    pattern->next = *link;
    *link = pattern;
    redactor->empty = false;
    return 0;
}

static int add_buffer(struct redactor *redactor, struct buffer *form, struct manner manner)
{
    int result = form->failed ? -1 : add_pattern(redactor, form->data, form->length, manner);

    if (form->data != NULL)
        explicit_bzero(form->data, form->length);
    buffer_reset(form);
    return result;
}

static int add_json_form(struct redactor *redactor, const char *value, int flags, struct manner manner)
{
    _cleanup_json_ json_object *string = json_string(value);
    const char *text = json_text(string, JSON_C_TO_STRING_PLAIN | flags, NULL);

    return add_pattern(redactor, text + 1, strlen(text) - 2, manner);
}

/* Every way to percent-encode differs in what it keeps: RFC 3986's unreserved characters, or those and the slash;
 * and in the case of its digits and in what a space becomes. */
static int add_percent_form(struct redactor *redactor, const char *value, const char *kept,
                            const char *format, bool plus, struct manner manner)
{
    _cleanup_buffer_ struct buffer form = BUFFER_INIT(VALUE_MAXIMUM * 3);

    for (const char *c = value; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr(kept, *c) != NULL)
            buffer_append_char(&form, *c);
        else if (plus && *c == ' ')
            buffer_append_char(&form, '+');
        else
            buffer_append_format(&form, format[0] == 'X' ? "%%%02X" : "%%%02x",
                                 (unsigned)(unsigned char)*c);
    }
    return add_buffer(redactor, &form, manner);
}

static int add_percent_forms(struct redactor *redactor, const char *value, struct manner manner)
{
    static const char *const kept[] = {"-._~", "-._~/", "-._~!*'()"};
    int result = 0;

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        result |= add_percent_form(redactor, value, kept[i], "X", false, manner);
        result |= add_percent_form(redactor, value, kept[i], "x", false, manner);
        result |= add_percent_form(redactor, value, kept[i], "X", true, manner);
    }
    return result;
}

static void encode_base64(const uint8_t *bytes, size_t length, const char *last, struct buffer *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t bit = 0; bit < length * 8; bit += 6) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 6; i++)
            value = value << 1 | (i < length * 8 ? bytes[i / 8] >> (7 - i % 8) & 1u : 0);
        buffer_append_char(out, value < 62 ? alphabet[value] : last[value - 62]);
    }
}

/* A value inside a longer text that is encoded as a whole ("user:password") starts at one of three positions
 * of its group of four characters. Characters that share bits with a neighbour are omitted. */
static int add_base64_form(struct redactor *redactor, const char *value, size_t length, size_t shift,
                           const char *last, struct manner manner)
{
    _cleanup_buffer_ struct buffer bytes = BUFFER_INIT(VALUE_MAXIMUM + 2);
    _cleanup_buffer_ struct buffer form = BUFFER_INIT(VALUE_MAXIMUM * 2);

    buffer_append(&bytes, "\0\0", shift);
    buffer_append(&bytes, value, length);
    if (bytes.failed)
        return -1;
    encode_base64((const uint8_t *)bytes.data, bytes.length, last, &form);
    explicit_bzero(bytes.data, bytes.length);
    if (form.failed)
        return -1;
    size_t first = (shift * 8 + 5) / 6;
    size_t end = bytes.length * 8 / 6;
    int result = 0;
    if (end > first && end - first >= PIECE_MINIMUM)
        result = add_pattern(redactor, form.data + first, end - first, manner);
    /* The value alone ends with a character that no neighbour changes. */
    if (result == 0 && shift == 0 && form.length >= PIECE_MINIMUM)
        result = add_pattern(redactor, form.data, form.length, manner);
    explicit_bzero(form.data, form.length);
    return result;
}

static int add_base64_forms(struct redactor *redactor, const char *value, struct manner manner)
{
    size_t length = strlen(value);
    int result = 0;

    for (size_t shift = 0; shift < 3; shift++) {
        result |= add_base64_form(redactor, value, length, shift, "+/", manner);
        result |= add_base64_form(redactor, value, length, shift, "-_", manner);
    }
    return result;
}

/* A key of several lines may be shown line by line. */
static int add_lines(struct redactor *redactor, const char *value)
{
    int result = 0;

    if (strchr(value, '\n') == NULL)
        return 0;
    for (const char *line = value; *line != '\0';) {
        size_t length = strcspn(line, "\r\n");
        if (length >= PIECE_MINIMUM)
            result |= add_pattern(redactor, line, length, (struct manner){.plain = length < WORD_MAXIMUM});
        line += length + strspn(line + length, "\r\n");
    }
    return result;
}

int redactor_add(struct redactor *redactor, const char *value)
{
    size_t length = value == NULL ? 0 : strlen(value);
    struct manner whole = {.alone = length < SHORT_VALUE};

    if (length == 0)
        return 0;
    if (length > VALUE_MAXIMUM || pthread_rwlock_wrlock(&redactor->lock) != 0)
        return -1;
    whole.plain = length < WORD_MAXIMUM && strspn(value, WORD_CHARACTERS) == length;
    int result = add_pattern(redactor, value, length, whole);
    result |= add_json_form(redactor, value, 0, whole);
    result |= add_json_form(redactor, value, JSON_C_TO_STRING_NOSLASHESCAPE, whole);
    result |= add_percent_forms(redactor, value, whole);
    result |= add_base64_forms(redactor, value, (struct manner){.plain = whole.plain});
    result |= add_lines(redactor, value);
    (void)pthread_rwlock_unlock(&redactor->lock);
    return result == 0 ? 0 : -1;
}

/* Masking. */

/* What to mask in a text. */
struct policy {
    enum { PREFIX_NEVER, PREFIX_INSIDE, PREFIX_ALWAYS } prefixes; /* of secrets; inside: not if it is the whole text */
    bool plain_too, plain_keys;
};

static const struct policy text_policy = {PREFIX_ALWAYS, true, true};
static const struct policy whole_policy = {PREFIX_NEVER, true, false};
static const struct policy value_policy = {PREFIX_INSIDE, true, false};
static const struct policy event_policy = {PREFIX_ALWAYS, true, true};
static const struct policy record_policy = {PREFIX_NEVER, false, false};

static bool is_word(unsigned char c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

/* Whether a truncated text may end here: at its end, the end of a line or of a quotation, or dots. */
static bool may_be_cut(const char *at, const char *end)
{
    return at == end || strchr("'\"`\\\r\n", *at) != NULL || (end - at >= 3 && memcmp(at, "...", 3) == 0) ||
           (end - at >= 3 && memcmp(at, "…", 3) == 0);
}

static size_t common_length(const struct pattern *pattern, const char *at, const char *end)
{
    size_t most = (size_t)(end - at) < pattern->length ? (size_t)(end - at) : pattern->length, common = 0;

    while (common < most && pattern->text[common] == at[common])
        common++;
    return common;
}

/* The length of the longest prefix of the pattern at which the text may have been truncated, or 0. */
static size_t prefix_match(const struct pattern *pattern, const char *at, const char *end)
{
    size_t length = pattern->alone ? 0 : common_length(pattern, at, end);

    for (length -= length == pattern->length; length >= REDACT_PREFIX; length--)
        if (may_be_cut(at + length, end))
            return length;
    return 0;
}

/* If a quotation starts within a secret (a server quotes a statement from its fault on): the length of that suffix, or 0. */
static size_t quoted_end(const struct redactor *redactor, const struct policy *policy, const char *text, size_t length, size_t at)
{
    size_t longest = 0;

    if (at == 0 || strchr("'\"`", text[at - 1]) == NULL)
        return 0;
    for (size_t first = 0; first <= UCHAR_MAX; first++)
        for (const struct pattern *pattern = redactor->patterns[first]; pattern != NULL; pattern = pattern->next) {
            size_t most = pattern->length < length - at ? pattern->length : length - at;
            if (pattern->alone || (pattern->plain && !policy->plain_too))
                continue;
            if (most > LONGEST_QUOTED)
                most = LONGEST_QUOTED;
            for (size_t count = most; count >= REDACT_PREFIX && count > longest; count--)
                if (memcmp(pattern->text + pattern->length - count, text + at, count) == 0)
                    longest = count;
        }
    return longest;
}

static bool is_alone(const char *text, size_t length, size_t at, size_t end)
{
    return (at == 0 || !is_word((unsigned char)text[at - 1])) && (end == length || !is_word((unsigned char)text[end]));
}

/* The length of the longest secret that begins at `at`, or 0. */
static size_t longest_match(const struct redactor *redactor, const struct policy *policy, const char *text, size_t length,
                            size_t at)
{
    const struct pattern *pattern = redactor->patterns[(unsigned char)text[at]];
    size_t longest = 0;

    for (; pattern != NULL && pattern->length > longest; pattern = pattern->next) {
        if (pattern->plain && !policy->plain_too)
            continue;
        size_t end = at + pattern->length;
        if (pattern->length <= length - at && memcmp(pattern->text, text + at, pattern->length) == 0) {
            if (!pattern->alone || is_alone(text, length, at, end))
                return pattern->length;
        } else if (policy->prefixes != PREFIX_NEVER) {
            size_t prefix = prefix_match(pattern, text + at, text + length);
            bool is_whole = at == 0 && prefix == length;
            if (prefix > longest && !(is_whole && policy->prefixes == PREFIX_INSIDE))
                longest = prefix;
        }
    }
    return longest;
}

/* Overlapping secrets are masked as one, so that no part of either remains. */
static void mask(const struct redactor *redactor, const struct policy *policy, const char *text, size_t length,
                 struct buffer *out)
{
    size_t kept_from = 0; /* the start of what is not yet written, unless masked_to is later */
    size_t masked_to = 0; /* end of the mask that is open; 0: none */

    for (size_t i = 0; i < length; i++) {
        size_t match = longest_match(redactor, policy, text, length, i);
        if (match == 0 && policy->prefixes != PREFIX_NEVER)
            match = quoted_end(redactor, policy, text, length, i);
        if (match == 0)
            continue;
        if (masked_to == 0 || i >= masked_to) {
            size_t from = masked_to > kept_from ? masked_to : kept_from;
            buffer_append(out, text + from, i - from);
            buffer_append_text(out, REDACT_MASK);
        }
        if (i + match > masked_to)
            masked_to = i + match;
        kept_from = masked_to;
    }
    buffer_append(out, text + kept_from, length - kept_from);
}

static char *masked(struct redactor *redactor, const struct policy *policy, const char *text, size_t length)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(SIZE_MAX / 2);

    if (pthread_rwlock_rdlock(&redactor->lock) != 0)
        return NULL;
    if (redactor->empty)
        buffer_append(&out, text, length);
    else
        mask(redactor, policy, text, length, &out);
    (void)pthread_rwlock_unlock(&redactor->lock);
    return buffer_steal(&out);
}

char *redactor_text(struct redactor *redactor, const char *text, size_t length)
{
    return masked(redactor, &text_policy, text, length);
}

char *redactor_record_text(struct redactor *redactor, const char *text)
{
    return masked(redactor, &record_policy, text, strlen(text));
}

/* Whether everything from here on is a prefix of a secret. */
static bool is_open(const struct redactor *redactor, const char *at, const char *end)
{
    const struct pattern *pattern = redactor->patterns[(unsigned char)*at];

    for (; pattern != NULL && pattern->length > (size_t)(end - at); pattern = pattern->next)
        if (memcmp(pattern->text, at, (size_t)(end - at)) == 0)
            return true;
    return false;
}

/* A mask that extends into the held-back part is held back, too. */
size_t redactor_settled(struct redactor *redactor, const char *text, size_t length)
{
    size_t mask_from = 0, mask_to = 0, settled = 0;

    if (pthread_rwlock_rdlock(&redactor->lock) != 0)
        return 0;
    for (; settled < length && !is_open(redactor, text + settled, text + length); settled++) {
        size_t match = longest_match(redactor, &whole_policy, text, length, settled);
        if (match > 0 && settled >= mask_to)
            mask_from = settled;
        if (settled + match > mask_to)
            mask_to = settled + match;
    }
    (void)pthread_rwlock_unlock(&redactor->lock);
    return settled < mask_to ? mask_from : settled;
}

char *redactor_short_text(struct redactor *redactor, const char *text)
{
    char *clean = redactor_text(redactor, text, strlen(text));
    size_t length = clean == NULL ? 0 : strlen(clean), kept = REDACT_TEXT_MAXIMUM - CUT_ROOM;

    if (length <= REDACT_TEXT_MAXIMUM)
        return clean;
    /* Not within a character. */
    while (kept > REDACT_TEXT_MAXIMUM - CUT_ROOM - 4 && ((unsigned char)clean[kept] & 0xc0) == 0x80)
        kept--;
    snprintf(clean + kept, length - kept + 1, CUT_MARK, length);
    return clean;
}

/* JSON. */

static json_object *copy_value(struct redactor *redactor, const struct policy *policy, json_object *value);

static json_object *copy_string(struct redactor *redactor, const struct policy *policy, json_object *value)
{
    _cleanup_free_ char *text = masked(redactor, policy, json_object_get_string(value),
                                       (size_t)json_object_get_string_len(value));

    return text == NULL ? NULL : json_string(text);
}

/* As the shortest text that reads back as the same number; JSON has no infinities. */
static json_object *copy_double(json_object *value)
{
    double number = json_object_get_double(value);
    char text[40];

    if (!isfinite(number))
        return NULL;
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        strcat(text, ".0");
    return json_object_new_double_s(number, text);
}

static json_object *copy_array(struct redactor *redactor, const struct policy *policy, json_object *value)
{
    json_object *copy = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(value); i++)
        json_append(copy, copy_value(redactor, policy, json_object_array_get_idx(value, i)));
    return copy;
}

/* "key" alone names a secret in a config, but is a plain word in events and the like. */
static bool is_masked_whole(const char *key, json_object *value)
{
    if (strcmp(key, "key") == 0)
        return false;
    switch (json_object_get_type(value)) {
    case json_type_string:
    case json_type_int:
    case json_type_double:
    case json_type_array:
        return redact_key_is_secret(key);
    default:
        return false;
    }
}

static json_object *copy_object(struct redactor *redactor, const struct policy *policy, json_object *value)
{
    const struct policy *keys = policy->plain_keys ? policy : &record_policy;
    json_object *copy = json_object_new_object();

    json_object_object_foreach(value, key, member)
    {
        _cleanup_free_ char *clean = masked(redactor, keys, key, strlen(key));
        if (clean != NULL)
            json_add(copy, clean,
                     is_masked_whole(key, member) ? json_string(REDACT_MASK)
                                                  : copy_value(redactor, policy, member));
    }
    return copy;
}

static json_object *copy_value(struct redactor *redactor, const struct policy *policy, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return NULL;
    case json_type_boolean:
        return json_object_new_boolean(json_object_get_boolean(value));
    case json_type_double:
        return copy_double(value);
    case json_type_int:
        if (json_object_get_int64(value) == INT64_MAX)
            return json_object_new_uint64(json_object_get_uint64(value));
        return json_object_new_int64(json_object_get_int64(value));
    case json_type_object:
        return copy_object(redactor, policy, value);
    case json_type_array:
        return copy_array(redactor, policy, value);
    case json_type_string:
        return copy_string(redactor, policy, value);
    }
    return NULL;
}

json_object *redactor_json(struct redactor *redactor, json_object *value)
{
    return copy_value(redactor, &value_policy, value);
}

json_object *redactor_event(struct redactor *redactor, json_object *value)
{
    return copy_value(redactor, &event_policy, value);
}

json_object *redactor_record(struct redactor *redactor, json_object *value)
{
    return copy_value(redactor, &record_policy, value);
}

/* Errors. */

static void mask_in_place(struct redactor *redactor, const struct policy *policy, char **text)
{
    char *clean = *text == NULL ? NULL : masked(redactor, policy, *text, strlen(*text));

    if (clean == NULL && *text != NULL)
        clean = strdup("out of memory");
    free(*text);
    *text = clean;
}

void redactor_error(struct redactor *redactor, struct osiris_error *error)
{
    mask_in_place(redactor, &text_policy, &error->message);
    mask_in_place(redactor, &text_policy, &error->hint);
    mask_in_place(redactor, &text_policy, &error->native_state);
    /* The type is looked up, so it is not masked. */
    mask_in_place(redactor, &record_policy, &error->option);
}
