/* Canonical JSON; see canonical-json.h. */
#include "orchestrator/base/canonical-json.h"

#include <ctype.h>
#include <string.h>

#include "core/base/json-build.h"
#include "core/base/json-text.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys in order, borrowed from the object; NULL: out of memory. */
static const char **sorted_keys(json_object *object, size_t *count)
{
    const char **keys = calloc((size_t)json_object_object_length(object) + 1, sizeof *keys);

    *count = 0;
    if (keys == NULL)
        return NULL;
    json_object_object_foreach(object, key, unused)
    {
        (void)unused;
        keys[(*count)++] = key;
    }
    qsort(keys, *count, sizeof *keys, by_bytes);
    return keys;
}

static int append_string(const char *text, struct buffer *buffer)
{
    _cleanup_json_ json_object *string = json_string(text);

    return buffer_append_text(buffer, json_text(string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL));
}

static void append_object(json_object *value, struct buffer *buffer)
{
    size_t count;
    _cleanup_free_ const char **keys = sorted_keys(value, &count);

    if (keys == NULL) {
        buffer->failed = true;
        return;
    }
    buffer_append_char(buffer, '{');
    for (size_t i = 0; i < count; i++) {
        json_object *member = NULL;
        json_object_object_get_ex(value, keys[i], &member);
        if (i > 0)
            buffer_append_char(buffer, ',');
        append_string(keys[i], buffer);
        buffer_append_char(buffer, ':');
        canonical_json(member, buffer);
    }
    buffer_append_char(buffer, '}');
}

int canonical_json(json_object *value, struct buffer *buffer)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return buffer_append_text(buffer, "null");
    case json_type_string:
        return append_string(json_object_get_string(value), buffer);
    case json_type_object:
        append_object(value, buffer);
        break;
    case json_type_array:
        buffer_append_char(buffer, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            if (i > 0)
                buffer_append_char(buffer, ',');
            canonical_json(json_object_array_get_idx(value, i), buffer);
        }
        buffer_append_char(buffer, ']');
        break;
    default:
        buffer_append_text(buffer, json_text(value, JSON_C_TO_STRING_PLAIN, NULL));
    }
    return buffer->failed ? -1 : 0;
}

/* YAML. JSON's strings are YAML's double-quoted ones, so quoting is never wrong, only ugly. */

static bool reads_as_itself(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

    if (!isalpha((unsigned char)text[0]) && text[0] != '_' && text[0] != '/')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_-./", *c) == NULL)
            return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    return true;
}

static void append_yaml(json_object *value, struct buffer *buffer, unsigned indent, bool in_list);

/* Characters that JSON allows unescaped, but YAML does not, or only as a line break: DEL, C1, line separators, the byte
 * order mark. Returns its length in bytes; 0: none of these. */
static size_t unprintable(const char *at, unsigned *code)
{
    const unsigned char *c = (const unsigned char *)at;

    *code = c[0];
    if (c[0] == 0x7f)
        return 1;
    *code = c[1];
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
        return 2;
    if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9)) {
        *code = 0x2000u + (c[2] & 0x3fu);
        return 3;
    }
    *code = 0xfeff;
    return c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf ? 3 : 0;
}

static void append_yaml_word(const char *text, struct buffer *buffer)
{
    _cleanup_buffer_ struct buffer quoted = BUFFER_INIT(buffer->maximum);
    unsigned code;

    if (reads_as_itself(text)) {
        buffer_append_text(buffer, text);
        return;
    }
    if (append_string(text, &quoted) < 0)
        buffer->failed = true;
    for (const char *at = quoted.data; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\x7f\xc2\xe2\xef");
        buffer_append(buffer, at, length);
        at += length;
        if (*at == '\0')
            break;
        length = unprintable(at, &code);
        if (length == 0)
            buffer_append_char(buffer, *at++);
        else
            buffer_append_format(buffer, "\\u%04x", code);
        at += length;
    }
}

static void append_indent(struct buffer *buffer, unsigned indent)
{
    buffer_append_format(buffer, "%*s", (int)indent, "");
}

static bool is_block(json_object *value)
{
    return (json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0) ||
           (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0);
}

static void append_yaml_object(json_object *value, struct buffer *buffer, unsigned indent,
                               bool in_list)
{
    size_t count;
    _cleanup_free_ const char **keys = sorted_keys(value, &count);

    for (size_t i = 0; i < count; i++) {
        json_object *member = NULL;
        json_object_object_get_ex(value, keys[i], &member);
        /* The first key of a list item follows the dash. */
        if (!in_list || i > 0)
            append_indent(buffer, indent);
        append_yaml_word(keys[i], buffer);
        buffer_append_char(buffer, ':');
        if (is_block(member)) {
            buffer_append_char(buffer, '\n');
            append_yaml(member, buffer,
                        indent + (json_object_is_type(member, json_type_array) ? 0 : 2), false);
        } else {
            buffer_append_char(buffer, ' ');
            append_yaml(member, buffer, indent, false);
        }
    }
}

static void append_yaml(json_object *value, struct buffer *buffer, unsigned indent, bool in_list)
{
    if (!is_block(value)) {
        if (json_object_is_type(value, json_type_string))
            append_yaml_word(json_object_get_string(value), buffer);
        else
            canonical_json(value, buffer);
        buffer_append_char(buffer, '\n');
        return;
    }
    if (json_object_is_type(value, json_type_object)) {
        append_yaml_object(value, buffer, indent, in_list);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        if (!in_list || i > 0)
            append_indent(buffer, indent);
        buffer_append_text(buffer, "- ");
        append_yaml(json_object_array_get_idx(value, i), buffer, indent + 2, true);
    }
}

int canonical_yaml(json_object *value, struct buffer *buffer)
{
    append_yaml(value, buffer, 0, false);
    return buffer->failed ? -1 : 0;
}
