/* Lists of outgoing frames; see frame-list.h. */
#include "core/wire/frame-list.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire/frame.h"

/* Bodies. */

static void release_owner(struct body_owner *owner)
{
    if (owner == NULL || atomic_fetch_sub(&owner->references, 1) > 1)
        return;
    owner->body.release(owner->body.owner);
    free(owner);
}

struct body_out *body_out_new(struct buffer *message, int64_t stream, const struct channel_body *given)
{
    struct body_out *body = calloc(1, sizeof *body);
    struct body_owner *owner = given->length == 0 ? NULL : calloc(1, sizeof *owner);

    if (owner != NULL) {
        owner->body = *given;
        atomic_init(&owner->references, 1);
    }
    *body = (struct body_out){
        .message_length = message->length, .left = given->length, .stream = stream, .owner = owner};
    body->message = (uint8_t *)buffer_steal(message);
    return body;
}

size_t body_out_cost(const struct body_out *body)
{
    return sizeof *body + body->message_length + body->left;
}

void body_out_free(struct body_out *body)
{
    release_owner(body->owner);
    free(body->message);
    free(body);
}

/* Frames. */

/* The number of pieces of the next `length` bytes of a body. */
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

/* With room for so many pieces of a body, of which there is none yet. */
static struct frame_out *new_frame(const uint8_t *message, size_t message_length, size_t body_pieces, size_t body_length)
{
    size_t head_length = FRAME_HEADER_SIZE + message_length;
    struct frame_out *frame =
        malloc(sizeof *frame + (1 + body_pieces) * sizeof(struct iovec) + head_length);

    if (frame == NULL)
        return NULL;
    *frame = (struct frame_out){
        .length = head_length + body_length, .head_length = head_length, .piece_count = 1};
    uint8_t *head = (uint8_t *)&frame->pieces[1 + body_pieces];
    const struct frame_header header = {.message_length = (uint32_t)message_length,
                                        .body_length = (uint32_t)body_length};
    frame_encode_header(&header, head);
    memcpy(head + FRAME_HEADER_SIZE, message, message_length);
    frame->pieces[0] = (struct iovec){.iov_base = head, .iov_len = head_length};
    return frame;
}

struct frame_out *frame_out_new(const uint8_t *message, size_t message_length,
                                struct body_out *body, size_t body_length)
{
    size_t pieces = body_length > 0 ? count_pieces(body, body_length) : 0;
    struct frame_out *frame = new_frame(message, message_length, pieces, body_length);

    if (frame == NULL)
        return NULL;
    if (body_length > 0) {
        frame->stream = body->stream;
        cut_pieces(frame, body, body_length);
        frame->owner = body->owner;
        atomic_fetch_add(&frame->owner->references, 1);
    }
    return frame;
}

struct frame_out *frame_out_part(const struct frame_out *whole, const uint8_t *message, size_t message_length, size_t offset,
                                 size_t length)
{
    struct frame_out *frame = new_frame(message, message_length, whole->piece_count - 1, length);

    if (frame == NULL)
        return NULL;
    for (size_t i = 1; i < whole->piece_count && length > 0; i++) {
        struct iovec piece = whole->pieces[i];
        size_t skipped = offset < piece.iov_len ? offset : piece.iov_len;
        offset -= skipped;
        piece.iov_base = (char *)piece.iov_base + skipped;
        piece.iov_len -= skipped;
        if (piece.iov_len > length)
            piece.iov_len = length;
        length -= piece.iov_len;
        if (piece.iov_len > 0)
            frame->pieces[frame->piece_count++] = piece;
    }
    frame->in_body_lane = whole->in_body_lane;
    frame->stream = whole->stream;
    frame->owner = whole->owner;
    atomic_fetch_add(&frame->owner->references, 1);
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

void frame_list_move(struct frame_list *list, struct frame_list *from)
{
    struct frame_out *frame;

    while ((frame = frame_list_take(from)) != NULL)
        frame_list_append(list, frame);
}

void frame_list_clear(struct frame_list *list)
{
    struct frame_out *frame;

    while ((frame = frame_list_take(list)) != NULL)
        frame_out_free(frame);
}
