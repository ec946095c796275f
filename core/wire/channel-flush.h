/* A channel's lanes, and writing as much as the socket accepts. Private to the channel's files. `_locked`: outbox_lock is held. */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_FLUSH_H
#define OSIRIS_CORE_WIRE_CHANNEL_FLUSH_H

#include "core/wire/channel-state.h"

/* Writes as much as the socket accepts. -1 with errno if the link is broken and cannot be resumed. */
int channel_flush_locked(struct channel *channel);
bool channel_has_work_locked(const struct channel *channel);
/* Unlocks, and frees frames that are no longer needed. */
void channel_unlock(struct channel *channel);
void channel_clear_lanes(struct channel *channel);

#endif
