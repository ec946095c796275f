/*
 * The size of a body's parts. Only whole frames survive the loss of a link. So after a link over which not one frame has come through,
 * parts are cut smaller, those included that wait to be sent again, and they grow again while the peer acknowledges over one link.
 * Private to core/wire/channel-*.c. All of it with outbox_lock held.
 */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_PARTS_H
#define OSIRIS_CORE_WIRE_CHANNEL_PARTS_H

#include "core/wire/channel-state.h"

/* The peer has received frames of so many bytes. */
void channel_grow_parts_locked(struct channel *channel, size_t bytes);
/* A new link begins. `line` holds all frames that the peer has not received, in order: they are cut and numbered anew where that is
 * needed. */
void channel_adapt_parts_locked(struct channel *channel, struct frame_list *line);
/* The message of all parts after a body's first. */
void channel_encode_more(int64_t stream, struct buffer *encoded);

#endif
