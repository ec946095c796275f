/* One end of the protocol's byte channel (core/channel.h). */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/channel.h"
#include "core/frame.h"
#include "core/message.h"

static json_object *number_message(int64_t sender, int64_t number)
{
    json_object *message = json_object_new_object();

    json_object_object_add(message, "sender", json_object_new_int64(sender));
    json_object_object_add(message, "number", json_object_new_int64(number));
    return message;
}

static int64_t field(json_object *message, const char *name)
{
    json_object *value;

    ck_assert(json_object_object_get_ex(message, name, &value));
    return json_object_get_int64(value);
}

static void make_pair(struct channel **left, int *right)
{
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    *left = channel_new(sockets[0], NULL);
    ck_assert_ptr_nonnull(*left);
    *right = sockets[1];
}

/* The next message, waiting for it; NULL at the end. */
static json_object *receive(struct channel *channel)
{
    for (;;) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct pollfd ready = {.fd = channel_fd(channel), .events = POLLIN};
        bool end;
        json_object *message = channel_receive(channel, &error);
        ck_assert_msg(error.category == 0, "%s", error.message);
        if (message != NULL)
            return message;
        ck_assert_int_eq(poll(&ready, 1, 30000), 1);
        ck_assert_int_ge(channel_pump(channel, &end, &error), 0);
        if (end)
            return NULL;
    }
}

START_TEST(test_messages_come_in_order_and_the_end_is_clean)
{
    struct channel *left, *right;
    int fd;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    for (int64_t n = 0; n < 100; n++) {
        _cleanup_json_ json_object *message = number_message(0, n);
        ck_assert_int_eq(channel_send(left, message, false, NULL), 0);
    }
    channel_free(left);
    for (int64_t n = 0; n < 100; n++) {
        _cleanup_json_ json_object *message = receive(right);
        ck_assert_int_eq(field(message, "number"), n);
    }
    ck_assert_ptr_null(receive(right));
    channel_free(right);
}
END_TEST

static const char frame[] = "\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\x01\x81\xa1"
                            "n\x07";

START_TEST(test_a_frame_byte_by_byte)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    int fd;
    bool end;

    make_pair(&channel, &fd);
    for (size_t i = 0; i < sizeof frame - 1; i++) {
        ck_assert_ptr_null(channel_receive(channel, &error));
        ck_assert_int_eq(write(fd, frame + i, 1), 1);
        ck_assert_int_eq(channel_pump(channel, &end, &error), 1);
    }
    _cleanup_json_ json_object *message = channel_receive(channel, &error);
    ck_assert_ptr_nonnull(message);
    ck_assert_int_eq(field(message, "n"), 7);
    (void)close(fd);
    channel_free(channel);
}
END_TEST

START_TEST(test_an_end_inside_a_frame_is_an_error)
{
    for (size_t cut = 1; cut < sizeof frame - 1; cut++) {
        struct channel *channel;
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        int fd;
        bool end = false;

        make_pair(&channel, &fd);
        ck_assert_int_eq(write(fd, frame, cut), (ssize_t)cut);
        (void)close(fd);
        int pumped = 1;
        for (int i = 0; i < 3 && pumped > 0; i++) {
            pumped = channel_pump(channel, &end, &error);
            ck_assert_ptr_null(channel_receive(channel, NULL));
        }
        ck_assert_int_eq(pumped, -1);
        ck_assert(!end);
        channel_free(channel);
    }
}
END_TEST

START_TEST(test_a_slow_reader_bounds_the_outbox)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    char *text = calloc(1, 100001);
    int fd, sent = 0;

    memset(text, 'x', 100000);
    make_pair(&channel, &fd);
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object_object_add(message, "text", json_object_new_string(text));
    while (sent < 10000 && channel_send(channel, message, false, &error) == 0)
        sent++;
    ck_assert_int_lt(sent, 10000);
    ck_assert_int_eq(error.native_code, EAGAIN);
    ck_assert_uint_le((size_t)sent * 100000, 2 * CHANNEL_OUTBOX_BYTES);
    (void)close(fd);
    channel_free(channel);
    free(text);
}
END_TEST

struct sender {
    struct channel *channel;
    int64_t number;
    int result;
};

static void *send_many(void *context)
{
    struct sender *sender = context;

    for (int64_t n = 0; n < 20000; n++) {
        json_object *message = number_message(sender->number, n);
        sender->result |= channel_send(sender->channel, message, true, NULL);
        json_object_put(message);
    }
    return NULL;
}

/* Flushes the outbox until told to stop, as the main thread of a worker does. */
static void *flush(void *context)
{
    struct channel *channel = context;
    bool end = false;

    while (!end) {
        struct pollfd fds[] = {
            {.fd = channel_fd(channel), .events = channel_poll_events(channel)},
            {.fd = channel_wake_fd(channel), .events = POLLIN}};
        (void)poll(fds, 2, 30000);
        if (channel_pump(channel, &end, NULL) < 0)
            break;
    }
    return NULL;
}

START_TEST(test_many_senders_keep_their_order)
{
    enum { SENDERS = 4 };
    struct channel *left, *right;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS], flusher;
    int64_t next[SENDERS] = {0};
    int fd;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    pthread_create(&flusher, NULL, flush, left);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.channel = left, .number = i};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < SENDERS * 20000; i++) {
        _cleanup_json_ json_object *message = receive(right);
        int64_t sender = field(message, "sender");
        ck_assert_int_eq(field(message, "number"), next[sender]++);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(senders[i].result, 0);
    }
    channel_free(right);
    pthread_join(flusher, NULL);
    channel_free(left);
}
END_TEST

/* Fills the outbox, so that whoever sends next has to wait. Returns how many messages it took. */
static int64_t fill_outbox(struct channel *channel)
{
    char *text = calloc(1, 100001);
    int64_t count = 0;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    memset(text, 'x', 100000);
    _cleanup_json_ json_object *message = number_message(0, 0);
    json_object_object_add(message, "text", json_object_new_string(text));
    free(text);
    while (channel_send(channel, message, false, &error) == 0)
        count++;
    ck_assert_int_eq(error.native_code, EAGAIN);
    return count;
}

static void *send_one_large(void *context)
{
    struct sender *sender = context;
    char *text = calloc(1, 100001);
    json_object *message = number_message(sender->number, 0);

    memset(text, 'y', 100000);
    json_object_object_add(message, "text", json_object_new_string(text));
    sender->result = channel_send(sender->channel, message, true, NULL);
    json_object_put(message);
    free(text);
    return NULL;
}

START_TEST(test_a_reader_that_comes_wakes_a_waiting_sender)
{
    struct channel *left, *right;
    pthread_t thread, flusher;
    int fd;

    make_pair(&left, &fd);
    right = channel_new(fd, NULL);
    int64_t filled = fill_outbox(left);
    struct sender sender = {.channel = left, .number = 77, .result = 1};
    pthread_create(&thread, NULL, send_one_large, &sender);
    pthread_create(&flusher, NULL, flush, left);
    for (int64_t i = 0; i < filled; i++) {
        _cleanup_json_ json_object *message = receive(right);
        ck_assert_int_eq(field(message, "sender"), 0);
    }
    _cleanup_json_ json_object *last = receive(right);
    ck_assert_int_eq(field(last, "sender"), 77);
    pthread_join(thread, NULL);
    ck_assert_int_eq(sender.result, 0);
    channel_free(right);
    pthread_join(flusher, NULL);
    channel_free(left);
}
END_TEST

START_TEST(test_shutdown_fails_senders_of_a_full_outbox)
{
    struct channel *channel;
    pthread_t thread;
    int fd;

    make_pair(&channel, &fd);
    (void)fill_outbox(channel);
    struct sender sender = {.channel = channel, .result = 1};
    pthread_create(&thread, NULL, send_one_large, &sender);
    channel_shutdown(channel);
    pthread_join(thread, NULL);
    ck_assert_int_eq(sender.result, -1);
    (void)close(fd);
    channel_free(channel);
}
END_TEST

START_TEST(test_violations_of_the_protocol_are_errors)
{
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x02\x80", 17}, /* number two comes first */
        {"\xff\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01", 16},   /* too long, judged by its header */
        {"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\xc0", 17}, /* no map */
        {"\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01\x80\x80", 18}, /* bytes behind the map */
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct channel *channel;
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        int fd;
        bool end;
        make_pair(&channel, &fd);
        ck_assert_int_eq(write(fd, wrong[i].bytes, wrong[i].length), (ssize_t)wrong[i].length);
        ck_assert_int_eq(channel_pump(channel, &end, &error), 1);
        ck_assert_ptr_null(channel_receive(channel, &error));
        ck_assert_msg(strstr(error.message, "violates the protocol") != NULL, "case %zu", i);
        (void)close(fd);
        channel_free(channel);
    }
}
END_TEST

START_TEST(test_shutdown_wakes_a_waiting_sender)
{
    struct channel *channel;
    struct sender sender;
    pthread_t thread;
    int fd;

    make_pair(&channel, &fd);
    sender = (struct sender){.channel = channel};
    pthread_create(&thread, NULL, send_many, &sender);
    /* The other end reads nothing: the sender must come to wait, or has yet to begin; both end alike. */
    channel_shutdown(channel);
    pthread_join(thread, NULL);
    ck_assert_int_eq(sender.result, -1);
    (void)close(fd);
    channel_free(channel);
}
END_TEST

START_TEST(test_a_peer_that_is_gone_is_an_error_not_a_signal)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *message = number_message(0, 0);
    int fd;

    make_pair(&channel, &fd);
    (void)close(fd);
    ck_assert_int_eq(channel_send(channel, message, true, &error), -1);
    ck_assert_int_eq(error.native_code, EPIPE);
    channel_free(channel);
}
END_TEST

/* Bodies. */

struct owned {
    struct iovec pieces[3];
    int *releases;
};

static void release_owned(void *context)
{
    struct owned *owned = context;

    __atomic_fetch_add(owned->releases, 1, __ATOMIC_SEQ_CST);
    free(owned);
}

static struct channel_body body_of(const uint8_t *bytes, size_t length, int *releases)
{
    struct owned *owned = calloc(1, sizeof *owned);
    size_t third = length / 3;

    owned->releases = releases;
    owned->pieces[0] = (struct iovec){(void *)bytes, third};
    owned->pieces[1] = (struct iovec){(void *)(bytes + third), 0};
    owned->pieces[2] = (struct iovec){(void *)(bytes + third), length - third};
    return (struct channel_body){.pieces = owned->pieces,
                                 .piece_count = 3,
                                 .length = length,
                                 .release = release_owned,
                                 .owner = owned};
}

struct assembly {
    uint8_t *bytes;
    size_t filled;
};

/* Streams 0 and 1. */
static void *place(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct assembly *assemblies = context;
    json_object *data = json_object_object_get(message, "data");
    struct assembly *assembly = &assemblies[field(data, "stream")];

    (void)length;
    (void)error;
    return assembly->bytes + assembly->filled;
}

static json_object *stream_message(const char *type, int64_t stream)
{
    json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_object_object_add(message, "type", json_object_new_string(type));
    json_object_object_add(data, "stream", json_object_new_int64(stream));
    json_object_object_add(message, "data", data);
    return message;
}

enum { BODY_LENGTH = 5 * 1024 * 1024 + 12345 };

static uint8_t *pattern(size_t length, unsigned seed)
{
    uint8_t *bytes = malloc(length);

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
    return bytes;
}

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
    channel_set_place(right, place, assemblies);
    for (int64_t stream = 0; stream < 2; stream++) {
        _cleanup_json_ json_object *message = stream_message("batch", stream);
        struct channel_body body = body_of(sent[stream], BODY_LENGTH, &releases);
        ck_assert_int_eq(channel_send_body(left, message, &body, NULL), 0);
    }
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
    channel_set_place(right, place, assemblies);
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
    channel_set_place(right, place, assemblies);
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
    ck_assert_ptr_nonnull(strstr(error.message, "a body comes where none may"));
    channel_free(channel);
    (void)close(fd);
}
END_TEST

/* Resumption. Two ends, a proxy between them that cuts after a number of bytes either way. */

struct end {
    struct channel *channel;
    struct assembly assemblies[2];
    int64_t next; /* of the numbered messages */
    int releases;
};

/* Takes what has come; true if anything has. */
static bool take_all(struct end *end)
{
    bool any = false;

    for (;;) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        size_t length;
        bool closed;
        ck_assert_int_ge(channel_pump(end->channel, &closed, &error), 0);
        _cleanup_json_ json_object *message = channel_receive_body(end->channel, &length, &error);
        ck_assert_msg(error.category == 0, "%s", error.message);
        if (message == NULL)
            return any;
        any = true;
        if (length == 0)
            ck_assert_int_eq(field(message, "number"), end->next++);
        else
            end->assemblies[field(json_object_object_get(message, "data"), "stream")].filled +=
                length;
    }
}

/* Moves up to *budget bytes from one socket to the other; false when it is used up. */
static bool carry(int from, int to, size_t *budget)
{
    char bytes[4096];
    size_t wanted = *budget < sizeof bytes ? *budget : sizeof bytes;

    if (wanted == 0)
        return false;
    ssize_t got = recv(from, bytes, wanted, MSG_DONTWAIT);
    if (got <= 0)
        return true;
    for (ssize_t done = 0; done < got;) {
        ssize_t sent = send(to, bytes + done, (size_t)(got - done), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0)
            break;
        done += sent;
    }
    *budget -= (size_t)got;
    return *budget > 0;
}

static void link_ends(struct end ends[2], int proxy[2], bool first)
{
    for (int i = 0; i < 2; i++) {
        int sockets[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        proxy[i] = sockets[1];
        if (!first) {
            ck_assert_int_eq(channel_reconnect(ends[i].channel, sockets[0], NULL), 0);
            continue;
        }
        ends[i].channel = channel_new(sockets[0], NULL);
        ck_assert_int_eq(
            channel_allow_resumption(ends[i].channel, "session", "token", i == 0, NULL), 0);
        channel_set_place(ends[i].channel, place, ends[i].assemblies);
    }
}

enum { SMALL_BODY = 3000, NUMBERS = 40 };

static void send_everything(struct end ends[2], const uint8_t *bytes)
{
    for (int64_t n = 0; n < NUMBERS; n++)
        for (int i = 0; i < 2; i++) {
            _cleanup_json_ json_object *message = number_message(i, n);
            ck_assert_int_eq(channel_send(ends[i].channel, message, false, NULL), 0);
            if (n % 20 != 0)
                continue;
            _cleanup_json_ json_object *batch = stream_message("batch", n / 20);
            struct channel_body body = body_of(bytes + n, SMALL_BODY, &ends[i].releases);
            ck_assert_int_eq(channel_send_body(ends[i].channel, batch, &body, NULL), 0);
        }
}

static bool complete(const struct end *end)
{
    return end->next == NUMBERS && end->assemblies[0].filled == SMALL_BODY &&
           end->assemblies[1].filled == SMALL_BODY;
}

/* `cut` gives how many bytes each link carries before it is cut. */
static void run_with_cuts(size_t (*cut)(void *context), void *context)
{
    struct end ends[2] = {0};
    uint8_t *bytes = pattern(SMALL_BODY + NUMBERS, 5);
    int proxy[2];
    bool up = true;

    for (int i = 0; i < 4; i++)
        ends[i / 2].assemblies[i % 2].bytes = calloc(1, SMALL_BODY);
    link_ends(ends, proxy, true);
    send_everything(ends, bytes);
    size_t budget = cut(context);
    for (int idle = 0; !complete(&ends[0]) || !complete(&ends[1]);) {
        up = carry(proxy[0], proxy[1], &budget) && carry(proxy[1], proxy[0], &budget);
        if (!up) {
            (void)close(proxy[0]);
            (void)close(proxy[1]);
        }
        bool any = take_all(&ends[0]);
        any = take_all(&ends[1]) || any;
        if (!up) {
            /* What was on its way is read before the end is seen. */
            for (int i = 0; i < 200; i++)
                (void)take_all(&ends[i % 2]);
            ck_assert(channel_is_lost(ends[0].channel) && channel_is_lost(ends[1].channel));
            link_ends(ends, proxy, false);
            budget = cut(context);
        }
        idle = any || !up ? 0 : idle + 1;
        ck_assert_int_lt(idle, 1000);
    }
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            ck_assert_mem_eq(ends[i].assemblies[j].bytes, bytes + 20 * j, SMALL_BODY);
            free(ends[i].assemblies[j].bytes);
        }
        channel_free(ends[i].channel);
        (void)close(proxy[i]);
        ck_assert_int_eq(ends[i].releases, 2);
    }
    free(bytes);
}

static size_t cut_once(void *context)
{
    size_t *at = context, first = *at;

    *at = SIZE_MAX;
    return first;
}

START_TEST(test_a_link_that_breaks_once_loses_and_doubles_nothing)
{
    /* Some 16 kB pass: every seventh byte is a place to cut at, in turn. */
    for (size_t at = 1; at < 17000; at += 7) {
        size_t first = at;
        run_with_cuts(cut_once, &first);
    }
}
END_TEST

static size_t cut_at_random(void *context)
{
    /* A frame of some 3 kB and the greetings must get through now and then. */
    return (size_t)rand_r(context) % 9000 + 1;
}

START_TEST(test_a_link_that_breaks_again_and_again)
{
    unsigned seed = 20261124;

    for (int i = 0; i < 200; i++)
        run_with_cuts(cut_at_random, &seed);
}
END_TEST

static int write_frame(int fd, uint64_t sequence, json_object *message)
{
    _cleanup_buffer_ struct buffer bytes = BUFFER_INIT(1 << 16);
    uint8_t header_bytes[FRAME_HEADER_SIZE];

    ck_assert_int_eq(message_encode(message, &bytes, NULL), 0);
    const struct frame_header header = {.message_length = (uint32_t)bytes.length,
                                        .sequence = sequence};
    frame_encode_header(&header, header_bytes);
    ck_assert_int_eq(write(fd, header_bytes, sizeof header_bytes), sizeof header_bytes);
    return write(fd, bytes.data, bytes.length) == (ssize_t)bytes.length ? 0 : -1;
}

/* A worker's end whose link was lost, and a new one on which `text` comes. */
static struct channel *lost_and_greeted(const char *text, struct osiris_error *error)
{
    struct channel *channel;
    int fd, sockets[2];
    bool end;

    make_pair(&channel, &fd);
    ck_assert_int_eq(channel_allow_resumption(channel, "s", "right", false, NULL), 0);
    (void)close(fd);
    ck_assert_int_eq(channel_pump(channel, &end, NULL), 0);
    ck_assert(channel_is_lost(channel) && !end);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    ck_assert_int_eq(channel_reconnect(channel, sockets[0], NULL), 0);
    _cleanup_json_ json_object *message = json_tokener_parse(text);
    ck_assert_ptr_nonnull(message);
    ck_assert_int_eq(write_frame(sockets[1], 0, message), 0);
    (void)channel_pump(channel, &end, error);
    ck_assert_ptr_null(channel_receive(channel, error));
    (void)close(sockets[1]);
    return channel;
}

START_TEST(test_only_the_old_peer_resumes)
{
    static const char *const wrong[] = {
        "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"token\": \"wrong\", \"received\": 0}}",
        "{\"type\": \"resume\", \"data\": {\"session\": \"t\", \"token\": \"right\", \"received\": 0}}",
        "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"received\": 0}}",
        "{\"type\": \"event\", \"data\": {}}",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct channel *channel = lost_and_greeted(wrong[i], &error);
        ck_assert_int_eq(error.category, 0);
        ck_assert(channel_is_lost(channel));
        channel_free(channel);
    }
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct channel *channel = lost_and_greeted(
        "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"token\": \"right\", \"received\": 0}}",
        &error);
    ck_assert_int_eq(error.category, 0);
    ck_assert(!channel_is_lost(channel));
    channel_free(channel);
    channel = lost_and_greeted(
        "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"token\": \"right\", \"received\": 1}}",
        &error);
    ck_assert_ptr_nonnull(strstr(error.message, "resumes at what was not sent"));
    channel_free(channel);
}
END_TEST

START_TEST(test_a_stranger_on_a_new_link_does_not_end_the_session)
{
    static const struct {
        const char *bytes;
        size_t length;
    } strange[] = {
        {"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x80", 17},   /* not number 0 */
        {"GET / HTTP/1.1\r\n\r\n", 18},                           /* nonsense */
        {"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\xc1", 17},     /* no message */
        {"\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\x80x", 18},  /* with a body */
        {"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\x80"            /* no resume, and more behind it */
         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 33},
    };

    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        struct channel *channel;
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        int fd, sockets[2];
        bool end;
        make_pair(&channel, &fd);
        channel_set_place(channel, place, NULL);
        ck_assert_int_eq(channel_allow_resumption(channel, "s", "right", false, NULL), 0);
        (void)close(fd);
        ck_assert_int_eq(channel_pump(channel, &end, NULL), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        ck_assert_int_eq(channel_reconnect(channel, sockets[0], NULL), 0);
        ck_assert_int_eq(write(sockets[1], strange[i].bytes, strange[i].length),
                         (ssize_t)strange[i].length);
        ck_assert_int_ge(channel_pump(channel, &end, &error), 0);
        ck_assert_ptr_null(channel_receive(channel, &error));
        ck_assert_msg(error.category == 0, "case %zu: %s", i, error.message);
        ck_assert_msg(channel_is_lost(channel), "case %zu", i);
        (void)close(sockets[1]);
        /* The true peer is still welcome. */
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        ck_assert_int_eq(channel_reconnect(channel, sockets[0], NULL), 0);
        _cleanup_json_ json_object *resume = json_tokener_parse(
            "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"token\": \"right\", \"received\": 0}}");
        ck_assert_int_eq(write_frame(sockets[1], 0, resume), 0);
        ck_assert_int_eq(channel_pump(channel, &end, &error), 1);
        ck_assert(!channel_is_lost(channel));
        (void)close(sockets[1]);
        channel_free(channel);
    }
}
END_TEST

static json_object *ack_of(int64_t sequence)
{
    json_object *message = json_tokener_parse("{\"type\": \"ack\", \"data\": {}}");

    json_object_object_add(json_object_object_get(message, "data"), "sequence",
                           json_object_new_int64(sequence));
    return message;
}

/* Three messages are sent, then the peer acknowledges. 0, or -1 with the error set. */
static int acknowledge(struct channel *channel, int fd, uint64_t number, int64_t sequence,
                       struct osiris_error *error)
{
    _cleanup_json_ json_object *ack = ack_of(sequence);
    bool end;

    ck_assert_int_eq(write_frame(fd, number, ack), 0);
    (void)channel_pump(channel, &end, error);
    ck_assert_ptr_null(channel_receive(channel, error));
    return error->category == 0 ? 0 : -1;
}

START_TEST(test_acks_settle_what_was_sent_and_old_ones_do_no_harm)
{
    struct channel *channel;
    struct channel_progress progress;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    int fd;

    make_pair(&channel, &fd);
    ck_assert_int_eq(channel_allow_resumption(channel, "s", "t", false, NULL), 0);
    ck_assert(channel_is_settled(channel));
    for (int64_t n = 0; n < 3; n++) {
        _cleanup_json_ json_object *message = number_message(0, n);
        ck_assert_int_eq(channel_send(channel, message, false, NULL), 0);
    }
    ck_assert(!channel_is_settled(channel));
    ck_assert_int_eq(acknowledge(channel, fd, 1, 2, &error), 0);
    /* Acks are frames, too: one that got lost with a link comes again, after a greeting that has said more. */
    ck_assert_int_eq(acknowledge(channel, fd, 2, 1, &error), 0);
    channel_get_progress(channel, &progress);
    ck_assert_uint_eq(progress.acknowledged, 2);
    ck_assert(progress.outstanding);
    ck_assert_int_eq(acknowledge(channel, fd, 3, 3, &error), 0);
    ck_assert(channel_is_settled(channel));
    ck_assert_int_eq(acknowledge(channel, fd, 4, 4, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "acknowledges what was not sent"));
    (void)close(fd);
    channel_free(channel);
}
END_TEST

/* What the peer has is forgotten, but for what it need not have acknowledged yet; what is on its way has a socket's size. */
START_TEST(test_acks_bound_what_is_kept)
{
    enum { BODIES = 400, BODY = 64 << 10, SOCKET = 1 << 20 };
    struct end ends[2] = {0};
    struct channel_counts counts;
    uint8_t *bytes = pattern(BODY, 9), *room = malloc(BODY);
    uint64_t most_frames = 0, most_bytes = 0;
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    for (int i = 0; i < 2; i++) {
        ends[i].channel = channel_new(sockets[i], NULL);
        ck_assert_int_eq(channel_allow_resumption(ends[i].channel, "s", "t", i == 0, NULL), 0);
        channel_set_place(ends[i].channel, place, ends[i].assemblies);
    }
    ends[1].assemblies[0].bytes = room;
    for (int n = 0; n < BODIES; n++) {
        _cleanup_json_ json_object *batch = stream_message("batch", 0);
        _cleanup_json_ json_object *message = number_message(0, n);
        struct channel_body body = body_of(bytes, BODY, &ends[0].releases);
        ck_assert_int_eq(channel_send_body(ends[0].channel, batch, &body, NULL), 0);
        ck_assert_int_eq(channel_send(ends[0].channel, message, false, NULL), 0);
        channel_get_counts(ends[0].channel, &counts);
        most_frames = counts.kept_frames > most_frames ? counts.kept_frames : most_frames;
        most_bytes = counts.kept_bytes > most_bytes ? counts.kept_bytes : most_bytes;
        while (take_all(&ends[1]) || take_all(&ends[0]))
            ends[1].assemblies[0].filled = 0;
        ends[1].assemblies[0].filled = 0;
    }
    ck_assert_int_eq(ends[1].next, BODIES);
    /* Not nothing, or the test would prove nothing. */
    ck_assert_uint_gt(most_bytes, CHANNEL_ACK_BYTES / 2);
    ck_assert_uint_le(most_bytes, CHANNEL_ACK_BYTES + SOCKET);
    ck_assert_uint_le(most_frames, CHANNEL_ACK_FRAMES + SOCKET / BODY);
    channel_get_counts(ends[0].channel, &counts);
    ck_assert_uint_le(counts.kept_bytes, CHANNEL_ACK_BYTES);
    for (int i = 0; i < 2; i++)
        channel_free(ends[i].channel);
    ck_assert_int_eq(ends[0].releases, BODIES);
    free(bytes);
    free(room);
}
END_TEST

/* A peer that reads and never acknowledges: messages are kept up to the outbox's bound, and no further. */
START_TEST(test_a_peer_that_never_acknowledges_is_bounded)
{
    struct channel *channel;
    struct channel_counts counts;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    char *text = calloc(1, 100001), *drained = malloc(1 << 20);
    int fd, sent = 0;

    make_pair(&channel, &fd);
    ck_assert_int_eq(channel_allow_resumption(channel, "s", "t", true, NULL), 0);
    memset(text, 'x', 100000);
    _cleanup_json_ json_object *message = number_message(0, 0);
    json_object_object_add(message, "text", json_object_new_string(text));
    while (sent < 1000 && channel_send(channel, message, false, &error) == 0) {
        bool end;
        sent++;
        while (recv(fd, drained, 1 << 20, MSG_DONTWAIT) > 0)
            ck_assert_int_ge(channel_pump(channel, &end, NULL), 0);
    }
    ck_assert_int_eq(error.native_code, EAGAIN);
    channel_get_counts(channel, &counts);
    ck_assert_uint_gt(counts.kept_bytes, CHANNEL_OUTBOX_BYTES / 2);
    ck_assert_uint_le(counts.kept_bytes, CHANNEL_OUTBOX_BYTES);
    (void)close(fd);
    channel_free(channel);
    free(text);
    free(drained);
}
END_TEST

START_TEST(test_a_new_link_replaces_one_that_looks_alive)
{
    struct channel *channel;
    _cleanup_json_ json_object *resume = json_tokener_parse(
        "{\"type\": \"resume\", \"data\": {\"session\": \"s\", \"token\": \"t\", \"received\": 0}}");
    _cleanup_json_ json_object *message = number_message(0, 7);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct frame_header header;
    uint8_t bytes[512];
    int old, sockets[2];
    char byte;

    make_pair(&channel, &old);
    ck_assert_int_eq(channel_allow_resumption(channel, "s", "t", false, NULL), 0);
    ck_assert_int_eq(channel_send(channel, message, false, NULL), 0);
    ck_assert(channel_knows(channel, json_object_object_get(resume, "data")));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    ck_assert_int_eq(channel_reconnect(channel, sockets[0], NULL), 0);
    ck_assert_int_eq(channel_take_greeting(channel, resume, &error), 0);
    ck_assert(channel_is_up(channel));
    /* The greeting, then the message again, with its old number; the old link has ended behind its bytes. */
    for (uint64_t sequence = 0; sequence < 2; sequence++) {
        ck_assert_int_eq(recv(sockets[1], bytes, FRAME_HEADER_SIZE, MSG_WAITALL), FRAME_HEADER_SIZE);
        frame_decode_header(bytes, &header);
        ck_assert_uint_eq(header.sequence, sequence);
        ck_assert_uint_le(header.message_length, sizeof bytes);
        ck_assert_int_eq(recv(sockets[1], bytes, header.message_length, MSG_WAITALL),
                         header.message_length);
    }
    while (recv(old, &byte, 1, 0) > 0)
        continue;
    ck_assert_int_eq(recv(old, &byte, 1, 0), 0);
    (void)close(old);
    (void)close(sockets[1]);
    channel_free(channel);
}
END_TEST

/* Answers that are dropped would be waited for for ever; memory has its bound all the same. */
START_TEST(test_what_is_owed_passes_a_full_outbox_up_to_a_bound)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    char *text = calloc(1, 100001);
    int fd, sent = 0;
    bool end;

    make_pair(&channel, &fd);
    (void)fill_outbox(channel);
    memset(text, 'x', 100000);
    _cleanup_json_ json_object *message = number_message(0, 0);
    json_object_object_add(message, "text", json_object_new_string(text));
    ck_assert_int_eq(channel_send_owed(channel, message, &error), 0);
    ck_assert_int_eq(channel_pump(channel, &end, &error), 0);
    while (sent < 1000 && channel_send_owed(channel, message, &error) == 0)
        sent++;
    ck_assert_uint_le((size_t)sent * 100000, CHANNEL_OUTBOX_BYTES + 200000);
    osiris_error_clear(&error);
    ck_assert_int_eq(channel_pump(channel, &end, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "asks and does not read"));
    (void)close(fd);
    channel_free(channel);
    free(text);
}
END_TEST

UNIT_MAIN("channel", test_no_message_waits_behind_more_than_one_body,
          test_what_is_owed_passes_a_full_outbox_up_to_a_bound,
          test_bodies_of_two_streams_alternate_and_messages_overtake,
          test_bodies_that_are_not_sent_are_released,
          test_messages_are_read_ahead_and_bodies_are_not, test_a_body_that_nobody_wants_is_a_violation,
          test_a_link_that_breaks_once_loses_and_doubles_nothing,
          test_a_link_that_breaks_again_and_again, test_only_the_old_peer_resumes,
          test_a_stranger_on_a_new_link_does_not_end_the_session, test_messages_come_in_order_and_the_end_is_clean, test_a_frame_byte_by_byte,
          test_an_end_inside_a_frame_is_an_error, test_a_slow_reader_bounds_the_outbox,
          test_many_senders_keep_their_order, test_shutdown_wakes_a_waiting_sender,
          test_a_reader_that_comes_wakes_a_waiting_sender,
          test_shutdown_fails_senders_of_a_full_outbox,
          test_violations_of_the_protocol_are_errors,
          test_a_peer_that_is_gone_is_an_error_not_a_signal,
          test_acks_settle_what_was_sent_and_old_ones_do_no_harm,
          test_acks_bound_what_is_kept, test_a_peer_that_never_acknowledges_is_bounded,
          test_a_new_link_replaces_one_that_looks_alive)
