/* A channel's lanes, and writing what the socket takes. Private to the channel's files. `_locked`: outbox_lock is held. */
#ifndef OSIRIS_CORE_WIRE_CHANNEL_FLUSH_H
#define OSIRIS_CORE_WIRE_CHANNEL_FLUSH_H

#include "core/wire/channel-state.h"

/* Writes what the socket takes. -1 with errno if it is broken and cannot be resumed. */
int channel_flush_locked(struct channel *channel);
bool channel_has_work_locked(const struct channel *channel);
/* Unlocks, and frees what is done with. */
void channel_unlock(struct channel *channel);
void channel_clear_lanes(struct channel *channel);

#endif
