/* What everybody on a stream's way holds its messages to; see wire-batch.h and docs/protocol.md, "Streams". */
#include <string.h>

#include "core/json-access.h"
#include "core/wire-batch.h"

static bool are_numbers(json_object *list)
{
    size_t count = json_array_count(list);

    for (size_t i = 0; i < count; i++)
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_int))
            return false;
    return true;
}

static bool is_codec(json_object *codec)
{
    return json_object_is_type(codec, json_type_string) &&
           (strcmp(json_object_get_string(codec), "lz4") == 0 ||
            strcmp(json_object_get_string(codec), "zstd") == 0);
}

/* Of all buffers when they are decompressed, each to the next multiple of WIRE_ALIGNMENT; -1: too many. */
static int64_t decompressed_length(json_object *buffers)
{
    size_t count = json_array_count(buffers);
    int64_t total = 0;

    for (size_t i = 2; i < count; i += 3) {
        int64_t length = json_object_get_int64(json_object_array_get_idx(buffers, i));
        if (length < 0 || length > WIRE_MAXIMUM_BODY)
            return -1;
        total += (length + WIRE_ALIGNMENT - 1) / WIRE_ALIGNMENT * WIRE_ALIGNMENT;
        if (total > WIRE_MAXIMUM_BODY)
            return -1;
    }
    return total;
}

const char *wire_batch_weigh(json_object *data, int64_t *weight)
{
    json_object *nodes = json_member(data, "nodes"), *buffers = json_member(data, "buffers");
    json_object *codec = json_member(data, "codec");
    size_t node_numbers = json_array_count(nodes), buffer_numbers = json_array_count(buffers);
    int64_t body = json_member_integer(data, "body", -1);

    if (body < 0 || body > WIRE_MAXIMUM_BODY)
        return "a batch is too long";
    if (node_numbers == 0 || node_numbers % 3 != 0 || buffer_numbers > 3 * node_numbers ||
        buffer_numbers % (codec == NULL ? 2 : 3) != 0 || !are_numbers(nodes) ||
        !are_numbers(buffers) || (codec != NULL && !is_codec(codec)))
        return "a batch has another header than batches have";
    int64_t decompressed = codec == NULL ? 0 : decompressed_length(buffers);
    if (decompressed < 0)
        return "a batch is too long when decompressed";
    *weight = WIRE_BATCH_WEIGHT + (int64_t)(node_numbers / 3) * WIRE_ARRAY_WEIGHT + body + decompressed;
    return NULL;
}

const char *wire_part_is_wrong(int64_t left, size_t length)
{
    if ((int64_t)length > left || (length == 0 && left > 0))
        return "the parts of a batch do not make up its length";
    return (int64_t)length < left && length < WIRE_MINIMUM_PART ? "a part of a batch is too short" : NULL;
}

static bool is_one_of(const char *key, const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static void keep_only(json_object *object, const char *const *keys)
{
    if (!json_object_is_type(object, json_type_object))
        return;
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        if (!is_one_of(key, keys))
            json_object_object_del(object, key);
    }
}

void wire_strip(json_object *message)
{
    static const char *const of_message[] = {"type", "data", NULL};
    static const char *const of_data[] = {"stream", "schema", "body",  "nodes", "buffers",
                                          "codec",  "bytes",  NULL};

    keep_only(message, of_message);
    keep_only(json_member(message, "data"), of_data);
}
