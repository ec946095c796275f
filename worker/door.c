/* New connections to a worker's listening socket; see door.h. */
#include "worker/door.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/wire/frame.h"
#include "core/wire/message.h"

#define GUEST_MS 10000        /* to send a first frame */
#define GUEST_MESSAGE 65536u /* a hello or a resume is much shorter */

struct guest {
    int fd;
    int64_t deadline_ms;
    uint8_t header_bytes[FRAME_HEADER_SIZE];
    size_t header_filled;
    struct frame_header header;
    struct buffer message;
};

struct door {
    int fd;
    struct guest guests[DOOR_GUESTS]; /* the oldest first */
    size_t count;
};

struct door *door_new(int listen_fd, struct osiris_error *error)
{
    int flags = fcntl(listen_fd, F_GETFL), listens = 0;
    socklen_t length = sizeof listens;

    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        getsockopt(listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens) {
        if (flags >= 0 && !listens)
            osiris_error_set(error, OSIRIS_ERROR_CONFIG, "it is not a listening socket");
        else
            osiris_error_set_errno(error, errno, "cannot listen");
        cleanup_close_value(&listen_fd);
        return NULL;
    }
    struct door *door = calloc(1, sizeof *door);
    door->fd = listen_fd;
    return door;
}

/* The peer has left, or its descriptor was handed over. */
static void remove_guest(struct door *door, size_t index)
{
    cleanup_close_value(&door->guests[index].fd);
    buffer_clear(&door->guests[index].message);
    door->count--;
    memmove(&door->guests[index], &door->guests[index + 1],
            (door->count - index) * sizeof door->guests[0]);
}

void door_free(struct door *door)
{
    if (door == NULL)
        return;
    while (door->count > 0)
        remove_guest(door, door->count - 1);
    cleanup_close_value(&door->fd);
    free(door);
}

void door_fill_poll(const struct door *door, struct pollfd fds[DOOR_POLL_FDS])
{
    fds[0] = (struct pollfd){.fd = door->fd, .events = POLLIN};
    for (size_t i = 0; i < DOOR_GUESTS; i++)
        fds[1 + i] = (struct pollfd){.fd = i < door->count ? door->guests[i].fd : -1,
                                     .events = POLLIN};
}

int64_t door_next_deadline(const struct door *door)
{
    return door->count > 0 ? door->guests[0].deadline_ms : INT64_MAX;
}

void door_extend_deadlines(struct door *door)
{
    for (size_t i = 0; i < door->count; i++)
        door->guests[i].deadline_ms = clock_monotonic_ms() + GUEST_MS;
}

static void accept_guests(struct door *door)
{
    static const int on = 1;
    int fd;

    while ((fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        /* Answers are short, and the peer waits for them. If it is not a TCP socket, this does nothing. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (door->count == DOOR_GUESTS)
            remove_guest(door, 0);
        struct guest *guest = &door->guests[door->count++];
        *guest = (struct guest){.fd = fd, .deadline_ms = clock_monotonic_ms() + GUEST_MS};
        buffer_init(&guest->message, GUEST_MESSAGE);
    }
}

/* Only the first frame is read: what follows belongs to the channel that takes the link. 1: all of `length` is there, 0: not yet,
 * -1: the peer is gone. */
static int read_up_to(const struct guest *guest, void *bytes, size_t *filled, size_t length)
{
    while (*filled < length) {
        ssize_t got = recv(guest->fd, (char *)bytes + *filled, length - *filled, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (got <= 0)
            return -1;
        *filled += (size_t)got;
    }
    return 1;
}

static int read_header(struct guest *guest)
{
    if (guest->header_filled == FRAME_HEADER_SIZE)
        return 1;
    int result =
        read_up_to(guest, guest->header_bytes, &guest->header_filled, FRAME_HEADER_SIZE);
    if (result != 1)
        return result;
    frame_decode_header(guest->header_bytes, &guest->header);
    if (guest->header.sequence > 1 || guest->header.body_length > 0 ||
        guest->header.message_length > GUEST_MESSAGE ||
        frame_check_header(&guest->header, guest->header.sequence, NULL) < 0)
        return -1;
    return buffer_reserve(&guest->message, guest->header.message_length) == NULL ? -1 : 1;
}

static int read_frame(struct guest *guest, json_object **message)
{
    int result = read_header(guest);

    if (result == 1)
        result = read_up_to(guest, guest->message.data, &guest->message.length,
                            guest->header.message_length);
    if (result != 1)
        return result;
    *message = message_decode((const uint8_t *)guest->message.data, guest->message.length, NULL);
    return *message == NULL ? -1 : 1;
}

bool door_next(struct door *door, struct door_visitor *visitor)
{
    int64_t now = clock_monotonic_ms();

    accept_guests(door);
    for (size_t i = 0; i < door->count;) {
        struct guest *guest = &door->guests[i];
        json_object *message = NULL;
        int result = read_frame(guest, &message);
        if (result == 1) {
            *visitor = (struct door_visitor){.fd = steal_fd(&guest->fd),
                                             .sequence = guest->header.sequence,
                                             .message = message};
            remove_guest(door, i);
            return true;
        }
        if (result < 0 || now >= guest->deadline_ms)
            remove_guest(door, i);
        else
            i++;
    }
    return false;
}
