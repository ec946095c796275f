/* The sending half of a channel: limits of the outbox, and adding to the lanes; see channel.h. */
#include <errno.h>

#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/json-access.h"
#include "core/base/pause.h"
#include "core/wire/channel-flush.h"
#include "core/wire/message.h"

#define SEND_TIMEOUT_SECONDS 30
#define RESUME_SEND_TIMEOUT_SECONDS 90 /* a link that can be resumed may be lost for a minute */

/* Flushes on the sender's thread. The receiving thread flushes what is left. */
static int flush_and_wake(struct channel *channel, bool had_work, struct osiris_error *error)
{
    /* The socket is already full: the rest is flushed when there is room. */
    if (had_work && channel->sending.first != NULL)
        return 0;
    if (channel_flush_locked(channel) < 0)
        return osiris_error_set_errno(error, errno, "cannot send to the peer");
    if (channel_has_work_locked(channel) || channel->link == LINK_LOST)
        channel_wake_locked(channel);
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
        if (slice_ms == 0 && pause_has_peer(channel->fds.output))
            patience = (struct patience){.left_ms = 1000 * (int64_t)seconds};
        else if (slice_ms == 0)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                    "the peer has read nothing for %d s", seconds);
        else
            (void)condition_wait_until(&channel->outbox_room, &channel->outbox_lock,
                                       clock_monotonic_ns() + slice_ms * 1000000);
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
        channel_fail_locked(channel, "the peer sends requests but does not read the answers");
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
        body_out_free(body);
        return osiris_error_set_errno(error, EPIPE, "the channel is closed");
    }
    return result;
}
