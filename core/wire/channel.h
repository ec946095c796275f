/*
 * One end of the protocol's byte channel (docs/protocol.md): msgpack messages, some with a body, in
 * length-bounded, numbered frames over a link: a stream socket, or two descriptors (pipes, sockets), one to read and one to write.
 *
 * The descriptors become non-blocking and belong to the channel. Writing to a pipe may raise SIGPIPE, which the process must ignore.
 * Any thread may send; one thread receives and polls. There are two lanes: messages precede bodies, and one frame of a body at a time is on
 * its way. A send writes directly to the socket as far as it takes it; the receiving thread flushes the
 * rest. The lane of messages is bounded, except for requests: a sender that finds it full waits (up to the send timeout) until there
 * is room or the channel is closed. The lane of bodies is bounded by the streams' credits: channel_held_bytes says
 * its current amount.
 *
 * A broken link can be resumed on another descriptor (channel_allow_resumption): then frames are kept until
 * the peer has acknowledged them.
 */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_H
#define OSIRIS_CORE_WIRE_CHANNEL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/wire/frame.h"

#define CHANNEL_PROTOCOL_VERSION 1
#define CHANNEL_OUTBOX_BYTES (4u << 20)
/* The bytes that may be read ahead after a message without a body. That much of a following body is copied. */
#define CHANNEL_READ_AHEAD 2048
/* This much of a frame is a sign of life, like a whole one: a long one may take a while on a slow link. */
#define CHANNEL_SIGN_BYTES (16u << 10)
#define CHANNEL_ACK_FRAMES 64
#define CHANNEL_ACK_BYTES (256u << 10)

struct channel;

/* A link's descriptors. A socket is both; otherwise they are different. */
struct channel_link {
    int input, output;
};
void channel_link_close(struct channel_link *link);

/* Takes the descriptors (also on failure). */
struct channel *channel_new(int fd, struct osiris_error *error);
struct channel *channel_new_over(struct channel_link link, struct osiris_error *error);
void channel_free(struct channel *channel);

/* The descriptor to poll (-1 while the link is lost), and the events: POLLIN always, POLLOUT while something waits and it is a socket. A
 * sender on another thread may leave something; channel_wake_fd becomes readable then. */
int channel_fd(const struct channel *channel);
int channel_wake_fd(const struct channel *channel);
short channel_poll_events(struct channel *channel);
/* The other descriptor to poll, if the link has two, or else -1: for POLLOUT while something waits, otherwise for no event, since its end
 * (POLLERR, POLLHUP) must be noticed in any case. What poll says of it is added to the events of channel_pump_ready. */
int channel_output_fd(const struct channel *channel);
short channel_output_events(struct channel *channel);

/* [any thread] Sends one message (an object). `wait` false: never waits, fails with EAGAIN in
 * native_code when the outbox is full. */
int channel_send(struct channel *channel, json_object *message, bool wait,
                 struct osiris_error *error);

/* [any thread] Sends a request: never waits, is not refused for lack of room and takes none from others. The requester bounds what it
 * requests until it has answers. */
int channel_send_request(struct channel *channel, json_object *message, struct osiris_error *error);

/* [any thread] Sends what the peer has requested and waits for (an answer, a credit): never waits, is not refused
 * for lack of room. A peer that keeps requesting and does not read is at fault: at twice the outbox's bound
 * the channel breaks, and channel_pump reports it. A long answer passes as long as what waits before it is within the bound. */
int channel_send_owed(struct channel *channel, json_object *message, struct osiris_error *error);

/* [any thread] Something that the peer waits for cannot be sent because of `reason`: the channel is closed so that the peer does not wait for
 * ever. From then on channel_pump fails with "WHAT cannot be sent: REASON". */
void channel_fail(struct channel *channel, const char *what, const struct osiris_error *reason);

/* The body of a message: pieces of memory that must not change until `release`, which is called on any
 * thread, when they are sent (and acknowledged) or never will be. */
struct channel_body {
    const struct iovec *pieces; /* until `release`, too */
    size_t piece_count;
    size_t length; /* of all pieces; 0: there is nothing to release */
    void (*release)(void *owner);
    void *owner;
};

/* [any thread] Sends a message in the lane of bodies, with a body, which is taken, also on failure, or without (NULL).
 * Never waits. A body beyond FRAME_MAXIMUM_BODY continues in `more` messages with the number that the message has in
 * data.stream. Messages of one stream keep their order, parts of different streams alternate. */
int channel_send_body(struct channel *channel, json_object *message,
                      const struct channel_body *body, struct osiris_error *error);
/* The same of a message that is encoded already (core/wire/message.h); its bytes are taken, its data.stream is `stream`. */
int channel_send_encoded(struct channel *channel, struct buffer *message, int64_t stream,
                         const struct channel_body *body, struct osiris_error *error);

/* Where the `length` bytes of a body go (the receiver's memory until the message is handed out, and after that), or NULL
 * with the error set. Called on the receiving thread when all messages before it have been handed out; once
 * more for the same message if the link breaks in the middle of its body. Without such a function a
 * body is a violation. */
typedef void *channel_destination(void *context, json_object *message, size_t length,
                                  struct osiris_error *error);
void channel_set_destination(struct channel *channel, channel_destination *destination, void *context);

/* [receiving thread] Reads and writes as much as possible without waiting. Returns 1 when bytes arrived, 0 when
 * none did, -1 on error; the end of the stream between two frames sets *end, elsewhere it is an error. Messages that
 * arrived before it are still available. After a body nothing more is read until it has been returned. */
int channel_pump(struct channel *channel, bool *end, struct osiris_error *error);
/* The same after a poll, whose `revents` of channel_fd and channel_output_fd show what to try. */
int channel_pump_ready(struct channel *channel, short revents, bool *end,
                       struct osiris_error *error);

/* [receiving thread] The next whole message that channel_pump has read, or NULL: none yet (no error
 * set), or a violation of the protocol (error set). The caller owns it. */
json_object *channel_receive(struct channel *channel, struct osiris_error *error);
/* The same, with the length of its body, which is where channel_destination has put it. */
json_object *channel_receive_body(struct channel *channel, size_t *body_length,
                                  struct osiris_error *error);

/* [receiving thread] Whether the peer has given a sign of life since this was last asked: a whole frame (an `ack`, too),
 * or CHANNEL_SIGN_BYTES more of one. Single bytes do not count. */
bool channel_was_active(struct channel *channel);

/* [receiving thread] A body has been returned, and the header of the next frame arrived with it: so it is worth another
 * pump without a poll. */
bool channel_goes_on(const struct channel *channel);

/* [any thread] Bytes that wait in the lane of bodies, are on their way or not acknowledged. */
size_t channel_held_bytes(struct channel *channel);

/* Since when (clock_monotonic_ms) the peer has not read the data that waits for it; 0: no data waits. */
int64_t channel_stuck_since(struct channel *channel);
/* This process did not run, so what happened before says nothing about the peer. */
void channel_restart_stuck(struct channel *channel);
/* [receiving thread] The peer is a process of this machine, and stopped (pause.h). */
bool channel_has_paused_peer(const struct channel *channel);

/* [any thread] Wakes waiting senders, which then fail; nothing is sent from then on. */
void channel_shutdown(struct channel *channel);

/* Called for every frame when it is queued or has arrived, on any thread, one at a time. `body` may be NULL. */
typedef void channel_trace(void *context, bool sent, const struct frame_header *header,
                           const uint8_t *message, const struct iovec *body, size_t body_pieces);
void channel_set_trace(struct channel *channel, channel_trace *trace, void *context);

/* Resumption. */

/* From now on sent frames are kept until they are acknowledged, and a broken link is not an error. `session` and
 * `token` (below 64 KiB each) are copied; `resumes`: this side sends the token (the orchestrator). Call it before anything
 * is sent that could get lost: with hello, whose frame is also kept. */
void channel_allow_resumption(struct channel *channel, const char *session, const char *token, bool resumes);
/* hello has shown that the peer does not support it: nothing is kept any more. */
void channel_forbid_resumption(struct channel *channel);
bool channel_is_resumable(struct channel *channel);
/* The link is broken and may be re-established: channel_reconnect. */
bool channel_is_lost(const struct channel *channel);
/* Neither lost nor waiting for the peer's greeting. */
bool channel_is_up(const struct channel *channel);
/* [receiving thread] Continues over another link (taken, also on failure). The rest happens in channel_pump; if the new link
 * breaks as well, or the peer is not the old one, the channel is lost again. An existing old link is dropped. */
int channel_reconnect(struct channel *channel, int fd, struct osiris_error *error);
int channel_reconnect_over(struct channel *channel, struct channel_link link, struct osiris_error *error);
/* [receiving thread] Drops a link over which nothing arrives any more, as if it had broken. */
void channel_drop_link(struct channel *channel);

/* The progress of both sides, to decide whether a link that breaks repeatedly is usable. */
struct channel_progress {
    uint64_t received, acknowledged; /* sequence numbers: received from the peer, and ours acknowledged by the peer */
    bool outstanding;                /* something is not acknowledged */
};
void channel_get_progress(struct channel *channel, struct channel_progress *progress);

/* For code that accepts links and reads their first frame to identify the peer (worker/door.h). */

/* Whether a `resume` or a hello (its data, its params) names this session and has its token. */
bool channel_knows(const struct channel *channel, json_object *data);
/* [receiving thread] The peer's `resume` (borrowed) has arrived over the link. -1: it resumes at a frame that was not sent. If it is not
 * of this session, the link is lost. */
int channel_take_greeting(struct channel *channel, json_object *message,
                          struct osiris_error *error);
/* [receiving thread] The first frame, number 1, arrived before the channel was created: `message` (taken) is returned first. */
void channel_take_first(struct channel *channel, json_object *message);

/* The end. A side that has received everything acknowledges it and closes the channel; the other then knows that nothing must
 * be sent again. */

/* [receiving thread] */
void channel_acknowledge_all(struct channel *channel);
/* All that was sent has been acknowledged. */
bool channel_is_settled(struct channel *channel);

/* [receiving thread] Statistics for tests and bench/: frames and body bytes sent, calls of sendmsg and of recvmsg. */
struct channel_counts {
    uint64_t frames_sent, frames_received, body_bytes_sent, body_bytes_received;
    uint64_t send_calls, receive_calls;
    uint64_t copied_body_bytes; /* of those received: what came with the message before */
    uint64_t kept_frames, kept_bytes; /* now: sent, not acknowledged */
};
void channel_get_counts(struct channel *channel, struct channel_counts *counts);

#endif
