/* Bodies that go over a channel: parts, order, who waits for whom, what is read ahead. */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel-ends.h"
#include "core/wire/frame.h"

enum { BODY_LENGTH = 5 * 1024 * 1024 + 12345 };

START_TEST(test_bodies_of_two_streams_alternate_and_messages_overtake)
{
    struct channel *left, *right;
    struct assembly assemblies[2] = {{malloc(BODY_LENGTH), 0}, {malloc(BODY_LENGTH), 0}};
    uint8_t *sent[2] = {pattern(BODY_LENGTH, 1), pattern(BODY_LENGTH, 2)};
    int releases = 0, fd, alternations = 0;
    int64_t last = -1, parts = 0, late = -1;
    pthread_t flusher;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    channel_set_destination(right, place, assemblies);
    for (int64_t stream = 0; stream < 2; stream++) {
        _cleanup_json_ json_object *message = stream_message("batch", stream);
        struct channel_body body = body_of(sent[stream], BODY_LENGTH, &releases);
        ck_assert_int_eq(channel_send_body(left, message, &body, NULL), 0);
    }
    ck_assert_uint_ge(channel_held_bytes(left), 2 * (size_t)BODY_LENGTH);
    ck_assert_uint_le(channel_held_bytes(left), 2 * (size_t)BODY_LENGTH + 1024);
    _cleanup_json_ json_object *urgent = number_message(9, 9);
    ck_assert_int_eq(channel_send(left, urgent, false, NULL), 0);
    pthread_create(&flusher, NULL, flush, left);
    while (assemblies[0].filled + assemblies[1].filled < 2 * (size_t)BODY_LENGTH || late < 0) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct pollfd ready = {.fd = channel_fd(right), .events = POLLIN};
        size_t length;
        bool end;
        _cleanup_json_ json_object *message = channel_receive_body(right, &length, &error);
        ck_assert_msg(error.category == 0, "%s", error.message);
        if (message == NULL) {
            ck_assert_int_eq(poll(&ready, 1, 30000), 1);
            ck_assert_int_ge(channel_pump(right, &end, &error), 0);
            ck_assert(!end);
            continue;
        }
        if (length == 0) {
            late = parts;
            continue;
        }
        int64_t stream = field(json_object_object_get(message, "data"), "stream");
        bool first = assemblies[stream].filled == 0;
        ck_assert_str_eq(json_object_get_string(json_object_object_get(message, "type")),
                         first ? "batch" : "more");
        ck_assert_uint_le(length, FRAME_MAXIMUM_BODY);
        assemblies[stream].filled += length;
        alternations += last != stream;
        last = stream;
        parts++;
    }
    /* Six parts each, in turn; the message came behind the one part that was on its way. */
    ck_assert_int_eq(parts, 12);
    ck_assert_int_ge(alternations, 10);
    ck_assert_int_le(late, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_mem_eq(assemblies[i].bytes, sent[i], BODY_LENGTH);
        free(assemblies[i].bytes);
    }
    channel_free(right);
    pthread_join(flusher, NULL);
    ck_assert_uint_eq(channel_held_bytes(left), 0);
    channel_free(left);
    ck_assert_int_eq(releases, 2);
    free(sent[0]);
    free(sent[1]);
}
END_TEST

enum { STREAMS = 8, PARTS = STREAMS * 6 };

/* One message after each part that has come: how many bytes of bodies come before it, at most? What the socket has taken
 * already counts, too; the last parts are so short that it takes several. */
static int64_t worst_lag(struct channel *left, struct channel *right, struct assembly *assemblies)
{
    int64_t parts = 0, answered = 0, worst = 0, bytes = 0;

    while (parts < PARTS || answered < PARTS) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct pollfd ready = {.fd = channel_fd(right), .events = POLLIN};
        size_t length;
        bool end;
        _cleanup_json_ json_object *message = channel_receive_body(right, &length, &error);
        ck_assert_msg(error.category == 0, "%s", error.message);
        if (message == NULL) {
            ck_assert_int_eq(poll(&ready, 1, 30000), 1);
            ck_assert_int_ge(channel_pump(right, &end, &error), 0);
        } else if (length == 0) {
            int64_t lag = bytes - field(message, "number");
            worst = lag > worst ? lag : worst;
            answered++;
        } else {
            int64_t stream = field(json_object_object_get(message, "data"), "stream");
            assemblies[stream].filled += length;
            parts++;
            bytes += (int64_t)length;
            _cleanup_json_ json_object *urgent = number_message(0, bytes);
            ck_assert_int_eq(channel_send(left, urgent, false, NULL), 0);
        }
    }
    return worst;
}

static int64_t socket_room(const struct channel *channel)
{
    int room = 0;
    socklen_t length = sizeof room;

    ck_assert_int_eq(getsockopt(channel_fd(channel), SOL_SOCKET, SO_SNDBUF, &room, &length), 0);
    return room;
}

START_TEST(test_no_message_waits_behind_more_than_one_body)
{
    struct channel *left, *right;
    struct assembly assemblies[STREAMS];
    uint8_t *sent = pattern(BODY_LENGTH, 5);
    int releases = 0, fd;
    pthread_t flusher;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    channel_set_destination(right, place, assemblies);
    for (int64_t stream = 0; stream < STREAMS; stream++) {
        _cleanup_json_ json_object *message = stream_message("batch", stream);
        struct channel_body body = body_of(sent, BODY_LENGTH, &releases);
        assemblies[stream] = (struct assembly){malloc(BODY_LENGTH), 0};
        ck_assert_int_eq(channel_send_body(left, message, &body, NULL), 0);
    }
    pthread_create(&flusher, NULL, flush, left);
    int64_t worst = worst_lag(left, right, assemblies);
    ck_assert_msg(worst <= FRAME_MAXIMUM_BODY + socket_room(left),
                  "%lld bytes of bodies before a message", (long long)worst);
    channel_free(right);
    pthread_join(flusher, NULL);
    channel_free(left);
    ck_assert_int_eq(releases, STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        ck_assert_uint_eq(assemblies[i].filled, BODY_LENGTH);
        ck_assert_mem_eq(assemblies[i].bytes, sent, BODY_LENGTH);
        free(assemblies[i].bytes);
    }
    free(sent);
}
END_TEST

START_TEST(test_bodies_that_are_not_sent_are_released)
{
    struct channel *channel;
    uint8_t *bytes = pattern(BODY_LENGTH, 3);
    int releases = 0, fd;

    make_pair(&channel, &fd);
    for (int i = 0; i < 3; i++) {
        _cleanup_json_ json_object *message = stream_message("batch", i);
        struct channel_body body = body_of(bytes, BODY_LENGTH, &releases);
        ck_assert_int_eq(channel_send_body(channel, message, &body, NULL), 0);
    }
    channel_shutdown(channel);
    _cleanup_json_ json_object *message = stream_message("batch", 7);
    struct channel_body body = body_of(bytes, BODY_LENGTH, &releases);
    ck_assert_int_eq(channel_send_body(channel, message, &body, NULL), -1);
    ck_assert_int_eq(releases, 1);
    channel_free(channel);
    ck_assert_int_eq(releases, 4);
    (void)close(fd);
    free(bytes);
}
END_TEST

START_TEST(test_messages_are_read_ahead_and_bodies_are_not)
{
    struct channel *left, *right;
    struct assembly assemblies[2] = {{malloc(BODY_LENGTH), 0}, {NULL, 0}};
    uint8_t *bytes = pattern(BODY_LENGTH, 4);
    struct channel_counts counts;
    int releases = 0, fd;
    bool end;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    channel_set_destination(right, place, assemblies);
    for (int64_t n = 0; n < 20; n++) {
        _cleanup_json_ json_object *message = number_message(0, n);
        ck_assert_int_eq(channel_send(left, message, false, NULL), 0);
    }
    ck_assert_int_eq(channel_pump(right, &end, NULL), 1);
    for (int64_t n = 0; n < 20; n++) {
        _cleanup_json_ json_object *message = channel_receive(right, NULL);
        ck_assert_int_eq(field(message, "number"), n);
    }
    channel_get_counts(right, &counts);
    ck_assert_uint_eq(counts.receive_calls, 1);
    /* A stream: six parts. Its first may come with the message before it, the others never do. */
    _cleanup_json_ json_object *batch = stream_message("batch", 0);
    struct channel_body body = body_of(bytes, BODY_LENGTH, &releases);
    ck_assert_int_eq(channel_send_body(left, batch, &body, NULL), 0);
    while (assemblies[0].filled < BODY_LENGTH) {
        size_t length;
        ck_assert_int_ge(channel_pump(left, &end, NULL), 0);
        ck_assert_int_ge(channel_pump(right, &end, NULL), 0);
        json_object_put(channel_receive_body(right, &length, NULL));
        assemblies[0].filled += length;
    }
    ck_assert_mem_eq(assemblies[0].bytes, bytes, BODY_LENGTH);
    channel_get_counts(right, &counts);
    ck_assert_uint_eq(counts.body_bytes_received, BODY_LENGTH);
    ck_assert_uint_le(counts.copied_body_bytes, CHANNEL_READ_AHEAD);
    channel_free(left);
    channel_free(right);
    ck_assert_int_eq(releases, 1);
    free(assemblies[0].bytes);
    free(bytes);
}
END_TEST

START_TEST(test_a_body_that_nobody_wants_is_a_violation)
{
    static const char bytes[] = "\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0\x01\x80" "abc";
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    bool end;
    int fd;

    make_pair(&channel, &fd);
    ck_assert_int_eq(write(fd, bytes, sizeof bytes - 1), (ssize_t)sizeof bytes - 1);
    ck_assert_int_eq(channel_pump(channel, &end, &error), 1);
    ck_assert_ptr_null(channel_receive(channel, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "a message has a body that must not have one"));
    channel_free(channel);
    (void)close(fd);
}
END_TEST

UNIT_MAIN("channel-bodies", test_bodies_of_two_streams_alternate_and_messages_overtake,
          test_no_message_waits_behind_more_than_one_body, test_bodies_that_are_not_sent_are_released,
          test_messages_are_read_ahead_and_bodies_are_not, test_a_body_that_nobody_wants_is_a_violation)
