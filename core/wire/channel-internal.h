/*
 * Shared by the channel's files (channel.c, channel-peer.c, channel-send.c, channel-resume.c). Private to them.
 *
 * `outbox_lock` guards the lanes, the link and the sequence of what is sent. The receiving side's fields belong to the
 * one thread that receives.
 */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_INTERNAL_H
#define OSIRIS_CORE_WIRE_CHANNEL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/buffer.h"
#include "core/wire/channel.h"

#define CHANNEL_FAULT_SIZE 192

/* A body that one or more frames are cut from. */
struct body_owner {
    struct channel_body body;
    atomic_size_t references;
};

/* A queued frame. Its first piece is its header and message, which follow the pieces in memory. */
struct frame_out {
    struct frame_out *next;
    uint64_t sequence;
    size_t length; /* of all pieces */
    size_t head_length;
    struct body_owner *owner; /* or NULL */
    bool in_body_lane;
    bool is_request; /* channel_send_request: not subject to the outbox's bound */
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
    bool goes_on; /* it is `more` */
    int64_t stream; /* its number: messages of one stream keep their order */
    struct body_owner *owner; /* NULL: a message without a body, which must not overtake its stream's bodies */
    size_t piece, piece_offset, left;
};

enum link_state {
    LINK_UP,
    LINK_LOST,     /* no link; channel_reconnect provides another */
    LINK_GREETING, /* a new link; the peer's `resume` has not arrived */
};

struct message_in {
    struct message_in *next;
    json_object *message;
    size_t length, body_length;
};

struct channel {
    int fd;
    int wake_fd;
    pthread_mutex_t outbox_lock;
    pthread_cond_t outbox_room;
    _Atomic enum link_state link; /* written with the lock held */
    struct frame_list messages; /* lane of messages, not numbered yet */
    size_t request_bytes;       /* of requests among them */
    struct body_out *bodies, *last_body; /* lane of bodies */
    size_t body_lane_bytes;              /* their cost */
    struct frame_list sending;  /* numbered; the first may be partly sent */
    size_t sending_offset;      /* bytes of it that are sent */
    struct frame_list kept;     /* sent, not acknowledged */
    struct frame_list done;     /* to free without the lock: releasing a body runs foreign code */
    struct frame_out *greeting; /* a `resume` that is still to be sent */
    uint64_t sent_sequence;
    int64_t stuck_since_ms; /* since when the full socket has taken nothing; 0: it is not full */
    bool closed;
    bool woken; /* wake_fd is readable */
    char fault[CHANNEL_FAULT_SIZE]; /* why it has failed; "": it has not */
    channel_trace *trace;
    void *trace_context;
    struct channel_counts counts;
    /* Resumption. */
    bool resumable, resumes;
    char *session, *token;
    uint64_t peer_received; /* of our frames, by its acks */
    /* Owned by the receiving thread. */
    channel_place *place;
    void *place_context;
    uint8_t header_bytes[FRAME_HEADER_SIZE];
    size_t header_filled;
    uint8_t ahead[CHANNEL_READ_AHEAD]; /* bytes after the current frame */
    size_t ahead_at, ahead_end;
    bool after_body; /* the last frame had a body, so the next one may have one */
    size_t last_length; /* of its message then, else 0 */
    bool has_header;
    struct frame_header header;
    struct buffer inbox;   /* the message */
    json_object *incoming; /* decoded; its body is outstanding */
    uint8_t *body;         /* where it goes; NULL: channel_place has not been called */
    size_t body_filled;
    unsigned tries; /* to read the rest of a body without a poll: as many as have paid off */
    struct message_in *first_message, *last_message;
    size_t message_count, message_bytes;
    bool body_waits; /* the last of them has a body */
    bool violated;
    struct osiris_error violation; /* until it is returned */
    uint64_t received_sequence;
    size_t unheard_bytes; /* since the last sign of life */
    bool heard;           /* there was one that has not been reported yet */
    size_t unacknowledged_frames, unacknowledged_bytes;
};

/* channel-peer.c. `_locked`: outbox_lock is held. The first fault is kept. */
void channel_give_up_locked(struct channel *channel, const char *why);

/* channel-send.c. `_locked`: outbox_lock is held. */

/* A frame of this message and of the next `length` bytes of `body`; NULL: out of memory. */
struct frame_out *frame_out_new(const uint8_t *message, size_t message_length,
                                struct body_out *body, size_t body_length);
void frame_out_free(struct frame_out *frame);
void frame_list_append(struct frame_list *list, struct frame_out *frame);
struct frame_out *frame_list_take(struct frame_list *list);
void frame_list_clear(struct frame_list *list);
/* Unlocks and frees finished frames. */
void channel_unlock(struct channel *channel);
/* Writes what the socket takes. -1 with errno if it is broken and cannot be resumed. */
int channel_flush_locked(struct channel *channel);
bool channel_has_work_locked(const struct channel *channel);
void channel_wake_locked(struct channel *channel);
void channel_clear_lanes(struct channel *channel);
void channel_trace_frame(struct channel *channel, bool sent, const struct frame_header *header,
                         const uint8_t *message, const struct iovec *body, size_t body_pieces);

/* channel-resume.c */

/* The link is broken: 0 if it may be resumed. */
int channel_lose_link_locked(struct channel *channel);
/* The peer's `ack`. */
int channel_take_ack(struct channel *channel, json_object *message, struct osiris_error *error);
/* A frame has arrived; acknowledges if it is time. An `ack` is not acknowledged. */
void channel_acknowledge(struct channel *channel, size_t bytes, bool is_ack);
bool channel_is_message_of_type(json_object *message, const char *type);
/* "the peer violates the protocol: …"; -1 */
int channel_violation(struct osiris_error *error, const char *what);

#endif
