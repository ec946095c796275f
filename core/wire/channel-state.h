/*
 * The state of a channel, and operations that its files share. Private to channel.c and channel-*.c.
 *
 * `outbox_lock` guards the lanes, the link and the sequence of what is sent. The receiving side's fields belong to the
 * one thread that receives.
 */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_STATE_H
#define OSIRIS_CORE_WIRE_CHANNEL_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/buffer.h"
#include "core/wire/channel.h"
#include "core/wire/frame-list.h"

#define CHANNEL_FAULT_SIZE 192

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
    struct channel_link fds;           /* -1: closed. The output is the input if that is a socket for both */
    bool input_is_socket, output_is_socket;
    bool output_ended;                 /* nobody reads it any more. Set by the receiving thread */
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
    int64_t stuck_since_ms; /* since when the full socket has accepted nothing; 0: it is not full */
    bool closed;
    bool woken; /* wake_fd is readable */
    char fault[CHANNEL_FAULT_SIZE]; /* why it has failed; "" if it has not */
    channel_trace *trace;
    void *trace_context;
    struct channel_counts counts;
    /* Resumption. */
    bool resumable, resumes;
    char *session, *token;
    uint64_t peer_received; /* of our frames, by its acks */
    /* Parts of bodies (channel-parts.h). */
    size_t part_bytes;         /* the longest: at most FRAME_MAXIMUM_BODY */
    size_t bytes_through;      /* that the peer has received over this link, since parts have grown */
    uint64_t received_at_link; /* peer_received when the link began */
    /* Owned by the receiving thread. */
    channel_destination *destination;
    void *destination_context;
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
    uint8_t *body;         /* its destination; NULL: channel_destination has not been called */
    size_t body_filled;
    unsigned tries; /* number of attempts to read the rest of a body without a poll, by their success */
    struct message_in *first_message, *last_message;
    size_t message_count, message_bytes;
    bool body_waits; /* the last of them has a body */
    bool violated;
    struct osiris_error violation; /* until it is returned */
    uint64_t received_sequence;
    size_t quiet_bytes; /* since the last sign of life */
    bool active;        /* there was one since channel_was_active was last called */
    size_t unacknowledged_frames, unacknowledged_bytes;
};

/* `_locked`: outbox_lock is held. */

/* Wakes the receiving thread. */
void channel_wake_locked(struct channel *channel);
/* Records the first failure, which channel_pump reports. */
void channel_fail_locked(struct channel *channel, const char *why);
/* The link is broken. 0: it may be resumed. */
int channel_lose_link_locked(struct channel *channel);
/* [receiving thread] Makes the descriptors (taken, also on failure) those of the channel; -1 with errno. The old ones are closed. */
int channel_use_link_locked(struct channel *channel, struct channel_link link);
/* [receiving thread] */
void channel_close_link_locked(struct channel *channel);
void channel_trace_frame(struct channel *channel, bool sent, const struct frame_header *header,
                         const uint8_t *message, const struct iovec *body, size_t body_pieces);

#endif
