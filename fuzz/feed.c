/* The other end of channels, played from text; see feed.h. */
#include "feed.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/wire/message.h"

#define WAIT_MS 30
#define LONGEST_BODY 65536

static void *body_room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct feed_end *end = context;

    (void)message;
    (void)error;
    free(end->body);
    end->body = malloc(length);
    FUZZ_CHECK(end->body != NULL);
    return end->body;
}

void feed_open(struct feed *feed, int *sockets, size_t count)
{
    *feed = (struct feed){.count = count};
    for (size_t i = 0; i < count; i++) {
        struct feed_end *end = &feed->ends[i];
        int pair[2];
        FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        sockets[i] = pair[1];
        end->socket = pair[0];
        end->received = channel_new(dup(pair[0]), NULL);
        FUZZ_CHECK(end->received != NULL);
        channel_set_destination(end->received, body_room, end);
    }
}

/* What has come, in order and within the rules. */
static void receive(struct feed_end *end)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    json_object *message;
    size_t length;

    if (end->ended)
        return;
    /* A peer that closes with bytes of ours unread resets the connection: that is its end, too. */
    if (channel_pump(end->received, &end->ended, &error) < 0)
        end->ended = true;
    FUZZ_CHECK(error.category == 0 || error.native_code == ECONNRESET || error.native_code == EPIPE);
    osiris_error_clear(&error);
    while ((message = channel_receive_body(end->received, &length, &error)) != NULL) {
        end->answers += json_member(message, "result") != NULL || json_member(message, "error") != NULL;
        end->asked += json_member(message, "method") != NULL;
        json_object_put(message);
    }
    FUZZ_CHECK(error.category == 0);
}

static void wait_for_input(struct feed *feed, int timeout_ms)
{
    struct pollfd ready[FEED_CHANNELS];

    for (size_t i = 0; i < feed->count; i++)
        ready[i] = (struct pollfd){.fd = feed->ends[i].ended ? -1 : feed->ends[i].socket,
                                   .events = POLLIN};
    (void)poll(ready, feed->count, timeout_ms);
    for (size_t i = 0; i < feed->count; i++)
        receive(&feed->ends[i]);
}

static bool all_answered(const struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++)
        if (!feed->ends[i].ended && feed->ends[i].answers < feed->ends[i].requests)
            return false;
    return true;
}

static size_t count_asked(const struct feed *feed)
{
    size_t asked = 0;

    for (size_t i = 0; i < feed->count; i++)
        asked += feed->ends[i].asked;
    return asked;
}

static void wait_for_answers(struct feed *feed)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    size_t requests = 0;

    for (size_t i = 0; i < feed->count; i++)
        requests += feed->ends[i].requests;
    /* Who answers requests waits for the next one. */
    while (requests > 0 ? !all_answered(feed) : count_asked(feed) <= feed->asked_before) {
        int64_t left = deadline - clock_monotonic_ms();
        if (left <= 0)
            break;
        wait_for_input(feed, (int)left);
    }
    feed->asked_before = count_asked(feed);
}

static void send_bytes(struct feed *feed, struct feed_end *end, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length > 0 && !end->ended) {
        ssize_t sent = send(end->socket, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = end->socket, .events = POLLIN | POLLOUT};
            if (poll(&ready, 1, 5000) <= 0)
                return; /* it reads nothing: whoever runs it will find out */
            wait_for_input(feed, 0);
        } else {
            return;
        }
    }
}

static void send_message(struct feed *feed, struct feed_end *end, json_object *message,
                         const uint8_t *body, size_t body_length)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);
    uint8_t header_bytes[FRAME_HEADER_SIZE];

    if (message_encode(message, &encoded, NULL) < 0)
        return;
    const struct frame_header header = {.message_length = (uint32_t)encoded.length,
                                        .body_length = (uint32_t)body_length,
                                        .sequence = ++end->sequence};
    frame_encode_header(&header, header_bytes);
    end->requests += json_member(message, "method") != NULL;
    send_bytes(feed, end, header_bytes, sizeof header_bytes);
    send_bytes(feed, end, encoded.data, encoded.length);
    send_bytes(feed, end, body, body_length);
}

static json_object *parse(const char *line, size_t length)
{
    struct json_tokener *tokener = json_tokener_new();

    FUZZ_CHECK(tokener != NULL);
    json_object *message = json_tokener_parse_ex(tokener, line, (int)length);
    json_tokener_free(tokener);
    return message;
}

/* One line that begins at `at` and is `length` long; `next` is what follows. Returns where to go on. */
static const uint8_t *act(struct feed *feed, struct feed_end *end, const uint8_t *at, size_t length,
                          const uint8_t *next, const uint8_t *stop, size_t *body_length)
{
    if (at[0] == '~') {
        wait_for_answers(feed);
    } else if (at[0] == '=') {
        *body_length = strtoul((const char *)at + 1, NULL, 10);
        *body_length = *body_length < LONGEST_BODY ? *body_length : LONGEST_BODY;
    } else if (at[0] == '!') {
        send_bytes(feed, end, at + 1, (size_t)(stop - at) - 1);
        return stop;
    } else if (at[0] == '{') {
        _cleanup_json_ json_object *message = parse((const char *)at, length);
        size_t there = (size_t)(stop - next);
        size_t taken = *body_length < there ? *body_length : there;
        if (message != NULL)
            send_message(feed, end, message, next, taken);
        *body_length = 0;
        return next + taken;
    }
    return next;
}

void feed_play(struct feed *feed, const uint8_t *data, size_t size)
{
    /* strtoul and json_tokener need an end. */
    uint8_t *copy = malloc(size + 1);
    size_t body_length = 0;

    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    const uint8_t *at = copy, *stop = copy + size;
    while (at < stop) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(stop - at));
        const uint8_t *line_end = newline == NULL ? stop : newline;
        struct feed_end *end = &feed->ends[0];
        if (line_end - at > 2 && (at[0] == '0' || at[0] == '1') && at[1] == ' ') {
            end = &feed->ends[(size_t)(at[0] - '0') % feed->count];
            at += 2;
        }
        at = act(feed, end, at, (size_t)(line_end - at), newline == NULL ? stop : newline + 1, stop,
                 &body_length);
        wait_for_input(feed, 0);
    }
    free(copy);
}

void feed_end(struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++)
        (void)shutdown(feed->ends[i].socket, SHUT_WR);
}

void feed_drain(struct feed *feed, int timeout_ms)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;

    for (;;) {
        size_t open = 0;
        for (size_t i = 0; i < feed->count; i++)
            open += !feed->ends[i].ended;
        int64_t left = deadline - clock_monotonic_ms();
        if (open == 0 || left <= 0)
            return;
        wait_for_input(feed, (int)left);
    }
}

void feed_close(struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        channel_free(feed->ends[i].received);
        (void)close(feed->ends[i].socket);
        free(feed->ends[i].body);
    }
}
