/* The rules for a stream's messages that everybody on its way checks; see batch.h and docs/protocol.md, "Streams". */
#include <string.h>

#include "core/arrow/check.h"
#include "core/base/json-access.h"
#include "core/base/one-of.h"
#include "core/wire/batch.h"

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

/* With one more buffer when it is decompressed, to the next multiple of WIRE_ALIGNMENT; -1: too many. */
static int64_t add_decompressed(int64_t total, int64_t length)
{
    if (total < 0 || length < 0 || length > WIRE_MAXIMUM_BODY)
        return -1;
    total += (length + WIRE_ALIGNMENT - 1) / WIRE_ALIGNMENT * WIRE_ALIGNMENT;
    return total > WIRE_MAXIMUM_BODY ? -1 : total;
}

/* `node_numbers`, `buffer_numbers`: the number of entries; `numbers_each`: entries per buffer. */
static const char *weigh(int64_t body, size_t node_numbers, size_t buffer_numbers,
                         size_t numbers_each, int64_t decompressed, int64_t *weight)
{
    if (body < 0 || body > WIRE_MAXIMUM_BODY)
        return "a batch is too long";
    if (node_numbers == 0 || node_numbers % 3 != 0 || buffer_numbers > 3 * node_numbers ||
        buffer_numbers % numbers_each != 0)
        return "the header of a batch is malformed";
    if (decompressed < 0)
        return "a batch is too long when decompressed";
    *weight = WIRE_BATCH_WEIGHT + (int64_t)(node_numbers / 3) * WIRE_ARRAY_WEIGHT + body + decompressed;
    return NULL;
}

static int64_t number_at(json_object *list, size_t index)
{
    return json_object_get_int64(json_object_array_get_idx(list, index));
}

/* What no schema allows an array to be. */
static bool are_nodes(json_object *nodes)
{
    size_t count = json_array_count(nodes);

    for (size_t i = 0; i + 2 < count; i += 3) {
        int64_t length = number_at(nodes, i), null_count = number_at(nodes, i + 1), offset = number_at(nodes, i + 2);
        if (length < 0 || length > ARROW_MAXIMUM_ROWS || null_count < -1 || null_count > length || offset < 0 ||
            offset > 7)
            return false;
    }
    return true;
}

/* Whether every buffer is within a body of that length, after the previous one. */
static const char *check_buffers(json_object *buffers, const char *codec, int64_t body)
{
    size_t count = json_array_count(buffers), each = codec == NULL ? 2 : 3;
    int64_t end = 0;

    for (size_t i = 0; i + each <= count; i += each) {
        int64_t offset = number_at(buffers, i), length = number_at(buffers, i + 1);
        int64_t raw_length = codec == NULL ? 0 : number_at(buffers, i + 2);
        if (offset < 0 || length < 0 || offset % WIRE_ALIGNMENT != 0)
            return "a batch has a buffer at an invalid position";
        if (raw_length > 0 &&
            (length == 0 || (uint64_t)raw_length > wire_decompressed_bound(codec, (size_t)length)))
            return "a batch claims more than its compressed bytes can contain";
        if (length == 0)
            continue;
        if (offset < end || offset > body || length > body - offset)
            return "a batch has a buffer outside of its body";
        end = offset + length;
    }
    return NULL;
}

const char *wire_batch_weigh(json_object *data, int64_t *weight)
{
    json_object *nodes = json_member(data, "nodes"), *buffers = json_member(data, "buffers");
    json_object *codec = json_member(data, "codec");
    size_t numbers = json_array_count(buffers);
    int64_t body = json_member_integer(data, "body", -1), decompressed = 0;

    if (!are_numbers(nodes) || !are_numbers(buffers) || (codec != NULL && !is_codec(codec)))
        return "the header of a batch is malformed";
    for (size_t i = 2; codec != NULL && i < numbers; i += 3)
        decompressed = add_decompressed(
            decompressed, json_object_get_int64(json_object_array_get_idx(buffers, i)));
    const char *wrong =
        weigh(body, json_array_count(nodes), numbers, codec == NULL ? 2 : 3, decompressed, weight);
    if (wrong != NULL)
        return wrong;
    if (!are_nodes(nodes))
        return "a batch has an impossible length, null count or offset";
    return check_buffers(buffers, codec == NULL ? NULL : json_object_get_string(codec), body);
}

const char *wire_batch_weigh_encoded(const struct wire_batch *batch, int64_t *weight)
{
    int64_t decompressed = 0;

    for (size_t i = 2; batch->codec != NULL && i < batch->buffers.count; i += 3)
        decompressed = add_decompressed(decompressed, batch->buffers.list[i]);
    return weigh((int64_t)batch->length, batch->nodes.count, batch->buffers.count,
                 batch->codec == NULL ? 2 : 3, decompressed, weight);
}

const char *wire_part_is_wrong(int64_t left, size_t length)
{
    if ((int64_t)length > left || (length == 0 && left > 0))
        return "the parts of a batch do not add up to its length";
    return (int64_t)length < left && length < WIRE_MINIMUM_PART ? "a part of a batch is too short" : NULL;
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
