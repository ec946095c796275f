/* A channel's lanes: queueing frames, and writing as much as the socket accepts; see channel.h. */
#include "core/wire/channel-flush.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/wire/channel-parts.h"

#define FRAMES_IN_LINE 16
#define PIECES_AT_ONCE 64

void channel_clear_lanes(struct channel *channel)
{
    frame_list_clear(&channel->messages);
    frame_list_clear(&channel->sending);
    frame_list_clear(&channel->kept);
    frame_out_free(channel->greeting);
    channel->greeting = NULL;
    channel->sending_offset = 0;
    while (channel->bodies != NULL) {
        struct body_out *body = channel->bodies;
        channel->bodies = body->next;
        body_out_free(body);
    }
    channel->last_body = NULL;
    channel->body_lane_bytes = channel->request_bytes = 0;
}

void channel_unlock(struct channel *channel)
{
    struct frame_list done = channel->done;

    channel->done = (struct frame_list){0};
    pthread_mutex_unlock(&channel->outbox_lock);
    frame_list_clear(&done);
}

/* Queueing frames. */

static void put_in_line(struct channel *channel, struct frame_out *frame)
{
    struct frame_header header;
    uint8_t *head = frame->pieces[0].iov_base;

    frame_decode_header(head, &header);
    header.sequence = frame->sequence = ++channel->sent_sequence;
    frame_encode_header(&header, head);
    frame_list_append(&channel->sending, frame);
    channel->counts.frames_sent++;
    channel->counts.body_bytes_sent += header.body_length;
    channel_trace_frame(channel, true, &header, head + FRAME_HEADER_SIZE, frame->pieces + 1,
                        frame->piece_count - 1);
}

static void continue_body(struct body_out *body)
{
    if (body->goes_on)
        return;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1 << 10);
    channel_encode_more(body->stream, &encoded);
    free(body->message);
    body->message_length = encoded.length;
    body->message = (uint8_t *)buffer_steal(&encoded);
    body->goes_on = true;
}

/* Queues the rest of a body after those of other streams, but before the next ones of its own stream. */
static void put_back(struct channel *channel, struct body_out *body)
{
    struct body_out **link = &channel->bodies;

    while (*link != NULL && (*link)->stream != body->stream)
        link = &(*link)->next;
    body->next = *link;
    *link = body;
    channel->body_lane_bytes += body_out_cost(body);
    if (body->next == NULL)
        channel->last_body = body;
}

/* Queues the next part of the first body. -1: no memory for its message. */
static int put_part_in_line(struct channel *channel)
{
    struct body_out *body = channel->bodies;
    size_t most = body->stream < 0 ? FRAME_MAXIMUM_BODY : channel->part_bytes;
    size_t length = body->left < most ? body->left : most;
    size_t cost = body_out_cost(body);
    struct frame_out *frame = frame_out_new(body->message, body->message_length, body, length);

    if (frame == NULL)
        return -1;
    frame->in_body_lane = true;
    put_in_line(channel, frame);
    channel->bodies = body->next;
    channel->body_lane_bytes -= cost;
    if (channel->bodies == NULL)
        channel->last_body = NULL;
    if (body->left == 0) {
        body_out_free(body);
        return 0;
    }
    continue_body(body);
    put_back(channel, body);
    return 0;
}

static bool body_in_line(const struct channel *channel)
{
    for (const struct frame_out *frame = channel->sending.first; frame != NULL;
         frame = frame->next)
        if (frame->in_body_lane)
            return true;
    return false;
}

static int fill_line(struct channel *channel)
{
    while (channel->sending.count < FRAMES_IN_LINE && channel->messages.first != NULL) {
        struct frame_out *frame = frame_list_take(&channel->messages);
        if (frame->is_request)
            channel->request_bytes -= frame->length;
        put_in_line(channel, frame);
    }
    if (channel->sending.count < FRAMES_IN_LINE && channel->bodies != NULL &&
        !body_in_line(channel))
        return put_part_in_line(channel);
    return 0;
}

/* Flushing. */

/* *asked: the total length of the pieces. */
static size_t gather(const struct channel *channel, struct iovec pieces[PIECES_AT_ONCE],
                     size_t *asked)
{
    size_t count = 0, skip = channel->sending_offset;

    *asked = 0;
    for (const struct frame_out *frame = channel->sending.first;
         frame != NULL && count < PIECES_AT_ONCE; frame = frame->next)
        for (size_t i = 0; i < frame->piece_count && count < PIECES_AT_ONCE; i++) {
            struct iovec piece = frame->pieces[i];
            size_t skipped = skip < piece.iov_len ? skip : piece.iov_len;
            skip -= skipped;
            piece.iov_base = (char *)piece.iov_base + skipped;
            piece.iov_len -= skipped;
            *asked += piece.iov_len;
            if (piece.iov_len > 0)
                pieces[count++] = piece;
        }
    return count;
}

static ssize_t send_pieces(struct channel *channel, struct iovec *pieces, size_t count)
{
    const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    ssize_t sent;

    if (!file_id_is(channel->fds.output, &channel->output_id))
        return -1;
    do {
        channel->counts.send_calls++;
        sent = channel->output_is_socket ? sendmsg(channel->fds.output, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
                                         : writev(channel->fds.output, pieces, (int)count);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

static void take_sent(struct channel *channel, size_t sent)
{
    channel->sending_offset += sent;
    while (channel->sending.first != NULL &&
           channel->sending_offset >= channel->sending.first->length) {
        struct frame_out *frame = frame_list_take(&channel->sending);
        channel->sending_offset -= frame->length;
        if (channel->resumable)
            frame_list_append(&channel->kept, frame);
        else
            frame_list_append(&channel->done, frame);
    }
}

static int broken(struct channel *channel, int reason)
{
    if (channel_lose_link_locked(channel) == 0)
        return 0;
    errno = reason;
    return -1;
}

/* The greeting of a new link is sent alone: nothing may follow before the peer's greeting has arrived. */
static int flush_greeting(struct channel *channel)
{
    struct frame_out *greeting = channel->greeting;

    if (greeting == NULL)
        return 0;
    struct iovec piece = greeting->pieces[0];
    piece.iov_base = (char *)piece.iov_base + channel->sending_offset;
    piece.iov_len -= channel->sending_offset;
    ssize_t sent = send_pieces(channel, &piece, 1);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (sent < 0)
        return broken(channel, errno);
    channel->sending_offset += (size_t)sent;
    if (channel->sending_offset == greeting->length) {
        frame_out_free(greeting);
        channel->greeting = NULL;
        channel->sending_offset = 0;
    }
    return 0;
}

int channel_flush_locked(struct channel *channel)
{
    struct iovec pieces[PIECES_AT_ONCE];

    if (channel->closed || channel->link == LINK_LOST)
        return 0;
    if (channel->greeting != NULL && flush_greeting(channel) < 0)
        return -1;
    while (channel->link == LINK_UP && channel->greeting == NULL) {
        if (fill_line(channel) < 0) {
            errno = ENOMEM;
            return -1;
        }
        size_t asked, count = gather(channel, pieces, &asked);
        if (count == 0)
            break;
        ssize_t sent = send_pieces(channel, pieces, count);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (channel->stuck_since_ms == 0)
                channel->stuck_since_ms = clock_monotonic_ms();
            break;
        }
        if (sent < 0)
            return broken(channel, errno);
        channel->stuck_since_ms = 0;
        take_sent(channel, (size_t)sent);
        /* The socket is full now. The next attempt may be much later, so the time is noted here. */
        if ((size_t)sent < asked) {
            channel->stuck_since_ms = clock_monotonic_ms();
            break;
        }
    }
    pthread_cond_broadcast(&channel->outbox_room);
    return 0;
}

bool channel_has_work_locked(const struct channel *channel)
{
    if (channel->closed || channel->link == LINK_LOST)
        return false;
    if (channel->link == LINK_GREETING || channel->greeting != NULL)
        return channel->greeting != NULL;
    return channel->sending.first != NULL || channel->messages.first != NULL ||
           channel->bodies != NULL;
}
