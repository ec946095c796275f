/* Schemas on the wire; see batch.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/arrow/check.h"
#include "core/arrow/share.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"

#define MAXIMUM_METADATA (1 << 20)

static int out_of_memory(struct osiris_error *error)
{
    return osiris_error_set_errno(error, ENOMEM, "cannot send a schema");
}

static char *to_hexadecimal(const char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * length + 1);

    for (size_t i = 0; text != NULL && i < length; i++) {
        text[2 * i] = digits[(unsigned char)bytes[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)bytes[i] & 15];
    }
    if (text != NULL)
        text[2 * length] = '\0';
    return text;
}

static int add_metadata(const struct ArrowSchema *schema, json_object *object, struct osiris_error *error)
{
    if (schema->metadata == NULL)
        return 0;
    _cleanup_free_ char *text =
        to_hexadecimal(schema->metadata, arrow_metadata_length(schema->metadata));
    json_add_string(object, "metadata", text);
    return text == NULL ? out_of_memory(error) : 0;
}

static json_object *encode(const struct ArrowSchema *schema, int depth, struct osiris_error *error)
{
    json_object *object = json_object_new_object(), *children = NULL;

    if (depth > WIRE_MAXIMUM_NESTING) {
        osiris_error_set(error, OSIRIS_ERROR_DATA,
                         "the column type is nested deeper than %d levels and cannot be sent between places",
                         WIRE_MAXIMUM_NESTING);
        json_object_put(object);
        return NULL;
    }
    json_add_string(object, "format", schema->format);
    if (schema->name != NULL && schema->name[0] != '\0')
        json_add_string(object, "name", schema->name);
    if (schema->flags != 0)
        json_add_integer(object, "flags", schema->flags);
    bool failed = add_metadata(schema, object, error) < 0;
    if (schema->n_children > 0) {
        children = json_object_new_array();
        json_add(object, "children", children);
    }
    for (int64_t i = 0; !failed && i < schema->n_children; i++) {
        json_object *child = encode(schema->children[i], depth + 1, error);
        failed = child == NULL;
        if (child != NULL)
            json_append(children, child);
    }
    if (!failed && schema->dictionary != NULL) {
        json_object *dictionary = encode(schema->dictionary, depth + 1, error);
        failed = dictionary == NULL;
        if (dictionary != NULL)
            json_add(object, "dictionary", dictionary);
    }
    if (!failed)
        return object;
    json_object_put(object);
    return NULL;
}

json_object *wire_schema_encode(const struct ArrowSchema *schema, struct osiris_error *error)
{
    return encode(schema, 0, error);
}

/* Decoding. */

static int malformed(struct osiris_error *error, const char *what)
{
    return osiris_error_set_violation(error, "a schema %s", what);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The C data interface's encoding: the number of pairs, then lengths and bytes; it must fill its `length` exactly. */
static bool is_metadata(const char *bytes, size_t length)
{
    size_t at = sizeof(int32_t);
    int32_t pairs, part;

    if (length < at)
        return false;
    memcpy(&pairs, bytes, sizeof pairs);
    if (pairs < 0)
        return false;
    for (int64_t i = 0; i < 2 * (int64_t)pairs; i++) {
        if (length - at < sizeof part)
            return false;
        memcpy(&part, bytes + at, sizeof part);
        at += sizeof part;
        if (part < 0 || (size_t)part > length - at)
            return false;
        at += (size_t)part;
    }
    return at == length;
}

static int decode_metadata(const char *text, struct ArrowSchema *out, struct osiris_error *error)
{
    size_t length = strlen(text) / 2;

    if (length > MAXIMUM_METADATA)
        return malformed(error, "has too much metadata");
    if (strlen(text) % 2 != 0)
        return malformed(error, "has metadata with an odd number of digits");
    char *bytes = malloc(length + 1);
    if (bytes == NULL)
        return out_of_memory(error);
    out->metadata = bytes;
    for (size_t i = 0; i < length; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return malformed(error, "has metadata that is not hexadecimal");
        bytes[i] = (char)(high << 4 | low);
    }
    return is_metadata(bytes, length) ? 0 : malformed(error, "has malformed metadata");
}

static int decode(json_object *object, int depth, struct ArrowSchema *out,
                  struct osiris_error *error);

static int decode_children(json_object *children, int depth, struct ArrowSchema *out,
                           struct osiris_error *error)
{
    size_t count = json_array_count(children);

    if (children != NULL && !json_object_is_type(children, json_type_array))
        return malformed(error, "has children that are not a list");
    if (count > ARROW_MAXIMUM_COLUMNS)
        return malformed(error, "has too many columns");
    if (count == 0)
        return 0;
    out->children = calloc(count, sizeof(struct ArrowSchema *));
    if (out->children == NULL)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++) {
        out->children[i] = calloc(1, sizeof(struct ArrowSchema));
        out->n_children = (int64_t)i + 1;
        if (decode(json_object_array_get_idx(children, i), depth + 1, out->children[i], error) < 0)
            return -1;
    }
    return 0;
}

static int decode_members(json_object *object, int depth, struct ArrowSchema *out,
                          struct osiris_error *error)
{
    const char *format = json_member_string(object, "format", NULL);
    const char *metadata = json_member_string(object, "metadata", NULL);
    json_object *dictionary = json_member(object, "dictionary");

    if (depth > WIRE_MAXIMUM_NESTING)
        return malformed(error, "is nested too deeply");
    if (format == NULL)
        return malformed(error, "has no format");
    out->flags = json_member_integer(object, "flags", 0) &
                 (ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE | ARROW_FLAG_MAP_KEYS_SORTED);
    out->format = strdup(format);
    out->name = strdup(json_member_string(object, "name", ""));
    if (out->format == NULL || out->name == NULL)
        return out_of_memory(error);
    if (metadata != NULL && decode_metadata(metadata, out, error) < 0)
        return -1;
    if (decode_children(json_member(object, "children"), depth, out, error) < 0)
        return -1;
    if (dictionary == NULL)
        return 0;
    out->dictionary = calloc(1, sizeof *out->dictionary);
    return decode(dictionary, depth + 1, out->dictionary, error);
}

static int decode(json_object *object, int depth, struct ArrowSchema *out,
                  struct osiris_error *error)
{
    *out = (struct ArrowSchema){.release = arrow_schema_release};
    if (decode_members(object, depth, out, error) == 0)
        return 0;
    arrow_schema_release(out);
    return -1;
}

int wire_schema_decode(json_object *object, struct ArrowSchema *out, struct osiris_error *error)
{
    if (decode(object, 0, out, error) < 0)
        return -1;
    if (arrow_check_schema(out, error) == 0)
        return 0;
    osiris_error_blame_peer(error, "a schema");
    out->release(out);
    return -1;
}
