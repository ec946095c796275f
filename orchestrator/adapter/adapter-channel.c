/* What adapters fill in; see adapter-channel.h. */
#include "orchestrator/adapter/adapter-channel.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/cleanup.h"
#include "core/base/memory.h"

static int bad(const struct adapter_channel_source *source, struct osiris_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int bad(const struct adapter_channel_source *source, struct osiris_error *error, const char *format, ...)
{
    va_list arguments;
    char text[256];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "adapter \"%s\": %s; this is a fault of the adapter",
                            source->adapter, text);
}

/* Descriptors. */

static int check_socket(int fd, const struct adapter_channel_source *source, struct osiris_error *error)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address, size = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return bad(source, error, "the socket that %s returned (%d) cannot be used: %s", source->verb, fd, strerror(errno));
    if (type != SOCK_STREAM)
        return bad(source, error, "the socket that %s returned (%d) is not a stream socket", source->verb, fd);
    /* A socket that is no longer connected belongs to a worker that has ended. */
    if (getpeername(fd, (struct sockaddr *)&address, &length) < 0 && errno == ENOTCONN &&
        recv(fd, &type, sizeof type, MSG_PEEK | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ECONNRESET)
        return bad(source, error, "the socket that %s returned (%d) is not connected", source->verb, fd);
    return 0;
}

/* `wrong`: the access mode that it must not have. */
static int check_descriptor(const char *name, int fd, int wrong, const struct adapter_channel_source *source,
                            struct osiris_error *error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return bad(source, error, "the %s that %s returned (%d) cannot be used: %s", name, source->verb, fd, strerror(errno));
    if ((flags & O_ACCMODE) == wrong)
        return bad(source, error, "the %s that %s returned (%d) cannot be %s", name, source->verb, fd,
                   wrong == O_WRONLY ? "read" : "written to");
    return 0;
}

/* A link is a socket, or two descriptors. */
static int check_link(const struct osiris_channel *channel, const struct adapter_channel_source *source,
                      struct osiris_error *error)
{
    bool has_input = channel->input >= 0, has_output = channel->output >= 0;

    if (channel->socket < 0 && !has_input && !has_output)
        return bad(source, error, "%s returned neither a socket nor an input and an output", source->verb);
    if (channel->socket >= 0 && (has_input || has_output))
        return bad(source, error, "%s returned both a socket (%d) and %s", source->verb, channel->socket,
                   has_input && has_output ? "two descriptors" : "another descriptor");
    if (channel->socket >= 0)
        return check_socket(channel->socket, source, error);
    if (!has_input || !has_output)
        return bad(source, error, "%s returned an %s and no %s", source->verb, has_input ? "input" : "output",
                   has_input ? "output" : "input");
    if (channel->input == channel->output)
        return bad(source, error, "%s returned the same descriptor (%d) for input and output", source->verb, channel->input);
    if (check_descriptor("input", channel->input, O_WRONLY, source, error) < 0)
        return -1;
    return check_descriptor("output", channel->output, O_RDONLY, source, error);
}

static int check_diagnostics(const struct osiris_channel *channel, const struct adapter_channel_source *source,
                             struct osiris_error *error)
{
    int fd = channel->diagnostics;

    if (fd < 0)
        return 0;
    if (fd == channel->socket || fd == channel->input || fd == channel->output)
        return bad(source, error, "%s returned the same descriptor for %s and diagnostics", source->verb,
                   fd == channel->socket ? "socket" : fd == channel->input ? "input" : "output");
    return check_descriptor("diagnostics", fd, O_WRONLY, source, error);
}

/* Paths. */

static int check_path(const char *path, const char *what, const struct adapter_channel_source *source, struct osiris_error *error)
{
    if (path == NULL || path[0] == '/')
        return 0;
    return bad(source, error, "the %s that %s returned (\"%.100s\") is not an absolute path", what, source->verb, path);
}

static int check_paths(const struct osiris_channel *channel, const struct adapter_channel_source *source, struct osiris_error *error)
{
    size_t count = 0;

    if (check_path(channel->artifacts_dir, "artifacts_dir", source, error) < 0 ||
        check_path(channel->temp_dir, "temp_dir", source, error) < 0 ||
        check_path(channel->working_dir, "working_dir", source, error) < 0)
        return -1;
    if (channel->driver_paths == NULL)
        return 0;
    for (; channel->driver_paths[count] != NULL; count++)
        if (check_path(channel->driver_paths[count], "driver path", source, error) < 0)
            return -1;
    if (count != source->driver_count)
        return bad(source, error, "%s returned %zu driver paths for %zu drivers", source->verb, count, source->driver_count);
    return 0;
}

int adapter_channel_check(const struct osiris_channel *channel, const struct adapter_channel_source *source,
                          struct osiris_error *error)
{
    if (channel->struct_size != sizeof *channel)
        return bad(source, error, "%s has changed the channel's struct_size to %u, which it must not", source->verb,
                   channel->struct_size);
    if (check_link(channel, source, error) < 0 || check_diagnostics(channel, source, error) < 0)
        return -1;
    return check_paths(channel, source, error);
}

/* Copies. */

static const char *copy(const char *text)
{
    return text == NULL ? NULL : memory_format("%s", text);
}

void adapter_channel_copy(struct osiris_channel *channel, size_t driver_count)
{
    channel->artifacts_dir = copy(channel->artifacts_dir);
    channel->temp_dir = copy(channel->temp_dir);
    channel->working_dir = copy(channel->working_dir);
    if (channel->driver_paths == NULL)
        return;
    const char **paths = calloc(driver_count + 1, sizeof *paths);
    for (size_t i = 0; i < driver_count; i++)
        paths[i] = copy(channel->driver_paths[i]);
    channel->driver_paths = paths;
}

/* Passing on. */

struct channel_link adapter_channel_take_link(struct osiris_channel *channel)
{
    struct channel_link link = {channel->input, channel->output};

    if (channel->socket >= 0)
        link = (struct channel_link){channel->socket, channel->socket};
    channel->socket = channel->input = channel->output = -1;
    return link;
}

void adapter_channel_close(struct osiris_channel *channel)
{
    struct channel_link link = adapter_channel_take_link(channel);

    channel_link_close(&link);
    cleanup_close_value(&channel->diagnostics);
    channel->diagnostics = -1;
}

void adapter_channel_clear(struct osiris_channel *channel)
{
    adapter_channel_close(channel);
    for (size_t i = 0; channel->driver_paths != NULL && channel->driver_paths[i] != NULL; i++)
        free((char *)channel->driver_paths[i]);
    free((void *)channel->driver_paths);
    free((char *)channel->artifacts_dir);
    free((char *)channel->temp_dir);
    free((char *)channel->working_dir);
    *channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
}
