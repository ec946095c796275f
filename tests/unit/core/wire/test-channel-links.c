/* Links that break and are made again: what is kept, acknowledged and sent once more. */
#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel-ends.h"
#include "core/wire/frame.h"
#include "core/wire/message.h"

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
        channel_allow_resumption(ends[i].channel, "session", "token", i == 0);
        channel_set_destination(ends[i].channel, place, ends[i].assemblies);
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
    channel_allow_resumption(channel, "s", "right", false);
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
    ck_assert_ptr_nonnull(strstr(error.message, "resumes at a frame that was not sent"));
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
        channel_set_destination(channel, place, NULL);
        channel_allow_resumption(channel, "s", "right", false);
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
    channel_allow_resumption(channel, "s", "t", false);
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
    ck_assert_ptr_nonnull(strstr(error.message, "acknowledges a frame that was not sent"));
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
        channel_allow_resumption(ends[i].channel, "s", "t", i == 0);
        channel_set_destination(ends[i].channel, place, ends[i].assemblies);
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
    channel_allow_resumption(channel, "s", "t", true);
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
    channel_allow_resumption(channel, "s", "t", false);
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

UNIT_MAIN("channel-links", test_a_link_that_breaks_once_loses_and_doubles_nothing,
          test_a_link_that_breaks_again_and_again, test_only_the_old_peer_resumes,
          test_a_stranger_on_a_new_link_does_not_end_the_session,
          test_acks_settle_what_was_sent_and_old_ones_do_no_harm, test_acks_bound_what_is_kept,
          test_a_peer_that_never_acknowledges_is_bounded, test_a_new_link_replaces_one_that_looks_alive)
