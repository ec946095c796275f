/*
 * Anything at all from the peer of a channel, in any pieces: what is handed out came in order and in bounds, and after a
 * violation nothing does. The input is a list of acts; the first byte says what kind of channel it is.
 *
 *     0 N bytes…   N bytes arrive (N: one byte)
 *     1            all that is left of the input arrives
 *     2            this side sends a message
 *     3            this side sends a body of more than a frame
 *     4            the link breaks, and is made again if it can be
 */
#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/channel.h"

#define BODY_LENGTH (FRAME_MAXIMUM_BODY + 4000)

enum { IS_RESUMABLE = 1, IS_ORCHESTRATOR = 2, TAKES_BODIES = 4, REFUSES_BODIES = 8, GOES_DEAF = 16 };

struct end {
    struct channel *channel;
    int peer;
    uint8_t kind;
    uint8_t *body; /* that is awaited */
    size_t body_length;
    int bodies_out; /* not released yet */
};

static void *body_room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct end *end = context;

    FUZZ_CHECK(message != NULL && length > 0 && length <= FRAME_MAXIMUM_BODY);
    free(end->body);
    end->body = NULL;
    if (end->kind & REFUSES_BODIES) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "no bodies here");
        return NULL;
    }
    end->body = malloc(length);
    FUZZ_CHECK(end->body != NULL);
    end->body_length = length;
    return end->body;
}

/* Keeps the peer's side of the socket empty, so that nothing waits for it. */
static void drain(const struct end *end)
{
    char bytes[65536];

    while ((end->kind & GOES_DEAF) == 0 && recv(end->peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
}

/* False when the channel is at its end. */
static bool take_all(struct end *end)
{
    for (;;) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        bool ended;
        size_t length, taken = 0;
        json_object *message;
        int pumped = channel_pump(end->channel, &ended, &error);
        FUZZ_CHECK((pumped < 0) == (error.category != 0));
        drain(end);
        while ((message = channel_receive_body(end->channel, &length, &error)) != NULL) {
            FUZZ_CHECK(json_object_is_type(message, json_type_object));
            FUZZ_CHECK(length == 0 || (end->body != NULL && length == end->body_length));
            if (length > 0)
                memset(end->body, 0, length);
            json_object_put(message);
            taken++;
        }
        if (error.category != 0 || ended) {
            FUZZ_CHECK(channel_receive(end->channel, NULL) == NULL);
            return false;
        }
        if (pumped == 0 && taken == 0)
            return true;
    }
}

/* As much as the channel takes. */
static bool arrive(struct end *end, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(end->peer, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
        if (!take_all(end))
            return false;
        if (sent <= 0)
            return true; /* the link is broken */
    }
    return true;
}

static void release(void *owner)
{
    struct end *end = owner;

    end->bodies_out--;
}

static json_object *make_message(void)
{
    json_object *message = json_tokener_parse("{\"type\": \"batch\", \"data\": {\"stream\": 1}}");

    FUZZ_CHECK(message != NULL);
    return message;
}

static void send_body(struct end *end)
{
    static const uint8_t bytes[BODY_LENGTH];
    static const struct iovec pieces[] = {{(void *)bytes, 1000},
                                          {(void *)bytes, 0},
                                          {(void *)(bytes + 1000), BODY_LENGTH - 1000}};
    const struct channel_body body = {
        .pieces = pieces, .piece_count = 3, .length = BODY_LENGTH, .release = release, .owner = end};
    _cleanup_json_ json_object *message = make_message();

    end->bodies_out++;
    (void)channel_send_body(end->channel, message, &body, NULL);
    drain(end);
}

static bool break_link(struct end *end)
{
    int sockets[2];

    (void)shutdown(end->peer, SHUT_RDWR);
    if (!take_all(end))
        return false;
    FUZZ_CHECK(end->kind & IS_RESUMABLE);
    FUZZ_CHECK(channel_is_lost(end->channel) && channel_fd(end->channel) == -1);
    (void)close(end->peer);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    end->peer = sockets[1];
    FUZZ_CHECK(channel_reconnect(end->channel, sockets[0], NULL) == 0);
    return take_all(end);
}

static void act(struct end *end, const uint8_t *data, size_t size)
{
    bool goes_on = true;

    for (size_t at = 0; goes_on && at < size;) {
        uint8_t what = data[at++];
        if (what == 0 && at < size) {
            size_t length = data[at++];
            if (length > size - at)
                length = size - at;
            goes_on = arrive(end, data + at, length);
            at += length;
        } else if (what == 1) {
            goes_on = arrive(end, data + at, size - at);
            at = size;
        } else if (what == 2) {
            _cleanup_json_ json_object *message = make_message();
            (void)channel_send(end->channel, message, false, NULL);
            drain(end);
        } else if (what == 3 && end->bodies_out < 4) {
            send_body(end);
        } else if (what == 4) {
            goes_on = break_link(end);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct end end = {.kind = size > 0 ? data[0] : 0};
    int sockets[2];

    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    end.peer = sockets[1];
    end.channel = channel_new(sockets[0], NULL);
    FUZZ_CHECK(end.channel != NULL);
    if (end.kind & TAKES_BODIES)
        channel_set_destination(end.channel, body_room, &end);
    if (end.kind & IS_RESUMABLE)
        channel_allow_resumption(end.channel, "session", "token", (end.kind & IS_ORCHESTRATOR) != 0);
    if (size > 1)
        act(&end, data + 1, size - 1);
    channel_free(end.channel);
    FUZZ_CHECK(end.bodies_out == 0);
    (void)close(end.peer);
    free(end.body);
    return 0;
}
