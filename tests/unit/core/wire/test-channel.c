/* One end of the protocol's byte channel (core/wire/channel.h): its messages. Bodies and links have files of their own. */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel-ends.h"
#include "core/wire/frame.h"
#include "core/wire/message.h"

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
    ck_assert_ptr_nonnull(strstr(error.message, "sends requests but does not read"));
    (void)close(fd);
    channel_free(channel);
    free(text);
}
END_TEST

static json_object *long_message(int64_t number, size_t length)
{
    char *text = calloc(1, length + 1);
    json_object *message = number_message(0, number);

    memset(text, 'x', length);
    json_object_object_add(message, "text", json_object_new_string(text));
    free(text);
    return message;
}

/* An answer beyond the bound goes behind short ones. */
START_TEST(test_a_long_answer_need_not_be_alone)
{
    struct channel *channel;
    int fd;
    _cleanup_json_ json_object *message = long_message(0, 12u << 20);

    make_pair(&channel, &fd);
    while (channel_poll_events(channel) == POLLIN) {
        _cleanup_json_ json_object *small = long_message(0, 1000);
        ck_assert_int_eq(channel_send_owed(channel, small, NULL), 0);
    }
    ck_assert_int_eq(channel_send_owed(channel, message, NULL), 0);
    ck_assert_int_eq(channel_send_owed(channel, message, NULL), -1);
    (void)close(fd);
    channel_free(channel);
}
END_TEST

/* What is asked is bounded by who asks: a peer that reads nothing yet gets all of it later, in its order, and others have the
 * room that they had. */
START_TEST(test_requests_pass_a_peer_that_reads_slowly)
{
    enum { REQUESTS = 250 };
    struct channel *left, *right;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    pthread_t flusher;
    int fd;

    make_pair(&left, &fd);
    for (int i = 0; i < REQUESTS; i++) {
        _cleanup_json_ json_object *message = long_message(i, i == REQUESTS / 2 ? FRAME_MAXIMUM_MESSAGE - 1000 : 40000);
        ck_assert_int_eq(channel_send_request(left, message, &error), 0);
    }
    int64_t others = fill_outbox(left);
    ck_assert_int_ge(others, CHANNEL_OUTBOX_BYTES / 100000 - 2);
    _cleanup_json_ json_object *last = number_message(0, REQUESTS);
    ck_assert_int_eq(channel_send_request(left, last, &error), 0);
    right = channel_new(fd, NULL);
    pthread_create(&flusher, NULL, flush, left);
    for (int64_t i = 0; i <= REQUESTS + others; i++) {
        _cleanup_json_ json_object *message = receive(right);
        ck_assert_ptr_nonnull(message);
        ck_assert_int_eq(field(message, "number"), i < REQUESTS ? i : i == REQUESTS + others ? REQUESTS : 0);
    }
    channel_free(right);
    pthread_join(flusher, NULL);
    channel_free(left);
}
END_TEST

START_TEST(test_a_request_beyond_the_bound_says_so)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *message = long_message(0, FRAME_MAXIMUM_MESSAGE);
    int fd;

    make_pair(&channel, &fd);
    ck_assert_int_eq(channel_send_request(channel, message, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "the maximum is 16777216 bytes"));
    (void)close(fd);
    channel_free(channel);
}
END_TEST

/* A long frame in pieces: none of them is a sign of life before so many bytes have come, or the frame is whole. */
START_TEST(test_signs_of_life)
{
    struct channel *channel;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);
    _cleanup_json_ json_object *message = number_message(0, 0);
    char *text = calloc(1, 2 * CHANNEL_SIGN_BYTES);
    uint8_t header_bytes[FRAME_HEADER_SIZE];
    int fd, signs = 0;
    bool end;

    make_pair(&channel, &fd);
    ck_assert(!channel_was_active(channel));
    memset(text, 'x', 2 * CHANNEL_SIGN_BYTES - 1);
    json_object_object_add(message, "text", json_object_new_string(text));
    ck_assert_int_eq(message_encode(message, &encoded, NULL), 0);
    const struct frame_header header = {.message_length = (uint32_t)encoded.length, .sequence = 1};
    frame_encode_header(&header, header_bytes);
    ck_assert_int_eq(write(fd, header_bytes, sizeof header_bytes), (ssize_t)sizeof header_bytes);
    for (size_t at = 0; at < encoded.length; at++) {
        ck_assert_int_eq(write(fd, encoded.data + at, 1), 1);
        ck_assert_int_eq(channel_pump(channel, &end, NULL), 1);
        signs += channel_was_active(channel);
        if (at < CHANNEL_SIGN_BYTES / 2)
            ck_assert_int_eq(signs, 0);
    }
    /* Two on the way, and the whole. */
    ck_assert_int_eq(signs, 3);
    ck_assert(!channel_was_active(channel));
    json_object *received = channel_receive(channel, NULL);
    ck_assert_ptr_nonnull(received);
    json_object_put(received);
    (void)close(fd);
    channel_free(channel);
    free(text);
}
END_TEST

/* Who polls is woken, and learns what could not be sent; what comes behind the first fault is not told. */
START_TEST(test_a_channel_that_is_given_up)
{
    struct channel *channel;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT, reason = OSIRIS_ERROR_INIT;
    struct pollfd poll_fd = {.events = POLLIN};
    int fd;
    bool end;

    make_pair(&channel, &fd);
    poll_fd.fd = channel_wake_fd(channel);
    ck_assert_int_eq(channel_pump(channel, &end, &error), 0);
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
    osiris_error_set(&reason, OSIRIS_ERROR_IO, "there is no ink");
    channel_fail(channel, "an answer", &reason);
    channel_fail(channel, "another", &reason);
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
    ck_assert_int_eq(channel_pump_ready(channel, 0, &end, &error), -1);
    ck_assert_str_eq(error.message, "an answer cannot be sent: there is no ink");
    ck_assert(!end);
    (void)close(fd);
    channel_free(channel);
}
END_TEST

UNIT_MAIN("channel", test_messages_come_in_order_and_the_end_is_clean, test_a_frame_byte_by_byte,
          test_an_end_inside_a_frame_is_an_error, test_a_slow_reader_bounds_the_outbox,
          test_many_senders_keep_their_order, test_a_reader_that_comes_wakes_a_waiting_sender,
          test_shutdown_fails_senders_of_a_full_outbox, test_violations_of_the_protocol_are_errors,
          test_shutdown_wakes_a_waiting_sender, test_a_peer_that_is_gone_is_an_error_not_a_signal,
          test_what_is_owed_passes_a_full_outbox_up_to_a_bound, test_a_long_answer_need_not_be_alone,
          test_requests_pass_a_peer_that_reads_slowly, test_a_request_beyond_the_bound_says_so,
          test_signs_of_life, test_a_channel_that_is_given_up)
