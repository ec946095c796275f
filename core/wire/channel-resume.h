/* Resumption in the receiving half of a channel. Private to the channel's files. */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_RESUME_H
#define OSIRIS_CORE_WIRE_CHANNEL_RESUME_H

#include "core/wire/channel-state.h"

/* The peer's `ack`. */
int channel_take_ack(struct channel *channel, json_object *message, struct osiris_error *error);
/* A frame has arrived; sends an acknowledgement if it is time. An `ack` itself is not acknowledged. */
void channel_acknowledge(struct channel *channel, size_t bytes, bool is_ack);
bool channel_is_message_of_type(json_object *message, const char *type);

#endif
