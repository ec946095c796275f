/* msgpack ↔ JSON values, with everything a peer sends checked before it is used; see message.h. */
#include "core/wire/message.h"

#include <endian.h>
#include <math.h>
#include <msgpack.h>
#include <string.h>

#include "core/base/utf8.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    size_t weight;
    struct osiris_error *error;
};

static json_object *read_value(struct reader *reader, unsigned depth);

static int refuse(struct reader *reader, const char *what)
{
    if (reader->error != NULL && reader->error->category == 0)
        osiris_error_set_violation(reader->error, "%s", what);
    return -1;
}

/* Reads a big-endian unsigned integer of 1, 2, 4 or 8 bytes. */
static int read_unsigned(struct reader *reader, size_t size, uint64_t *value)
{
    uint64_t wide = 0;

    if ((size_t)(reader->end - reader->at) < size)
        return refuse(reader, "a message is truncated");
    memcpy((uint8_t *)&wide + (8 - size), reader->at, size);
    *value = be64toh(wide);
    reader->at += size;
    return 0;
}

/* A string of `length` bytes, checked; borrowed from the message. */
static const char *take_string(struct reader *reader, uint64_t length)
{
    const char *text = (const char *)reader->at;

    if (length > (uint64_t)(reader->end - reader->at)) {
        refuse(reader, "a string is truncated");
        return NULL;
    }
    if (memchr(text, '\0', (size_t)length) != NULL || !utf8_is_valid(text, (size_t)length)) {
        refuse(reader, "a string is not UTF-8 or has a NUL byte");
        return NULL;
    }
    reader->at += length;
    return text;
}

static json_object *read_string(struct reader *reader, uint64_t length)
{
    const char *text = take_string(reader, length);

    return text == NULL ? NULL : json_object_new_string_len(text, (int)length);
}

/* The length of a string whose type byte has been read as `type`; -1 if it is not a string. */
static int string_length(struct reader *reader, uint8_t type, uint64_t *length)
{
    if (type >= 0xa0 && type <= 0xbf) {
        *length = type & 0x1f;
        return 0;
    }
    if (type < 0xd9 || type > 0xdb)
        return refuse(reader, "a map's key is not a string");
    return read_unsigned(reader, (size_t)1 << (type - 0xd9), length);
}

/* Borrowed from the message, as take_string's result is. */
static const char *read_key(struct reader *reader, size_t *length)
{
    uint64_t wide;
    uint64_t type;

    if (read_unsigned(reader, 1, &type) < 0 ||
        string_length(reader, (uint8_t)type, &wide) < 0)
        return NULL;
    *length = (size_t)wide;
    return take_string(reader, wide);
}

/* The key has no NUL byte at its end, and json-c wants one. Takes `value`. -1: there is not the memory for it. */
static int add_member(json_object *object, const char *key, size_t length, json_object *value)
{
    char small[64], *text = length < sizeof small ? small : malloc(length + 1);
    int result = -1;

    if (text != NULL) {
        memcpy(text, key, length);
        text[length] = '\0';
        result = json_object_object_add(object, text, value);
    }
    if (text != small)
        free(text);
    if (result < 0)
        json_object_put(value);
    return result;
}

static int weigh(struct reader *reader, size_t weight)
{
    reader->weight += weight;
    return reader->weight > MESSAGE_MAXIMUM_WEIGHT ? refuse(reader, "a message has too many values") : 0;
}

static json_object *read_map(struct reader *reader, uint64_t count, unsigned depth)
{
    /* A pair takes two bytes at least, so a count that bytes can't back costs nothing. */
    if (count > (uint64_t)(reader->end - reader->at) / 2) {
        refuse(reader, "a map is longer than its message");
        return NULL;
    }
    if (weigh(reader, MESSAGE_MAP_WEIGHT - 1 + (size_t)count * MESSAGE_KEY_WEIGHT) < 0)
        return NULL;
    _cleanup_json_ json_object *object = json_object_new_object();
    for (uint64_t i = 0; i < count; i++) {
        size_t length;
        const char *key = read_key(reader, &length);
        if (key == NULL)
            return NULL;
        json_object *value = read_value(reader, depth + 1);
        if (reader->error->category != 0) {
            json_object_put(value);
            return NULL;
        }
        if (add_member(object, key, length, value) < 0) {
            refuse(reader, "out of memory");
            return NULL;
        }
        /* A key that is there is replaced. */
        if ((uint64_t)json_object_object_length(object) != i + 1) {
            refuse(reader, "a map has a duplicate key");
            return NULL;
        }
    }
    return steal_pointer(&object);
}

static json_object *read_array(struct reader *reader, uint64_t count, unsigned depth)
{
    if (count > (uint64_t)(reader->end - reader->at)) {
        refuse(reader, "an array is longer than its message");
        return NULL;
    }
    if (weigh(reader, MESSAGE_ARRAY_WEIGHT - 1) < 0)
        return NULL;
    _cleanup_json_ json_object *array = json_object_new_array();
    for (uint64_t i = 0; i < count; i++) {
        json_object *value = read_value(reader, depth + 1);
        if (reader->error->category != 0 || json_object_array_add(array, value) < 0) {
            json_object_put(value);
            return NULL;
        }
    }
    return steal_pointer(&array);
}

static json_object *read_double(struct reader *reader, size_t size)
{
    uint64_t bits;
    double value;

    if (read_unsigned(reader, size, &bits) < 0)
        return NULL;
    if (size == 4) {
        uint32_t narrow = (uint32_t)bits;
        float single;
        memcpy(&single, &narrow, sizeof single);
        value = (double)single;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    if (!isfinite(value)) {
        refuse(reader, "a number is not finite");
        return NULL;
    }
    return json_object_new_double(value);
}

static json_object *read_integer(struct reader *reader, uint8_t type)
{
    size_t size = (size_t)1 << (type & 3);
    uint64_t bits;

    if (read_unsigned(reader, size, &bits) < 0)
        return NULL;
    if (type <= 0xcf)
        return bits > INT64_MAX ? json_object_new_uint64(bits)
                                : json_object_new_int64((int64_t)bits);
    /* Sign-extend from its width. */
    unsigned unused = 64 - 8 * (unsigned)size;
    return json_object_new_int64((int64_t)(bits << unused) >> unused);
}

static json_object *read_collection(struct reader *reader, uint8_t type, unsigned depth)
{
    uint64_t count;

    if (read_unsigned(reader, type & 1 ? 4 : 2, &count) < 0)
        return NULL;
    return type <= 0xdd ? read_array(reader, count, depth) : read_map(reader, count, depth);
}

/* NULL is also msgpack's nil; the error distinguishes them. */
static json_object *read_typed(struct reader *reader, uint8_t type, unsigned depth)
{
    uint64_t length;

    if (type <= 0x7f)
        return json_object_new_int64(type);
    if (type <= 0x8f)
        return read_map(reader, type & 0x0f, depth);
    if (type <= 0x9f)
        return read_array(reader, type & 0x0f, depth);
    if (type <= 0xbf || (type >= 0xd9 && type <= 0xdb))
        return string_length(reader, type, &length) < 0 ? NULL : read_string(reader, length);
    if (type >= 0xe0)
        return json_object_new_int64((int8_t)type);
    if (type >= 0xcc && type <= 0xd3)
        return read_integer(reader, type);
    if (type >= 0xdc && type <= 0xdf)
        return read_collection(reader, type, depth);
    switch (type) {
    case 0xc0:
        return NULL;
    case 0xc2:
    case 0xc3:
        return json_object_new_boolean(type == 0xc3);
    case 0xca:
        return read_double(reader, 4);
    case 0xcb:
        return read_double(reader, 8);
    default:
        refuse(reader, "a value has a type that messages must not contain");
        return NULL;
    }
}

static json_object *read_value(struct reader *reader, unsigned depth)
{
    uint64_t type;

    if (depth > MESSAGE_MAXIMUM_DEPTH) {
        refuse(reader, "a message is nested too deeply");
        return NULL;
    }
    if (weigh(reader, 1) < 0)
        return NULL;
    if (read_unsigned(reader, 1, &type) < 0)
        return NULL;
    json_object *value = read_typed(reader, (uint8_t)type, depth);
    if (value == NULL && type != 0xc0)
        refuse(reader, "out of memory");
    return value;
}

json_object *message_decode(const uint8_t *bytes, size_t length, struct osiris_error *error)
{
    _cleanup_error_ struct osiris_error own = OSIRIS_ERROR_INIT;
    struct reader reader = {.at = bytes, .end = bytes + length, .error = &own};
    _cleanup_json_ json_object *message = read_value(&reader, 1);

    if (own.category == 0 && reader.at != reader.end)
        refuse(&reader, "bytes follow a message");
    if (own.category == 0 && !json_object_is_type(message, json_type_object))
        refuse(&reader, "a message is not a map");
    if (own.category != 0) {
        osiris_error_move(error, &own);
        return NULL;
    }
    return steal_pointer(&message);
}

/* Encoding, with msgpack-c's packer into a struct buffer. */

static int write_bytes(void *context, const char *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

/* A peer refuses text that is not UTF-8 or has NUL bytes, and with it the whole channel; but what drivers say
 * (servers' messages, names of files) may be anything: each byte that cannot pass becomes '?'. */
static void pack_unclean_string(msgpack_packer *packer, const char *text, size_t length)
{
    _cleanup_free_ char *clean = malloc(length + 1);

    for (size_t i = 0; clean != NULL && i < length;) {
        size_t size = 1;
        while (size <= 4 && i + size <= length && !utf8_is_valid(text + i, size))
            size++;
        if (size > 4 || i + size > length || text[i] == '\0') {
            clean[i++] = '?';
            continue;
        }
        memcpy(clean + i, text + i, size);
        i += size;
    }
    msgpack_pack_str(packer, clean == NULL ? 0 : length);
    if (clean != NULL)
        msgpack_pack_str_body(packer, clean, length);
}

static void pack_string(msgpack_packer *packer, const char *text, size_t length)
{
    if (memchr(text, '\0', length) != NULL || !utf8_is_valid(text, length)) {
        pack_unclean_string(packer, text, length);
        return;
    }
    msgpack_pack_str(packer, length);
    msgpack_pack_str_body(packer, text, length);
}

static void pack_integer(msgpack_packer *packer, json_object *value)
{
    int64_t number = json_object_get_int64(value);

    /* json-c clips an unsigned one at INT64_MAX. */
    if (number == INT64_MAX)
        msgpack_pack_uint64(packer, json_object_get_uint64(value));
    else
        msgpack_pack_int64(packer, number);
}

static int pack_value(msgpack_packer *packer, json_object *value, unsigned depth)
{
    if (depth > MESSAGE_MAXIMUM_DEPTH)
        return -1;
    switch (json_object_get_type(value)) {
    case json_type_null:
        msgpack_pack_nil(packer);
        return 0;
    case json_type_boolean:
        json_object_get_boolean(value) ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        return 0;
    case json_type_double:
        if (!isfinite(json_object_get_double(value)))
            msgpack_pack_nil(packer);
        else
            msgpack_pack_double(packer, json_object_get_double(value));
        return 0;
    case json_type_int:
        pack_integer(packer, value);
        return 0;
    case json_type_string:
        pack_string(packer, json_object_get_string(value),
                    (size_t)json_object_get_string_len(value));
        return 0;
    case json_type_array:
        msgpack_pack_array(packer, json_object_array_length(value));
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (pack_value(packer, json_object_array_get_idx(value, i), depth + 1) < 0)
                return -1;
        return 0;
    case json_type_object:
        msgpack_pack_map(packer, (size_t)json_object_object_length(value));
        json_object_object_foreach(value, key, member)
        {
            pack_string(packer, key, strlen(key));
            if (pack_value(packer, member, depth + 1) < 0)
                return -1;
        }
        return 0;
    }
    return -1;
}

int message_encode(json_object *message, struct buffer *buffer, struct osiris_error *error)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, buffer, write_bytes);
    if (pack_value(&packer, message, 1) < 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "a message is nested too deeply to be sent");
    if (buffer->starved)
        return osiris_error_set_errno(error, ENOMEM, "cannot send a message");
    if (buffer->failed)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "a message is too long to be sent (the maximum is %zu bytes)",
                                buffer->maximum);
    return 0;
}
