/* Resumption: acknowledging frames, keeping them, greeting over a new link; see channel.h. */
#include "core/wire/channel-resume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/channel-flush.h"
#include "core/wire/channel-parts.h"
#include "core/wire/message.h"

void channel_allow_resumption(struct channel *channel, const char *session, const char *token, bool resumes)
{
    pthread_mutex_lock(&channel->outbox_lock);
    channel->session = strdup(session);
    channel->token = strdup(token);
    channel->resumes = resumes;
    channel->resumable = true;
    pthread_mutex_unlock(&channel->outbox_lock);
}

void channel_forbid_resumption(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    channel->resumable = false;
    frame_list_move(&channel->done, &channel->kept);
    channel_unlock(channel);
}

bool channel_is_resumable(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    bool resumable = channel->resumable;
    pthread_mutex_unlock(&channel->outbox_lock);
    return resumable;
}

bool channel_is_lost(const struct channel *channel)
{
    return channel->link == LINK_LOST;
}

bool channel_is_up(const struct channel *channel)
{
    return channel->link == LINK_UP;
}

void channel_drop_link(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    (void)channel_lose_link_locked(channel);
    pthread_mutex_unlock(&channel->outbox_lock);
}

/* Acknowledgements. */

bool channel_is_message_of_type(json_object *message, const char *type)
{
    return strcmp(json_member_string(message, "type", ""), type) == 0;
}

/* Drops frames that the peer has received. */
static int drop_kept_locked(struct channel *channel, int64_t received)
{
    if (received < 0 || (uint64_t)received > channel->sent_sequence ||
        (uint64_t)received < channel->peer_received)
        return -1;
    channel->peer_received = (uint64_t)received;
    while (channel->kept.first != NULL && channel->kept.first->sequence <= (uint64_t)received) {
        channel_grow_parts_locked(channel, channel->kept.first->length);
        frame_list_append(&channel->done, frame_list_take(&channel->kept));
    }
    pthread_cond_broadcast(&channel->outbox_room);
    return 0;
}

int channel_take_ack(struct channel *channel, json_object *message, struct osiris_error *error)
{
    int64_t sequence = json_member_integer(json_member(message, "data"), "sequence", -1);
    int result = 0;

    pthread_mutex_lock(&channel->outbox_lock);
    /* An ack that was sent again after a later greeting is outdated. */
    bool is_old = sequence >= 0 && (uint64_t)sequence < channel->peer_received;
    if (channel->resumable && !is_old)
        result = drop_kept_locked(channel, sequence);
    channel_unlock(channel);
    return result < 0 ? osiris_error_set_violation(error, "it acknowledges a frame that was not sent") : 0;
}

/* NULL: out of memory for a long one. */
static struct frame_out *make_frame(const char *type, json_object *data)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_string(message, "type", type);
    json_add(message, "data", data);
    if (message_encode(message, &encoded, NULL) < 0)
        return NULL;
    return frame_out_new((const uint8_t *)encoded.data, encoded.length, NULL, 0);
}

static void queue_ack(struct channel *channel)
{
    json_object *data = json_object_new_object();

    json_add_integer(data, "sequence", (int64_t)channel->received_sequence);
    struct frame_out *frame = make_frame("ack", data);
    channel->unacknowledged_frames = channel->unacknowledged_bytes = 0;
    pthread_mutex_lock(&channel->outbox_lock);
    frame_list_append(&channel->messages, frame);
    pthread_mutex_unlock(&channel->outbox_lock);
}

void channel_acknowledge(struct channel *channel, size_t bytes, bool is_ack)
{
    if (!channel->resumable)
        return;
    channel->unacknowledged_frames++;
    channel->unacknowledged_bytes += bytes;
    if (!is_ack && (channel->unacknowledged_frames >= CHANNEL_ACK_FRAMES ||
                    channel->unacknowledged_bytes >= CHANNEL_ACK_BYTES))
        queue_ack(channel);
}

void channel_acknowledge_all(struct channel *channel)
{
    if (!channel->resumable || channel->link != LINK_UP)
        return;
    queue_ack(channel);
    pthread_mutex_lock(&channel->outbox_lock);
    (void)channel_flush_locked(channel);
    channel_unlock(channel);
}

void channel_get_progress(struct channel *channel, struct channel_progress *progress)
{
    pthread_mutex_lock(&channel->outbox_lock);
    *progress = (struct channel_progress){
        .received = channel->received_sequence,
        .acknowledged = channel->peer_received,
        .outstanding = channel->messages.first != NULL || channel->bodies != NULL ||
                       channel->sending.first != NULL || channel->kept.first != NULL};
    pthread_mutex_unlock(&channel->outbox_lock);
}

bool channel_is_settled(struct channel *channel)
{
    struct channel_progress progress;

    channel_get_progress(channel, &progress);
    return !progress.outstanding;
}

/* A new link. */

static struct frame_out *make_greeting(struct channel *channel)
{
    json_object *data = json_object_new_object();

    json_add_string(data, "session", channel->session);
    if (channel->resumes)
        json_add_string(data, "token", channel->token);
    json_add_integer(data, "received", (int64_t)channel->received_sequence);
    return make_frame("resume", data);
}

/* A frame that was being sent when the old link broke is sent again as a whole, or not at all. */
static void forget_partial_frame(struct channel *channel)
{
    channel->header_filled = 0;
    channel->has_header = false;
    channel->ahead_at = channel->ahead_end = 0;
    channel->after_body = false;
    channel->last_length = 0;
    buffer_reset(&channel->inbox);
    json_object_put(channel->incoming);
    channel->incoming = NULL;
    channel->body = NULL;
    channel->body_filled = 0;
    channel->quiet_bytes = 0;
}

static void trace_greeting(struct channel *channel)
{
    struct frame_header header;

    if (channel->greeting == NULL)
        return;
    const uint8_t *head = channel->greeting->pieces[0].iov_base;
    frame_decode_header(head, &header);
    channel_trace_frame(channel, true, &header, head + FRAME_HEADER_SIZE, NULL, 0);
}

int channel_reconnect(struct channel *channel, int fd, struct osiris_error *error)
{
    return channel_reconnect_over(channel, (struct channel_link){fd, fd}, error);
}

int channel_reconnect_over(struct channel *channel, struct channel_link link, struct osiris_error *error)
{
    struct frame_out *greeting = channel->resumes ? make_greeting(channel) : NULL;

    if (channel->resumes && greeting == NULL) {
        channel_link_close(&link);
        return osiris_error_set_errno(error, ENOMEM, "cannot use the new link");
    }
    pthread_mutex_lock(&channel->outbox_lock);
    int result = channel_use_link_locked(channel, link);
    if (result < 0) {
        osiris_error_set_errno(error, errno, "cannot use the new link");
        frame_out_free(greeting);
    } else {
        forget_partial_frame(channel);
        frame_out_free(channel->greeting);
        channel->greeting = greeting;
        channel->sending_offset = 0;
        channel->link = LINK_GREETING;
        trace_greeting(channel);
        (void)channel_flush_locked(channel);
    }
    channel_unlock(channel);
    return result;
}

static bool same_secret(const char *a, const char *b)
{
    size_t length = strlen(a);
    unsigned char difference = 0;

    if (strlen(b) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

/* Everything that the peer has not received comes first, with the old numbers unless it must be cut smaller. */
static void rewind_sending(struct channel *channel)
{
    struct frame_list line = {0};

    frame_list_move(&line, &channel->kept);
    frame_list_move(&line, &channel->sending);
    channel_adapt_parts_locked(channel, &line);
    channel->sending = line;
    channel->sending_offset = 0;
}

bool channel_knows(const struct channel *channel, json_object *data)
{
    return channel->session != NULL &&
           strcmp(json_member_string(data, "session", ""), channel->session) == 0 &&
           (channel->resumes ||
            same_secret(json_member_string(data, "token", ""), channel->token));
}

int channel_take_greeting(struct channel *channel, json_object *message,
                          struct osiris_error *error)
{
    json_object *data = json_member(message, "data");
    bool known = channel_is_message_of_type(message, "resume") && channel_knows(channel, data);
    struct frame_out *greeting = known && !channel->resumes ? make_greeting(channel) : NULL;
    int result = 0;

    pthread_mutex_lock(&channel->outbox_lock);
    if (!known || (!channel->resumes && greeting == NULL)) {
        /* Not our peer: the real one may still come. */
        (void)channel_lose_link_locked(channel);
    } else if (drop_kept_locked(channel, json_member_integer(data, "received", -1)) < 0) {
        frame_out_free(greeting);
        result = osiris_error_set_violation(error, "it resumes at a frame that was not sent");
    } else {
        channel->greeting = greeting;
        rewind_sending(channel);
        channel->link = LINK_UP;
        channel->unacknowledged_frames = channel->unacknowledged_bytes = 0;
        if (channel_flush_locked(channel) < 0)
            result = osiris_error_set_errno(error, errno, "cannot send to the peer");
    }
    channel_unlock(channel);
    return result;
}
