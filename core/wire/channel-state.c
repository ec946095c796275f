/* Operations on a channel that its files share; see channel-state.h. */
#include "core/wire/channel-state.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void channel_wake_locked(struct channel *channel)
{
    const uint64_t one = 1;

    if (!channel->woken && file_id_is(channel->wake_fd, &channel->wake_id))
        channel->woken = write(channel->wake_fd, &one, sizeof one) == (ssize_t)sizeof one;
}

void channel_fail_locked(struct channel *channel, const char *why)
{
    if (channel->fault[0] == '\0')
        snprintf(channel->fault, sizeof channel->fault, "%s", why);
    channel_wake_locked(channel);
}

int channel_lose_link_locked(struct channel *channel)
{
    if (!channel->resumable || channel->closed)
        return -1;
    channel->link = LINK_LOST;
    frame_out_free(channel->greeting);
    channel->greeting = NULL;
    channel->sending_offset = 0;
    channel->stuck_since_ms = 0;
    /* The descriptor is closed by the receiving thread, which may be polling it. */
    if (file_id_is(channel->fd, &channel->fd_id))
        (void)shutdown(channel->fd, SHUT_RDWR);
    channel_wake_locked(channel);
    return 0;
}

void channel_trace_frame(struct channel *channel, bool sent, const struct frame_header *header,
                         const uint8_t *message, const struct iovec *body, size_t body_pieces)
{
    if (channel->trace != NULL)
        channel->trace(channel->trace_context, sent, header, message, body, body_pieces);
}
