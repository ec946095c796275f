/* Operations on a channel that its files share; see channel-state.h. */
#include "core/wire/channel-state.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"

void channel_wake_locked(struct channel *channel)
{
    const uint64_t one = 1;

    if (!channel->woken)
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
    /* The descriptors are closed by the receiving thread, which may be polling them. */
    (void)shutdown(channel->fds.output, SHUT_RDWR);
    channel_wake_locked(channel);
    return 0;
}

void channel_link_close(struct channel_link *link)
{
    if (link->output == link->input)
        link->output = -1;
    cleanup_close_value(&link->input);
    cleanup_close_value(&link->output);
    *link = (struct channel_link){-1, -1};
}

void channel_close_link_locked(struct channel *channel)
{
    channel_link_close(&channel->fds);
}

static bool is_socket(int fd)
{
    int type;
    socklen_t length = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

/* Messages are short, and the peer waits for them. If it is not a TCP socket, TCP_NODELAY does nothing. */
static int adjust(int fd)
{
    static const int on = 1;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return 0;
}

int channel_use_link_locked(struct channel *channel, struct channel_link link)
{
    if (adjust(link.input) < 0 || adjust(link.output) < 0) {
        channel_link_close(&link);
        return -1;
    }
    channel_close_link_locked(channel);
    channel->fds = link;
    channel->input_is_socket = is_socket(link.input);
    channel->output_is_socket = is_socket(link.output);
    channel->output_ended = false;
    return 0;
}

void channel_trace_frame(struct channel *channel, bool sent, const struct frame_header *header,
                         const uint8_t *message, const struct iovec *body, size_t body_pieces)
{
    if (channel->trace != NULL)
        channel->trace(channel->trace_context, sent, header, message, body, body_pieces);
}
