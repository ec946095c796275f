/*
 * A producer that sends whatever it likes to a reader that takes nothing out: what the reader's side holds is bounded
 * by the credit that it has given, however few bytes come.
 */
#include "unit.h"

#include <malloc.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/body.h"
#include "core/wire/channel.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/message.h"
#include "worker/queue.h"
#include "core/wire/batch.h"
#include "worker/link-input.h"
#include "worker/link-output.h"

enum { WINDOW = 1 << 20, COLUMNS = 4000, MOST_BATCHES = 20000, SLACK = 1 << 20 };

struct reader {
    struct channel *channel;
    struct queue *queue;
    struct link_input *input;
    int peer;
    uint64_t sequence;
    struct osiris_error refusal;
};

static void *room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct reader *reader = context;

    return link_input_room(reader->input, message, length, error);
}

static void open_reader(struct reader *reader)
{
    int sockets[2], large = 4 << 20;

    *reader = (struct reader){0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    reader->peer = sockets[1];
    (void)setsockopt(reader->peer, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    reader->channel = channel_new(sockets[0], NULL);
    reader->queue = queue_new(UINT64_MAX, false, NULL);
    reader->input = link_input_new(reader->channel, reader->queue, WINDOW, false);
    channel_set_destination(reader->channel, room, reader);
    link_input_open(reader->input, 1, 0);
}

static void close_reader(struct reader *reader)
{
    link_input_free(reader->input);
    queue_free(reader->queue);
    channel_free(reader->channel);
    (void)close(reader->peer);
    osiris_error_clear(&reader->refusal);
}

/* -1: the reader has refused something. `data` is taken. */
static int send_to(struct reader *reader, const char *type, json_object *data, const void *body, size_t length)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1 << 20);
    _cleanup_json_ json_object *message = json_object_new_object();
    uint8_t bytes[FRAME_HEADER_SIZE];
    bool end;

    json_add_string(message, "type", type);
    json_add_integer(data, "stream", 1);
    json_add(message, "data", data);
    ck_assert_int_eq(message_encode(message, &encoded, NULL), 0);
    const struct frame_header header = {
        .message_length = (uint32_t)encoded.length, .body_length = (uint32_t)length, .sequence = ++reader->sequence};
    frame_encode_header(&header, bytes);
    /* The socket has room for one frame; the reader empties it before the next one. */
    ck_assert_int_eq(write(reader->peer, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    ck_assert_int_eq(write(reader->peer, encoded.data, encoded.length), (ssize_t)encoded.length);
    ck_assert_int_eq(write(reader->peer, body, length), (ssize_t)length);
    ck_assert_int_ge(channel_pump(reader->channel, &end, NULL), 0);
    for (;;) {
        size_t got;
        _cleanup_json_ json_object *received = channel_receive_body(reader->channel, &got, &reader->refusal);
        if (received == NULL)
            return reader->refusal.category == 0 ? 0 : -1;
        if (link_input_take(reader->input, type, json_member(received, "data"), got, &reader->refusal) < 0)
            return -1;
    }
}

static void send_schema(struct reader *reader, const char *format, int columns)
{
    json_object *data = json_object_new_object(), *schema = json_object_new_object(), *children = json_object_new_array();

    for (int i = 0; i < columns; i++) {
        json_object *child = json_object_new_object();
        json_add_string(child, "format", format);
        json_append(children, child);
    }
    json_add_string(schema, "format", "+s");
    json_add(schema, "children", children);
    json_add(data, "schema", schema);
    ck_assert_int_eq(send_to(reader, "schema", data, "", 0), 0);
}

static void add_numbers(json_object *data, const char *key, const int64_t *first, const int64_t *each, size_t length, int times)
{
    json_object *list = json_object_new_array();

    for (int i = 0; i <= times; i++)
        for (size_t j = 0; j < length; j++)
            json_append(list, json_object_new_int64(i == 0 ? first[j] : each[j]));
    json_add(data, key, list);
}

/* No bytes at all, but thousands of arrays. */
static int send_wide(struct reader *reader)
{
    static const int64_t node[] = {1, 0, 0}, empty[] = {1, 1, 0}, nowhere[] = {0, 0};
    json_object *data = json_object_new_object();

    json_add_integer(data, "body", 0);
    add_numbers(data, "nodes", node, empty, 3, COLUMNS);
    add_numbers(data, "buffers", nowhere, NULL, 2, 0);
    return send_to(reader, "batch", data, "", 0);
}

/* Nothing but itself. */
static int send_empty(struct reader *reader)
{
    static const int64_t node[] = {0, 0, 0}, nowhere[] = {0, 0};
    json_object *data = json_object_new_object();

    json_add_integer(data, "body", 0);
    add_numbers(data, "nodes", node, node, 3, 1);
    add_numbers(data, "buffers", nowhere, NULL, 2, 0);
    return send_to(reader, "batch", data, "", 0);
}

/* A quarter of a MiB of zeros in a hundredth of that. */
static int send_compressed(struct reader *reader)
{
    static const int64_t zeros[1 << 15];
    static void *body;
    static size_t length;
    json_object *data = json_object_new_object();

    if (body == NULL)
        ck_assert_int_eq(wire_compress("lz4", zeros, sizeof zeros, &body, &length), 0);
    const int64_t node[] = {1 << 15, 0, 0}, buffers[] = {0, 0, 0, 0, 0, 0, 0, (int64_t)length, sizeof zeros};
    json_add_integer(data, "body", (int64_t)length);
    json_add_string(data, "codec", "lz4");
    add_numbers(data, "nodes", node, node, 3, 1);
    add_numbers(data, "buffers", buffers, NULL, 9, 0);
    return send_to(reader, "batch", data, body, length);
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void check_bounded(const char *format, int columns, int (*send_one)(struct reader *reader), int64_t arrays)
{
    struct reader reader;
    int batches = 0;

    open_reader(&reader);
    send_schema(&reader, format, columns);
    size_t before = allocated();
    while (batches < MOST_BATCHES && send_one(&reader) == 0)
        batches++;
    size_t after = allocated();
    ck_assert_msg(reader.refusal.message != NULL && strstr(reader.refusal.message, "without credit") != NULL, "%d batches: %s",
                  batches, reader.refusal.message == NULL ? "nothing is refused" : reader.refusal.message);
    ck_assert_int_le(batches, WINDOW / (WIRE_BATCH_WEIGHT + arrays * WIRE_ARRAY_WEIGHT) + 1);
    ck_assert_msg(after <= before + WINDOW + SLACK, "%zu KiB more after %d batches", (after - before) >> 10, batches);
    close_reader(&reader);
}

START_TEST(test_thousands_of_arrays_without_a_byte)
{
    check_bounded("n", COLUMNS, send_wide, COLUMNS + 1);
}
END_TEST

START_TEST(test_batches_of_nothing)
{
    check_bounded("n", 1, send_empty, 2);
}
END_TEST

START_TEST(test_compressed_zeros)
{
    if (wire_has_codec("lz4"))
        check_bounded("l", 1, send_compressed, 2 + (8 << 15) / WIRE_ARRAY_WEIGHT);
}
END_TEST

/* The message of a batch is held until its last part has come. */
START_TEST(test_keys_that_nobody_knows)
{
    static char long_text[500000];
    struct reader reader;

    memset(long_text, 'x', sizeof long_text - 1);
    open_reader(&reader);
    send_schema(&reader, "l", 1);
    size_t before = allocated();
    static const int64_t node[] = {256, 0, 0}, buffers[] = {0, 0, 0, 0, 0, 2048};
    static const uint8_t part[1024];
    json_object *data = json_object_new_object();
    json_add_integer(data, "body", 2048);
    add_numbers(data, "nodes", node, node, 3, 1);
    add_numbers(data, "buffers", buffers, NULL, 6, 0);
    json_add_string(data, "later", long_text);
    ck_assert_int_eq(send_to(&reader, "batch", data, part, sizeof part), 0);
    ck_assert_uint_lt(allocated(), before + sizeof long_text / 2);
    ck_assert_int_eq(send_to(&reader, "more", json_object_new_object(), part, sizeof part), 0);
    close_reader(&reader);
}
END_TEST

UNIT_MAIN("stream-hostile", test_thousands_of_arrays_without_a_byte, test_batches_of_nothing, test_compressed_zeros,
          test_keys_that_nobody_knows)
