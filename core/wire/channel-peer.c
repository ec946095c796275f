/* What a channel knows about its peer: data that it has not read, since when it has read nothing, whether it is stopped. Also closing a
 * channel whose answer cannot be sent. See channel.h. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/pause.h"
#include "core/wire/channel-state.h"

size_t channel_held_bytes(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    size_t bytes = channel->body_lane_bytes + channel->sending.bytes + channel->kept.bytes;
    pthread_mutex_unlock(&channel->outbox_lock);
    return bytes;
}

int64_t channel_stuck_since(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    int64_t since = channel->stuck_since_ms;
    pthread_mutex_unlock(&channel->outbox_lock);
    return since;
}

void channel_restart_stuck(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    if (channel->stuck_since_ms != 0)
        channel->stuck_since_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&channel->outbox_lock);
}

bool channel_has_paused_peer(const struct channel *channel)
{
    return channel->fds.output >= 0 && pause_has_peer(channel->fds.output);
}

void channel_fail(struct channel *channel, const char *what, const struct osiris_error *reason)
{
    char why[CHANNEL_FAULT_SIZE];

    snprintf(why, sizeof why, "%.48s cannot be sent: %.120s", what, reason->message);
    pthread_mutex_lock(&channel->outbox_lock);
    channel_fail_locked(channel, why);
    pthread_mutex_unlock(&channel->outbox_lock);
}
