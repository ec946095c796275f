/*
 * The test vectors of docs/protocol.md (tests/protocol/vectors.txt): frames and messages both ways, streams through a channel
 * and the reader's half of a stream, and what is refused.
 */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/arrow/layout.h"
#include "core/base/atomic-file.h"
#include "core/wire/channel.h"
#include "core/wire/frame.h"
#include "core/base/json-access.h"
#include "core/wire/message.h"
#include "worker/queue.h"
#include "core/wire/batch.h"
#include "worker/link-input.h"
#include "worker/link-output.h"

enum { MOST_FRAMES = 8, MOST_VECTORS = 400 };

struct vector {
    const char *name;
    uint64_t sequence;
    const char *frames[MOST_FRAMES]; /* JSON, or NULL */
    size_t frame_count;
    struct buffer bytes;
    const char *rows, *weight, *invalid;
};

static struct vector vectors[MOST_VECTORS];
static size_t vector_count;
static char *text; /* the file; vectors point into it */

static void add_hex(struct buffer *bytes, const char *digits)
{
    unsigned byte;

    for (const char *at = digits; *at != '\0'; at += 2) {
        while (*at == ' ')
            at++;
        ck_assert_msg(sscanf(at, "%2x", &byte) == 1, "hex %s", digits);
        ck_assert_int_eq(buffer_append_char(bytes, (char)byte), 0);
    }
}

static void take_line(const char *word, char *rest)
{
    struct vector *vector = vector_count > 0 ? &vectors[vector_count - 1] : NULL;

    if (strcmp(word, "=") == 0) {
        ck_assert_uint_lt(vector_count, MOST_VECTORS);
        vectors[vector_count++] = (struct vector){
            .name = rest, .sequence = 1, .bytes = BUFFER_INIT(1 << 20)};
        return;
    }
    ck_assert_msg(vector != NULL, "%s before any vector", word);
    if (strcmp(word, "sequence") == 0)
        vector->sequence = strtoull(rest, NULL, 10);
    else if (strcmp(word, "frame") == 0 && vector->frame_count < MOST_FRAMES)
        vector->frames[vector->frame_count++] = rest;
    else if (strcmp(word, "hex") == 0)
        add_hex(&vector->bytes, rest);
    else if (strcmp(word, "stream") == 0)
        vector->rows = rest;
    else if (strcmp(word, "weight") == 0)
        vector->weight = rest;
    else if (strcmp(word, "invalid") == 0)
        vector->invalid = rest;
    else
        ck_abort_msg("what is \"%s\"?", word);
}

static void read_vectors(void)
{
    const char *source = getenv("top_srcdir");
    char path[2048], *rest;
    size_t length;

    snprintf(path, sizeof path, "%s/tests/protocol/vectors.txt", source == NULL ? "." : source);
    rest = text = read_whole_file(path, 1 << 24, &length, NULL);
    ck_assert_msg(text != NULL, "cannot read %s", path);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *space = strchr(line, ' ');
        if (line[0] == '#' || line[0] == '\0')
            continue;
        ck_assert_ptr_nonnull(space);
        *space = '\0';
        take_line(line, space + 1);
    }
}

static void forget_vectors(void)
{
    while (vector_count > 0)
        buffer_clear(&vectors[--vector_count].bytes);
    free(text);
}

/* Frames and messages. */

static json_object *parse(const char *json)
{
    json_object *value = json_tokener_parse(json);

    ck_assert_msg(value != NULL, "no JSON: %s", json);
    return value;
}

/* A frame within received bytes. */
struct frame {
    const uint8_t *message;
    size_t message_length, body_length, length;
};

/* The frame at the beginning of the bytes, with this number. -1: its header is refused, or it is not complete. */
static int next_frame(const uint8_t *bytes, size_t length, uint64_t sequence, struct frame *frame, struct osiris_error *error)
{
    struct frame_header header;

    if (length < FRAME_HEADER_SIZE)
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "a header is cut off");
    frame_decode_header(bytes, &header);
    if (frame_check_header(&header, sequence, error) < 0)
        return -1;
    *frame = (struct frame){
        .message = bytes + FRAME_HEADER_SIZE,
        .message_length = header.message_length,
        .body_length = header.body_length,
        .length = FRAME_HEADER_SIZE + (size_t)header.message_length + header.body_length,
    };
    return length < frame->length ? osiris_error_set(error, OSIRIS_ERROR_DATA, "a frame is cut off") : 0;
}

/* Decodes the frames one by one, and encodes their messages again. */
static void check_frames(const struct vector *vector)
{
    const uint8_t *at = (const uint8_t *)vector->bytes.data, *end = at + vector->bytes.length;

    for (size_t i = 0; i < vector->frame_count; i++) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        _cleanup_json_ json_object *expected = parse(vector->frames[i]);
        _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1 << 20);
        uint8_t header[FRAME_HEADER_SIZE];
        struct frame frame;
        uint64_t sequence = vector->sequence + i;
        ck_assert_msg(next_frame(at, (size_t)(end - at), sequence, &frame, &error) == 0, "%s: %s", vector->name,
                      error.message);
        _cleanup_json_ json_object *message =
            message_decode(frame.message, frame.message_length, &error);
        ck_assert_msg(message != NULL, "%s: %s", vector->name, error.message);
        ck_assert_msg(json_object_equal(message, expected), "%s: %s", vector->name,
                      json_object_to_json_string(message));
        ck_assert_int_eq(message_encode(expected, &encoded, NULL), 0);
        const struct frame_header fields = {.message_length = (uint32_t)encoded.length,
                                            .body_length = (uint32_t)frame.body_length,
                                            .sequence = sequence};
        frame_encode_header(&fields, header);
        ck_assert_msg(memcmp(header, at, sizeof header) == 0 && encoded.length == frame.message_length &&
                          memcmp(encoded.data, frame.message, encoded.length) == 0,
                      "%s: frame %zu is encoded otherwise", vector->name, i);
        at += frame.length;
    }
    ck_assert_msg(at == end, "%s: bytes are left", vector->name);
}

/* Where it fails: "header", "message", or NULL: nowhere. */
static const char *refusal(const struct vector *vector)
{
    const uint8_t *at = (const uint8_t *)vector->bytes.data;
    struct frame frame;

    if (next_frame(at, vector->bytes.length, vector->sequence, &frame, NULL) < 0)
        return "header";
    _cleanup_json_ json_object *message = message_decode(frame.message, frame.message_length, NULL);
    return message == NULL ? "message" : NULL;
}

/* Rows of a batch as JSON. */

static json_object *hexadecimal(const uint8_t *bytes, size_t length)
{
    char digits[256] = "";

    ck_assert_uint_lt(2 * length, sizeof digits);
    for (size_t i = 0; i < length; i++)
        snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
    return json_object_new_string(digits);
}

static json_object *value_of(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row);

static json_object *values_of(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t from, int64_t to)
{
    json_object *list = json_object_new_array();

    for (int64_t i = from; i < to; i++)
        json_object_array_add(list, value_of(schema, array, i));
    return list;
}

static json_object *number_of(char format, const void *values, int64_t at)
{
    switch (format) {
    case 'b':
        return json_object_new_boolean(((const uint8_t *)values)[at / 8] >> at % 8 & 1);
    case 'c':
        return json_object_new_int(((const int8_t *)values)[at]);
    case 'C':
        return json_object_new_int(((const uint8_t *)values)[at]);
    case 'i':
        return json_object_new_int(((const int32_t *)values)[at]);
    case 'l':
        return json_object_new_int64(((const int64_t *)values)[at]);
    default:
        ck_assert_int_eq(format, 'g');
        return json_object_new_double(((const double *)values)[at]);
    }
}

static json_object *fixed_of(const struct ArrowSchema *schema, const struct arrow_type *type,
                             const struct ArrowArray *array, int64_t at)
{
    const uint8_t *bytes = array->buffers[1];
    size_t width = type->bits / 8;

    if (schema->dictionary != NULL) {
        _cleanup_json_ json_object *index = number_of(schema->format[0], bytes, at);
        return value_of(schema->dictionary, array->dictionary, json_object_get_int64(index));
    }
    if (schema->format[0] == 'w' || schema->format[0] == 'd')
        return hexadecimal(bytes + (size_t)at * width, width);
    if (schema->format[0] == 't')
        return number_of(type->bits == 32 ? 'i' : 'l', bytes, at);
    return number_of(schema->format[0], bytes, at);
}

static json_object *variable_of(const struct ArrowSchema *schema, const struct arrow_type *type,
                                const struct ArrowArray *array, int64_t at)
{
    bool narrow = type->offset_bytes == 4;
    int64_t from = narrow ? ((const int32_t *)array->buffers[1])[at] : ((const int64_t *)array->buffers[1])[at];
    int64_t to = narrow ? ((const int32_t *)array->buffers[1])[at + 1] : ((const int64_t *)array->buffers[1])[at + 1];

    if (type->layout == ARROW_LIST)
        return values_of(schema->children[0], array->children[0], from, to);
    const uint8_t *data = (const uint8_t *)array->buffers[2] + from;
    if (schema->format[0] == 'u' || schema->format[0] == 'U')
        return json_object_new_string_len((const char *)data, (int)(to - from));
    return hexadecimal(data, (size_t)(to - from));
}

static json_object *value_of(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
    const struct arrow_type type = arrow_type_from_format(schema->format);
    int64_t at = array->offset + row;
    json_object *members;

    if (type.layout == ARROW_NULL ||
        (array->null_count != 0 && array->buffers[0] != NULL &&
         !(((const uint8_t *)array->buffers[0])[at / 8] >> at % 8 & 1)))
        return NULL;
    switch (type.layout) {
    case ARROW_FIXED:
        return fixed_of(schema, &type, array, at);
    case ARROW_FIXED_LIST:
        return values_of(schema->children[0], array->children[0], at * type.list_size, (at + 1) * type.list_size);
    case ARROW_STRUCT:
        members = json_object_new_array();
        for (int64_t i = 0; i < schema->n_children; i++)
            json_object_array_add(members, value_of(schema->children[i], array->children[i], at));
        return members;
    default:
        return variable_of(schema, &type, array, at);
    }
}

/* Streams, as a worker takes them in. */

struct reader {
    struct channel *channel;
    struct queue *queue;
    struct link_input *input;
    int peer;
};

static void *room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct reader *reader = context;

    return link_input_room(reader->input, message, length, error);
}

static void open_reader(struct reader *reader)
{
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    reader->peer = sockets[1];
    reader->channel = channel_new(sockets[0], NULL);
    reader->queue = queue_new(UINT64_MAX, false, NULL);
    reader->input = link_input_new(reader->channel, reader->queue, 1 << 20, false);
    ck_assert(reader->channel != NULL && reader->queue != NULL && reader->input != NULL);
    channel_set_destination(reader->channel, room, reader);
    link_input_open(reader->input, 1, 0);
}

static void close_reader(struct reader *reader)
{
    link_input_free(reader->input);
    queue_free(reader->queue);
    channel_free(reader->channel);
    (void)close(reader->peer);
}

/* -1: something of it is refused; *last is the type of the message that was. */
static int read_stream(struct reader *reader, const struct vector *vector, char last[16])
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    int result = 0;
    bool end = false;

    ck_assert_int_eq(write(reader->peer, vector->bytes.data, vector->bytes.length), (ssize_t)vector->bytes.length);
    (void)shutdown(reader->peer, SHUT_WR);
    while (result == 0 && !end) {
        ck_assert_int_ge(channel_pump(reader->channel, &end, NULL), 0);
        for (;;) {
            size_t length;
            _cleanup_json_ json_object *message = channel_receive_body(reader->channel, &length, &error);
            if (message == NULL || result < 0)
                break;
            const char *type = json_member_string(message, "type", "");
            snprintf(last, 16, "%s", type);
            result = link_input_take(reader->input, type, json_member(message, "data"), length, &error);
        }
        /* A body that is refused is refused before its message is handed out. */
        if (error.category != 0 && result == 0) {
            snprintf(last, 16, "batch");
            result = -1;
        }
    }
    ck_assert_msg((result < 0) == (error.category != 0), "%s", vector->name);
    ck_assert_msg(result == 0 || strstr(error.message, "violates the protocol") != NULL, "%s: %s", vector->name, error.message);
    osiris_error_clear(&error);
    return result;
}

/* The queue counts the batches by their weights. */
static json_object *take_rows(struct reader *reader, uint64_t *weight)
{
    json_object *rows = json_object_new_array();
    struct ArrowSchema schema;
    struct ArrowArray array;
    uint64_t bytes;

    ck_assert_int_eq(queue_get_schema(reader->queue, &schema), QUEUE_OK);
    queue_finish(reader->queue);
    while (queue_get(reader->queue, &array, &bytes, NULL) == QUEUE_OK) {
        for (int64_t i = 0; i < array.length; i++)
            json_object_array_add(rows, value_of(&schema, &array, i));
        *weight += bytes;
        array.release(&array);
    }
    schema.release(&schema);
    return rows;
}

/* lz4 and zstd are there if the build found them. */
static bool can_read(const struct vector *vector)
{
    for (size_t i = 0; i < vector->frame_count; i++) {
        _cleanup_json_ json_object *message = parse(vector->frames[i]);
        const char *codec = json_member_string(json_member(message, "data"), "codec", NULL);
        if (codec != NULL && !wire_has_codec(codec))
            return false;
    }
    return true;
}

static void check_stream(const struct vector *vector)
{
    struct reader reader;
    char last[16] = "";

    open_reader(&reader);
    int result = read_stream(&reader, vector, last);
    if (vector->invalid != NULL) {
        bool in_schema = strcmp(last, "schema") == 0;
        ck_assert_msg(result < 0, "%s is taken", vector->name);
        ck_assert_msg(in_schema == (strcmp(vector->invalid, "schema") == 0), "%s: refused at a %s",
                      vector->name, last);
    } else {
        _cleanup_json_ json_object *expected = parse(vector->rows);
        ck_assert_msg(result == 0, "%s is refused at a %s", vector->name, last);
        uint64_t weight = 0;
        _cleanup_json_ json_object *rows = take_rows(&reader, &weight);
        ck_assert_msg(json_object_equal(rows, expected), "%s: %s", vector->name, json_object_to_json_string(rows));
        ck_assert_msg(vector->weight == NULL || strtoull(vector->weight, NULL, 10) == weight, "%s weighs %llu", vector->name,
                      (unsigned long long)weight);
    }
    close_reader(&reader);
}

START_TEST(test_every_vector)
{
    size_t streams = 0, refused = 0;

    read_vectors();
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *vector = &vectors[i];
        const char *invalid = vector->invalid == NULL ? "" : vector->invalid;
        if (strcmp(invalid, "header") == 0 || strcmp(invalid, "message") == 0) {
            const char *found = refusal(vector);
            ck_assert_msg(found != NULL && strcmp(found, invalid) == 0, "%s: refused because of its %s",
                          vector->name, found == NULL ? "nothing" : found);
            refused++;
            continue;
        }
        check_frames(vector);
        if ((vector->rows == NULL && vector->invalid == NULL) || (vector->invalid == NULL && !can_read(vector)))
            continue;
        check_stream(vector);
        streams++;
    }
    ck_assert_uint_gt(vector_count, 100);
    ck_assert_uint_gt(streams, 50);
    ck_assert_uint_gt(refused, 20);
    forget_vectors();
}
END_TEST

UNIT_MAIN("vectors", test_every_vector)
