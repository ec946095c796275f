/*
 * Outgoing frames (queued, being sent, or kept for resumption), and the bodies that they are cut from. No locks: a list belongs to its
 * owner. Releasing a body calls foreign code.
 */
#ifndef OSIRIS_CORE_WIRE_FRAME_LIST_H
#define OSIRIS_CORE_WIRE_FRAME_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/buffer.h"
#include "core/wire/channel.h"

/* A body that one or more frames are cut from. */
struct body_owner {
    struct channel_body body;
    atomic_size_t references;
};

/* An outgoing frame. Its first piece is its header and message, which are stored after the pieces. */
struct frame_out {
    struct frame_out *next;
    uint64_t sequence;
    size_t length; /* of all pieces */
    size_t head_length;
    struct body_owner *owner; /* or NULL */
    bool in_body_lane;
    int64_t stream;   /* of a body */
    bool is_request; /* of channel_send_request: not counted against the outbox's limit */
    size_t piece_count;
    struct iovec pieces[];
};

struct frame_list {
    struct frame_out *first, *last;
    size_t count, bytes;
};

/* A message with a body of which not all parts are queued yet. */
struct body_out {
    struct body_out *next;
    uint8_t *message; /* of the next part */
    size_t message_length;
    bool goes_on; /* it is a `more` message */
    int64_t stream; /* the stream's number: messages of one stream keep their order */
    struct body_owner *owner; /* NULL: a message without a body that must not overtake its stream's */
    size_t piece, piece_offset, left;
};

/* Takes the bytes of `message`, and the body `given`; its length 0: no body. */
struct body_out *body_out_new(struct buffer *message, int64_t stream, const struct channel_body *given);
void body_out_free(struct body_out *body);
/* The memory that it holds while it is in the lane. */
size_t body_out_cost(const struct body_out *body);

/* A frame with this message and the next `length` bytes of `body`; NULL: out of memory. */
struct frame_out *frame_out_new(const uint8_t *message, size_t message_length,
                                struct body_out *body, size_t body_length);
/* A frame with this message and a part of the body of `whole`. */
struct frame_out *frame_out_part(const struct frame_out *whole, const uint8_t *message, size_t message_length, size_t offset,
                                 size_t length);
void frame_out_free(struct frame_out *frame);
void frame_list_append(struct frame_list *list, struct frame_out *frame);
/* The first one, or NULL. */
struct frame_out *frame_list_take(struct frame_list *list);
/* Moves all frames of `from` to the end. */
void frame_list_move(struct frame_list *list, struct frame_list *from);
void frame_list_clear(struct frame_list *list);

#endif
