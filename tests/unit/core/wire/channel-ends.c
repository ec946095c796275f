/* See channel-ends.h. */
#include "channel-ends.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

json_object *number_message(int64_t sender, int64_t number)
{
    json_object *message = json_object_new_object();

    json_object_object_add(message, "sender", json_object_new_int64(sender));
    json_object_object_add(message, "number", json_object_new_int64(number));
    return message;
}

int64_t field(json_object *message, const char *name)
{
    json_object *value;

    ck_assert(json_object_object_get_ex(message, name, &value));
    return json_object_get_int64(value);
}

void make_pair(struct channel **left, int *right)
{
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    *left = channel_new(sockets[0], NULL);
    ck_assert_ptr_nonnull(*left);
    *right = sockets[1];
}

json_object *receive(struct channel *channel)
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

struct channel_body body_of(const uint8_t *bytes, size_t length, int *releases)
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

void *place(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct assembly *assemblies = context;
    json_object *data = json_object_object_get(message, "data");
    struct assembly *assembly = &assemblies[field(data, "stream")];

    (void)length;
    (void)error;
    return assembly->bytes + assembly->filled;
}

json_object *stream_message(const char *type, int64_t stream)
{
    json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_object_object_add(message, "type", json_object_new_string(type));
    json_object_object_add(data, "stream", json_object_new_int64(stream));
    json_object_object_add(message, "data", data);
    return message;
}

uint8_t *pattern(size_t length, unsigned seed)
{
    uint8_t *bytes = malloc(length);

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
    return bytes;
}

void *flush(void *context)
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
