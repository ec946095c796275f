/* The sending half of a channel: lanes, frames, flushing; see channel.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/wire/channel-internal.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/message.h"
#include "core/base/pause.h"

#define SEND_TIMEOUT_SECONDS 30
#define RESUME_SEND_TIMEOUT_SECONDS 90 /* a link that can be resumed may be lost for a minute */
#define FRAMES_IN_LINE 16
#define PIECES_AT_ONCE 64

/* Frames. */

static void release_owner(struct body_owner *owner)
{
    if (owner == NULL || atomic_fetch_sub(&owner->references, 1) > 1)
        return;
    owner->body.release(owner->body.owner);
    free(owner);
}

/* The number of pieces for the next `length` bytes of a body. */
static size_t count_pieces(const struct body_out *body, size_t length)
{
    size_t count = 0, offset = body->piece_offset;

    for (size_t i = body->piece; length > 0; i++, count++) {
        size_t rest = body->owner->body.pieces[i].iov_len - offset;
        length -= rest < length ? rest : length;
        offset = 0;
    }
    return count;
}

static void cut_pieces(struct frame_out *frame, struct body_out *body, size_t length)
{
    while (length > 0) {
        const struct iovec *piece = &body->owner->body.pieces[body->piece];
        size_t rest = piece->iov_len - body->piece_offset;
        size_t taken = rest < length ? rest : length;
        if (taken > 0)
            frame->pieces[frame->piece_count++] = (struct iovec){
                .iov_base = (char *)piece->iov_base + body->piece_offset, .iov_len = taken};
        length -= taken;
        body->left -= taken;
        body->piece_offset += taken;
        if (body->piece_offset == piece->iov_len) {
            body->piece++;
            body->piece_offset = 0;
        }
    }
}

struct frame_out *frame_out_new(const uint8_t *message, size_t message_length,
                                struct body_out *body, size_t body_length)
{
    size_t pieces = 1 + (body_length > 0 ? count_pieces(body, body_length) : 0);
    size_t head_length = FRAME_HEADER_SIZE + message_length;
    struct frame_out *frame =
        malloc(sizeof *frame + pieces * sizeof(struct iovec) + head_length);

    if (frame == NULL)
        return NULL;
    *frame = (struct frame_out){
        .length = head_length + body_length, .head_length = head_length, .piece_count = 1};
    uint8_t *head = (uint8_t *)&frame->pieces[pieces];
    const struct frame_header header = {.message_length = (uint32_t)message_length,
                                        .body_length = (uint32_t)body_length};
    frame_encode_header(&header, head);
    memcpy(head + FRAME_HEADER_SIZE, message, message_length);
    frame->pieces[0] = (struct iovec){.iov_base = head, .iov_len = head_length};
    if (body_length > 0) {
        cut_pieces(frame, body, body_length);
        frame->owner = body->owner;
        atomic_fetch_add(&frame->owner->references, 1);
    }
    return frame;
}

void frame_out_free(struct frame_out *frame)
{
    if (frame == NULL)
        return;
    release_owner(frame->owner);
    free(frame);
}

void frame_list_append(struct frame_list *list, struct frame_out *frame)
{
    frame->next = NULL;
    if (list->last == NULL)
        list->first = frame;
    else
        list->last->next = frame;
    list->last = frame;
    list->count++;
    list->bytes += frame->length;
}

struct frame_out *frame_list_take(struct frame_list *list)
{
    struct frame_out *frame = list->first;

    if (frame == NULL)
        return NULL;
    list->first = frame->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    list->bytes -= frame->length;
    frame->next = NULL;
    return frame;
}

void frame_list_clear(struct frame_list *list)
{
    struct frame_out *frame;

    while ((frame = frame_list_take(list)) != NULL)
        frame_out_free(frame);
}

/* The memory that it holds while it is in the lane. */
static size_t body_out_cost(const struct body_out *body)
{
    return sizeof *body + body->message_length + body->left;
}

static void free_body_out(struct body_out *body)
{
    release_owner(body->owner);
    free(body->message);
    free(body);
}

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
        free_body_out(body);
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

/* The message of the parts after the first one, which is the same for all of them. */
static void continue_body(struct body_out *body)
{
    if (body->goes_on)
        return;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1 << 10);
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_add_string(message, "type", "more");
    json_add_integer(data, "stream", body->stream);
    json_add(message, "data", data);
    (void)message_encode(message, &encoded, NULL);
    free(body->message);
    body->message_length = encoded.length;
    body->message = (uint8_t *)buffer_steal(&encoded);
    body->goes_on = true;
}

/* Queues the rest of a body after those of other streams, but before what its own stream has queued. */
static void put_back(struct channel *channel, struct body_out *body)
{
    struct body_out **place = &channel->bodies;

    while (*place != NULL && (*place)->stream != body->stream)
        place = &(*place)->next;
    body->next = *place;
    *place = body;
    channel->body_lane_bytes += body_out_cost(body);
    if (body->next == NULL)
        channel->last_body = body;
}

/* Queues the next part of the first body. -1: out of memory for its message. */
static int put_part_in_line(struct channel *channel)
{
    struct body_out *body = channel->bodies;
    size_t length = body->left < FRAME_MAXIMUM_BODY ? body->left : FRAME_MAXIMUM_BODY;
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
        free_body_out(body);
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

/* *asked: bytes of the pieces. */
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

    do {
        channel->counts.send_calls++;
        sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
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

/* Bodies are bounded by credits, and requests by the requester, not by the outbox. */
static size_t bounded_bytes(const struct frame_list *list)
{
    size_t bytes = 0;

    for (const struct frame_out *frame = list->first; frame != NULL; frame = frame->next)
        bytes += frame->is_request ? 0 : frame->head_length;
    return bytes;
}

static size_t outbox_waiting(const struct channel *channel)
{
    return channel->messages.bytes - channel->request_bytes + bounded_bytes(&channel->sending) +
           bounded_bytes(&channel->kept);
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
        /* Only a part: the socket is full, and a long time may pass before the next attempt. */
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

void channel_wake_locked(struct channel *channel)
{
    const uint64_t one = 1;

    if (!channel->woken)
        channel->woken = write(channel->wake_fd, &one, sizeof one) == (ssize_t)sizeof one;
}

/* Flushes for a sender, on any thread; the receiving thread flushes the rest. */
static int flush_and_wake(struct channel *channel, bool had_work, struct osiris_error *error)
{
    /* The socket is already full: frames are flushed when there is room. */
    if (had_work && channel->sending.first != NULL)
        return 0;
    if (channel_flush_locked(channel) < 0)
        return osiris_error_set_errno(error, errno, "cannot send to the peer");
    if (channel_has_work_locked(channel) || channel->link == LINK_LOST)
        channel_wake_locked(channel);
    return 0;
}

/* Sending. */

static void wait_a_slice(struct channel *channel, int64_t slice_ms)
{
    int64_t end_ns = clock_monotonic_ns() + slice_ms * 1000000;
    const struct timespec end = {.tv_sec = end_ns / 1000000000, .tv_nsec = end_ns % 1000000000};

    (void)pthread_cond_timedwait(&channel->outbox_room, &channel->outbox_lock, &end);
}

/* Waits until a frame of `length` bytes may be put into the outbox. One that is larger than the bound passes
 * when nothing waits before it. */
static int wait_for_room_locked(struct channel *channel, size_t length, bool wait,
                                struct osiris_error *error)
{
    int seconds = channel->resumable ? RESUME_SEND_TIMEOUT_SECONDS : SEND_TIMEOUT_SECONDS;
    struct patience patience = {.left_ms = 1000 * (int64_t)seconds};

    for (;;) {
        size_t waiting = channel->closed ? 0 : outbox_waiting(channel);
        if (waiting == 0 || waiting + length <= CHANNEL_OUTBOX_BYTES)
            break;
        if (!wait) {
            osiris_error_set_errno(error, EAGAIN, "the peer reads too slowly");
            return -1;
        }
        int64_t slice_ms = patience_next(&patience);
        if (slice_ms == 0 && pause_has_peer(channel->fd))
            patience = (struct patience){.left_ms = 1000 * (int64_t)seconds};
        else if (slice_ms == 0)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                    "the peer has read nothing for %d s", seconds);
        else
            wait_a_slice(channel, slice_ms);
    }
    if (channel->closed)
        return osiris_error_set_errno(error, EPIPE, "the channel is closed");
    return 0;
}

static int no_room_for_owed_locked(struct channel *channel, size_t length,
                                   struct osiris_error *error)
{
    size_t waiting = outbox_waiting(channel);

    if (!channel->closed &&
        (waiting <= CHANNEL_OUTBOX_BYTES || waiting + length <= 2 * CHANNEL_OUTBOX_BYTES))
        return 0;
    if (!channel->closed)
        channel_give_up_locked(channel, "the peer sends requests but does not read the answers");
    return osiris_error_set_errno(error, EPIPE, channel->closed ? "the channel is closed"
                                                                : "the peer sends requests but does not read the answers");
}

enum when_full { REFUSE, WAIT, OWED, REQUEST };

static int find_room_locked(struct channel *channel, size_t length, enum when_full when_full,
                            struct osiris_error *error)
{
    if (when_full == OWED)
        return no_room_for_owed_locked(channel, length, error);
    if (when_full != REQUEST)
        return wait_for_room_locked(channel, length, when_full == WAIT, error);
    return channel->closed ? osiris_error_set_errno(error, EPIPE, "the channel is closed") : 0;
}

static int send_message(struct channel *channel, json_object *message, enum when_full when_full,
                        struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);

    if (message_encode(message, &encoded, error) < 0)
        return -1;
    struct frame_out *frame =
        frame_out_new((const uint8_t *)encoded.data, encoded.length, NULL, 0);
    if (frame == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot send");
    frame->is_request = when_full == REQUEST;
    pthread_mutex_lock(&channel->outbox_lock);
    int result = find_room_locked(channel, frame->length, when_full, error);
    if (result == 0) {
        bool had_work = channel_has_work_locked(channel);
        channel->request_bytes += frame->is_request ? frame->length : 0;
        frame_list_append(&channel->messages, frame);
        frame = NULL;
        result = flush_and_wake(channel, had_work, error);
    }
    channel_unlock(channel);
    frame_out_free(frame);
    return result;
}

int channel_send(struct channel *channel, json_object *message, bool wait,
                 struct osiris_error *error)
{
    return send_message(channel, message, wait ? WAIT : REFUSE, error);
}

int channel_send_request(struct channel *channel, json_object *message, struct osiris_error *error)
{
    return send_message(channel, message, REQUEST, error);
}

int channel_send_owed(struct channel *channel, json_object *message, struct osiris_error *error)
{
    return send_message(channel, message, OWED, error);
}

static struct body_out *body_out_new(struct buffer *encoded, int64_t stream,
                                     const struct channel_body *given)
{
    struct body_out *body = calloc(1, sizeof *body);
    struct body_owner *owner = given->length == 0 ? NULL : calloc(1, sizeof *owner);

    if (owner != NULL) {
        owner->body = *given;
        atomic_init(&owner->references, 1);
    }
    *body = (struct body_out){
        .message_length = encoded->length, .left = given->length, .stream = stream, .owner = owner};
    body->message = (uint8_t *)buffer_steal(encoded);
    return body;
}

static const struct channel_body no_body;

int channel_send_body(struct channel *channel, json_object *message,
                      const struct channel_body *given, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);
    int64_t stream = json_member_integer(json_member(message, "data"), "stream", -1);

    if (message_encode(message, &encoded, error) < 0) {
        if (given != NULL && given->length > 0)
            given->release(given->owner);
        return -1;
    }
    return channel_send_encoded(channel, &encoded, stream, given, error);
}

int channel_send_encoded(struct channel *channel, struct buffer *message, int64_t stream,
                         const struct channel_body *given, struct osiris_error *error)
{
    struct body_out *body = body_out_new(message, stream, given == NULL ? &no_body : given);

    pthread_mutex_lock(&channel->outbox_lock);
    bool closed = channel->closed;
    int result = 0;
    if (!closed) {
        bool had_work = channel_has_work_locked(channel);
        if (channel->last_body == NULL)
            channel->bodies = body;
        else
            channel->last_body->next = body;
        channel->last_body = body;
        channel->body_lane_bytes += body_out_cost(body);
        result = flush_and_wake(channel, had_work, error);
    }
    channel_unlock(channel);
    if (closed) {
        free_body_out(body);
        return osiris_error_set_errno(error, EPIPE, "the channel is closed");
    }
    return result;
}
