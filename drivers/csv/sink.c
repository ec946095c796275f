/*
 * Buffered output with plain write(2): short writes and EINTR are gone on with, a descriptor that would
 * block (a pipe) is waited for in slices so that a cancel is seen.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "sink.h"

int csv_sink_init(struct csv_sink *sink, const struct osiris_host *host, const char *path, int fd,
                  size_t reserve)
{
    *sink = (struct csv_sink){.host = host, .path = path, .fd = fd, .reserve = reserve};
    size_t size;
    if (!__builtin_mul_overflow(reserve, 2, &size) &&
        !__builtin_add_overflow(size, CSV_SINK_BLOCK, &size))
        sink->base = malloc(size);
    if (sink->base == NULL)
        return csv_fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL,
                        "not enough memory for the output buffer of %s", path);
    sink->end = sink->base + size;
    return 0;
}

void csv_sink_clear(struct csv_sink *sink)
{
    free(sink->base);
    sink->base = NULL;
}

static int check_cancelled(struct csv_sink *sink)
{
    if (sink->host->cancelled(sink->host))
        return csv_fail(sink->host, OSIRIS_ERROR_CANCELLED, 0, NULL,
                        "cancelled while writing %s", sink->path);
    return 0;
}

static int fail_write(struct csv_sink *sink, int code)
{
    const char *hint = NULL;
    int category = OSIRIS_ERROR_IO;
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        hint = "make room, or write to another file system";
    if (code == EDQUOT)
        category = OSIRIS_ERROR_QUOTA;
    return csv_fail(sink->host, category, code, hint, "cannot write %s: %s", sink->path,
                    strerror(code));
}

/* Some of it went out, or it makes sense to try again: 0; else -1, reported. */
static int write_some(struct csv_sink *sink, const char **from, const char *to)
{
    ssize_t count = write(sink->fd, *from, (size_t)(to - *from));
    if (count > 0) {
        *from += count;
        return 0;
    }
    if (count == 0)
        return fail_write(sink, ENOSPC);
    if (errno == EINTR)
        return check_cancelled(sink);
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return fail_write(sink, errno);
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
    if (poll(&ready, 1, 100) < 0 && errno != EINTR)
        return fail_write(sink, errno);
    return check_cancelled(sink);
}

char *csv_sink_flush(struct csv_sink *sink, const char *at)
{
    if (check_cancelled(sink) < 0)
        return NULL;
    for (const char *from = sink->base; from < at;)
        if (write_some(sink, &from, at) < 0)
            return NULL;
    return sink->base;
}

char *csv_sink_append(struct csv_sink *sink, char *at, const char *data, size_t size)
{
    for (;;) {
        size_t room = csv_sink_room(sink, at);
        size_t usable = room > sink->reserve ? room - sink->reserve : 0;
        size_t count = size < usable ? size : usable;
        if (count > 0)
            memcpy(at, data, count);
        at += count;
        data += count;
        size -= count;
        if (size == 0 && csv_sink_room(sink, at) >= sink->reserve)
            return at;
        at = csv_sink_flush(sink, at);
        if (at == NULL)
            return NULL;
    }
}
