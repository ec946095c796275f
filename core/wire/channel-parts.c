/* The size of a body's parts; see channel-parts.h. */
#include "core/wire/channel-parts.h"

#include "core/base/json-build.h"
#include "core/wire/message.h"

/* After the first link that has let nothing through, and after the next one. */
#define SMALL_PART (16u << 10)
#define SMALLEST_PART (4u << 10)
#define PARTS_BEFORE_GROWTH 16 /* on one link */

void channel_encode_more(int64_t stream, struct buffer *encoded)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_add_string(message, "type", "more");
    json_add_integer(data, "stream", stream);
    json_add(message, "data", data);
    (void)message_encode(message, encoded, NULL);
}

void channel_grow_parts_locked(struct channel *channel, size_t bytes)
{
    channel->bytes_through += bytes;
    if (channel->part_bytes == FRAME_MAXIMUM_BODY || channel->bytes_through < PARTS_BEFORE_GROWTH * channel->part_bytes)
        return;
    channel->part_bytes *= 2;
    channel->bytes_through = 0;
}

/* The number of a frame that the peer has not received may change. */
static void renumber(struct channel *channel, struct frame_out *frame)
{
    struct frame_header header;
    uint8_t *head = frame->pieces[0].iov_base;

    frame_decode_header(head, &header);
    header.sequence = frame->sequence = ++channel->sent_sequence;
    frame_encode_header(&header, head);
    channel_trace_frame(channel, true, &header, head + FRAME_HEADER_SIZE, frame->pieces + 1, frame->piece_count - 1);
}

/* NULL: out of memory. */
static struct frame_out *cut_part(const struct frame_out *whole, const struct buffer *more, size_t offset, size_t length)
{
    const uint8_t *message = offset == 0 ? (const uint8_t *)whole->pieces[0].iov_base + FRAME_HEADER_SIZE
                                         : (const uint8_t *)more->data;

    return frame_out_part(whole, message, offset == 0 ? whole->head_length - FRAME_HEADER_SIZE : more->length, offset, length);
}

/* The parts of a frame; without memory for them the frame stays as it is. */
static void cut(const struct channel *channel, struct frame_out *whole, struct frame_list *parts)
{
    _cleanup_buffer_ struct buffer more = BUFFER_INIT(1 << 10);
    size_t body = whole->length - whole->head_length;

    channel_encode_more(whole->stream, &more);
    for (size_t offset = 0; offset < body; offset += channel->part_bytes) {
        size_t left = body - offset;
        struct frame_out *part = cut_part(whole, &more, offset, left < channel->part_bytes ? left : channel->part_bytes);
        if (part == NULL) {
            frame_list_clear(parts);
            frame_list_append(parts, whole);
            return;
        }
        frame_list_append(parts, part);
    }
    frame_out_free(whole);
}

/* A message of no stream has one part: what a file's contents are carried by is small, and has no message for further parts. */
static bool is_too_long(const struct channel *channel, const struct frame_out *frame)
{
    return frame->in_body_lane && frame->stream >= 0 && frame->length - frame->head_length > channel->part_bytes;
}

void channel_adapt_parts_locked(struct channel *channel, struct frame_list *line)
{
    struct frame_list old = {0};
    bool stuck = channel->peer_received == channel->received_at_link && line->first != NULL;
    bool renumbers = false;

    channel->received_at_link = channel->peer_received;
    channel->bytes_through = 0;
    if (stuck && channel->part_bytes > SMALLEST_PART)
        channel->part_bytes = channel->part_bytes > SMALL_PART ? SMALL_PART : SMALLEST_PART;
    frame_list_move(&old, line);
    for (struct frame_out *frame; (frame = frame_list_take(&old)) != NULL;) {
        struct frame_list parts = {0};
        if (!renumbers && is_too_long(channel, frame)) {
            renumbers = true;
            channel->sent_sequence = frame->sequence - 1;
        }
        if (is_too_long(channel, frame))
            cut(channel, frame, &parts);
        else
            frame_list_append(&parts, frame);
        for (frame = parts.first; renumbers && frame != NULL; frame = frame->next)
            renumber(channel, frame);
        frame_list_move(line, &parts);
    }
}
