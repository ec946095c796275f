/*
 * One end of the protocol's byte channel; see channel.h.
 *
 * `outbox_lock` guards the outbox, the sequence of what is sent, and `closed`. The receiving side's
 * fields belong to the one thread that receives.
 */
#include "core/channel.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "core/buffer.h"
#include "core/frame.h"
#include "core/message.h"

static_assert(CHANNEL_HEADER_SIZE == FRAME_HEADER_SIZE, "one header");
static_assert(CHANNEL_MAXIMUM_MESSAGE == FRAME_MAXIMUM_MESSAGE, "one bound");
static_assert(CHANNEL_MAXIMUM_DEPTH == MESSAGE_MAXIMUM_DEPTH, "one depth");

#define READ_SIZE 65536
#define SEND_TIMEOUT_SECONDS 30

struct channel {
    int fd;
    int wake_fd;
    pthread_mutex_t outbox_lock;
    pthread_cond_t outbox_room;
    struct buffer outbox;
    size_t outbox_sent; /* bytes at the outbox's beginning that are gone already */
    uint64_t sent_sequence;
    bool closed;
    /* The receiving thread's. */
    struct buffer inbox;
    size_t inbox_taken; /* bytes at the inbox's beginning that have been handed out */
    uint64_t received_sequence;
};

struct channel *channel_new(int fd, struct osiris_error *error)
{
    struct channel *channel = calloc(1, sizeof *channel);
    pthread_condattr_t attributes;
    int flags = fcntl(fd, F_GETFL);

    if (channel == NULL || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        osiris_error_set_errno(error, channel == NULL ? ENOMEM : errno, "cannot use the channel");
        cleanup_close_value(&fd);
        free(channel);
        return NULL;
    }
    channel->fd = fd;
    channel->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (channel->wake_fd < 0) {
        osiris_error_set_errno(error, errno, "cannot use the channel");
        cleanup_close_value(&fd);
        free(channel);
        return NULL;
    }
    buffer_init(&channel->outbox, CHANNEL_OUTBOX_BYTES + 2 * CHANNEL_MAXIMUM_MESSAGE);
    buffer_init(&channel->inbox, FRAME_HEADER_SIZE + (size_t)CHANNEL_MAXIMUM_MESSAGE + READ_SIZE);
    pthread_mutex_init(&channel->outbox_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&channel->outbox_room, &attributes);
    pthread_condattr_destroy(&attributes);
    return channel;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    cleanup_close_value(&channel->fd);
    cleanup_close_value(&channel->wake_fd);
    buffer_clear(&channel->outbox);
    buffer_clear(&channel->inbox);
    pthread_cond_destroy(&channel->outbox_room);
    pthread_mutex_destroy(&channel->outbox_lock);
    free(channel);
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}

int channel_wake_fd(const struct channel *channel)
{
    return channel->wake_fd;
}

static size_t outbox_waiting(const struct channel *channel)
{
    return channel->outbox.length - channel->outbox_sent;
}

short channel_poll_events(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    short events = POLLIN;
    if (outbox_waiting(channel) > 0)
        events |= POLLOUT;
    pthread_mutex_unlock(&channel->outbox_lock);
    return events;
}

/* Writes what the socket takes. Returns -1 with errno unless the socket is merely full. */
static int flush_outbox_locked(struct channel *channel)
{
    while (outbox_waiting(channel) > 0) {
        ssize_t sent = send(channel->fd, channel->outbox.data + channel->outbox_sent,
                            outbox_waiting(channel), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (sent < 0)
            return -1;
        channel->outbox_sent += (size_t)sent;
    }
    if (outbox_waiting(channel) == 0) {
        channel->outbox_sent = 0;
        buffer_reset(&channel->outbox);
        /* A burst's memory is given back. */
        if (channel->outbox.capacity > 2 * READ_SIZE)
            buffer_clear(&channel->outbox);
    } else if (channel->outbox_sent > CHANNEL_OUTBOX_BYTES / 4) {
        buffer_consume(&channel->outbox, channel->outbox_sent);
        channel->outbox_sent = 0;
    }
    if (outbox_waiting(channel) < CHANNEL_OUTBOX_BYTES)
        pthread_cond_broadcast(&channel->outbox_room);
    return 0;
}

/* Waits until a frame of `length` bytes may be put into the outbox. One that is larger than the bound passes
 * when nothing waits before it. */
static int wait_for_room_locked(struct channel *channel, size_t length, bool wait,
                                struct osiris_error *error)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += SEND_TIMEOUT_SECONDS;
    while (!channel->closed && outbox_waiting(channel) > 0 &&
           outbox_waiting(channel) + length > CHANNEL_OUTBOX_BYTES) {
        if (!wait) {
            osiris_error_set_errno(error, EAGAIN, "the peer reads too slowly");
            return -1;
        }
        if (pthread_cond_timedwait(&channel->outbox_room, &channel->outbox_lock, &deadline) ==
            ETIMEDOUT)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                    "the peer has read nothing for %d s", SEND_TIMEOUT_SECONDS);
    }
    if (channel->closed)
        return osiris_error_set_errno(error, EPIPE, "the channel is closed");
    return 0;
}

static void wake(const struct channel *channel)
{
    const uint64_t one = 1;

    /* It can only fail when it is readable already. */
    (void)!write(channel->wake_fd, &one, sizeof one);
}

static int enqueue_locked(struct channel *channel, struct buffer *frame, struct osiris_error *error)
{
    const struct frame_header header = {
        .message_length = (uint32_t)(frame->length - FRAME_HEADER_SIZE),
        .sequence = channel->sent_sequence + 1,
    };
    bool waits_already = outbox_waiting(channel) > 0;

    frame_encode_header(&header, (uint8_t *)frame->data);
    if (buffer_append(&channel->outbox, frame->data, frame->length) < 0) {
        channel->outbox.failed = false;
        return osiris_error_set_errno(error, ENOMEM, "cannot send");
    }
    channel->sent_sequence++;
    if (waits_already)
        return 0;
    if (flush_outbox_locked(channel) < 0)
        return osiris_error_set_errno(error, errno, "cannot send to the peer");
    if (outbox_waiting(channel) > 0)
        wake(channel);
    return 0;
}

int channel_send(struct channel *channel, json_object *message, bool wait,
                 struct osiris_error *error)
{
    static const uint8_t placeholder[FRAME_HEADER_SIZE];
    _cleanup_buffer_ struct buffer frame =
        BUFFER_INIT(FRAME_HEADER_SIZE + (size_t)CHANNEL_MAXIMUM_MESSAGE);

    buffer_append(&frame, placeholder, sizeof placeholder);
    if (message_encode(message, &frame, error) < 0)
        return -1;
    pthread_mutex_lock(&channel->outbox_lock);
    int result = wait_for_room_locked(channel, frame.length, wait, error);
    if (result == 0)
        result = enqueue_locked(channel, &frame, error);
    pthread_mutex_unlock(&channel->outbox_lock);
    return result;
}

/* Drops what has been handed out; gives a large frame's memory back. */
static void tidy_inbox(struct channel *channel)
{
    if (channel->inbox_taken == 0)
        return;
    buffer_consume(&channel->inbox, channel->inbox_taken);
    channel->inbox_taken = 0;
    if (channel->inbox.length == 0 && channel->inbox.capacity > 4 * READ_SIZE)
        buffer_clear(&channel->inbox);
}

static int pump_out(struct channel *channel, struct osiris_error *error)
{
    uint64_t count;
    int result = 0;

    pthread_mutex_lock(&channel->outbox_lock);
    if (outbox_waiting(channel) > 0) {
        (void)!read(channel->wake_fd, &count, sizeof count);
        if (!channel->closed && flush_outbox_locked(channel) < 0)
            result = osiris_error_set_errno(error, errno, "cannot send to the peer");
    } else if (read(channel->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN) {
        result = osiris_error_set_errno(error, errno, "cannot read the channel's wake-up");
    }
    pthread_mutex_unlock(&channel->outbox_lock);
    return result;
}

int channel_pump(struct channel *channel, bool *end, struct osiris_error *error)
{
    *end = false;
    /* A peer that has said its last word and gone must still be heard: reading goes first. The caller has
     * taken every whole frame, so what is left in the inbox is a part of one. */
    tidy_inbox(channel);
    char *room = buffer_reserve(&channel->inbox, READ_SIZE);
    if (room == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot receive");
    ssize_t got;
    do {
        got = recv(channel->fd, room, READ_SIZE, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return osiris_error_set_errno(error, errno, "cannot receive from the peer");
    if (got > 0)
        channel->inbox.length += (size_t)got;
    if (got == 0 && channel->inbox.length > 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONNECTION,
                                "the peer closed the channel inside a frame");
    if (got == 0) {
        *end = true;
        return 0;
    }
    if (pump_out(channel, error) < 0)
        return -1;
    return got > 0;
}

json_object *channel_receive(struct channel *channel, struct osiris_error *error)
{
    const uint8_t *message;
    size_t message_length, consumed;

    const uint8_t *bytes = (const uint8_t *)channel->inbox.data + channel->inbox_taken;
    size_t length = channel->inbox.length - channel->inbox_taken;
    if (length == 0 || frame_next(bytes, length, &channel->received_sequence, &message,
                                  &message_length, &consumed, error) != FRAME_OK)
        return NULL;
    channel->inbox_taken += consumed;
    return message_decode(message, message_length, error);
}

void channel_shutdown(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    channel->closed = true;
    pthread_cond_broadcast(&channel->outbox_room);
    pthread_mutex_unlock(&channel->outbox_lock);
}
