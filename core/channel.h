/*
 * One end of the protocol's byte channel (docs/protocol.md): msgpack messages in length-bounded,
 * numbered frames over a stream socket.
 *
 * The descriptor is made non-blocking and belongs to the channel. Any thread may send; one thread
 * receives and polls. A send writes straight to the socket when nothing waits before it; what the
 * socket does not take goes to a bounded outbox that the receiving thread flushes. A sender that finds
 * the outbox full waits (bounded by the send timeout) until there is room or the channel is closed.
 */
#ifndef OSIRIS_CORE_CHANNEL_H
#define OSIRIS_CORE_CHANNEL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define CHANNEL_PROTOCOL_VERSION 1
#define CHANNEL_HEADER_SIZE 16
#define CHANNEL_MAXIMUM_MESSAGE (16u << 20) /* bytes of msgpack in a frame */
#define CHANNEL_MAXIMUM_DEPTH 32            /* nesting of a message */
#define CHANNEL_OUTBOX_BYTES (4u << 20)

struct channel;

/* Takes `fd` (also on failure). */
struct channel *channel_new(int fd, struct osiris_error *error);
void channel_free(struct channel *channel);

/* The descriptor to poll, and for what: POLLIN always, POLLOUT while the outbox holds something. A
 * sender on another thread may fill the outbox; channel_wake_fd becomes readable then. */
int channel_fd(const struct channel *channel);
int channel_wake_fd(const struct channel *channel);
short channel_poll_events(struct channel *channel);

/* [any thread] Sends one message (an object). `wait` false: never waits, fails with EAGAIN in
 * native_code when the outbox is full. */
int channel_send(struct channel *channel, json_object *message, bool wait,
                 struct osiris_error *error);

/* [receiving thread] Reads and writes what can be without waiting. Returns 1 when bytes came, 0 when
 * nothing did, -1 on error; the end of the stream between two frames sets *end, elsewhere it is an error. */
int channel_pump(struct channel *channel, bool *end, struct osiris_error *error);

/* [receiving thread] The next whole message that channel_pump has read, or NULL: none yet (no error
 * set), or a violation of the protocol (error set). The caller owns it. */
json_object *channel_receive(struct channel *channel, struct osiris_error *error);

/* [any thread] Wakes waiting senders, who fail; nothing is sent from then on. */
void channel_shutdown(struct channel *channel);

#endif
