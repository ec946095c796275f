/* A worker's stderr, line by line; see worker-log.h. */
#include "core/worker-log.h"

#include <fcntl.h>
#include <string.h>

#include "core/buffer.h"
#include "core/cleanup.h"

struct worker_log {
    int fd;
    struct buffer pending; /* the line that has no end yet */
    char *kept[WORKER_LOG_KEPT]; /* a ring; `next` is the oldest */
    size_t next;
    void (*line)(void *context, const char *text);
    void *context;
};

struct worker_log *worker_log_new(int fd, void (*line)(void *context, const char *text),
                                  void *context)
{
    struct worker_log *log = calloc(1, sizeof *log);

    if (log == NULL) {
        cleanup_close_value(&fd);
        return NULL;
    }
    log->fd = fd;
    log->line = line;
    log->context = context;
    buffer_init(&log->pending, WORKER_LOG_LINE);
    if (fd >= 0) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
            worker_log_free(log);
            return NULL;
        }
    }
    return log;
}

void worker_log_free(struct worker_log *log)
{
    if (log == NULL)
        return;
    cleanup_close_value(&log->fd);
    for (size_t i = 0; i < WORKER_LOG_KEPT; i++)
        free(log->kept[i]);
    buffer_clear(&log->pending);
    free(log);
}

int worker_log_fd(const struct worker_log *log)
{
    return log->fd;
}

static void end_line(struct worker_log *log)
{
    if (log->pending.length == 0)
        return;
    log->line(log->context, log->pending.data);
    free(log->kept[log->next]);
    log->kept[log->next] = strdup(log->pending.data);
    log->next = (log->next + 1) % WORKER_LOG_KEPT;
    buffer_reset(&log->pending);
}

static void take_bytes(struct worker_log *log, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline == NULL ? length : (size_t)(newline - bytes);
        size_t room = WORKER_LOG_LINE - log->pending.length;
        bool cut = part > room;

        if (cut)
            part = room;
        /* A NUL would hide the rest of the line from everything that prints it. */
        for (size_t i = 0; i < part; i++)
            buffer_append_char(&log->pending, bytes[i] == '\0' ? '?' : bytes[i]);
        bytes += part;
        length -= part;
        if (cut) {
            end_line(log);
        } else if (newline != NULL) {
            end_line(log);
            bytes++;
            length--;
        }
    }
}

/* Whether there may be more. */
static bool read_some(struct worker_log *log)
{
    char bytes[65536];
    ssize_t got = read(log->fd, bytes, sizeof bytes);

    if (got > 0) {
        take_bytes(log, bytes, (size_t)got);
        return true;
    }
    if (got < 0 && errno == EINTR)
        return true;
    if (got < 0 && errno == EAGAIN)
        return false;
    end_line(log);
    (void)close(steal_fd(&log->fd));
    return false;
}

void worker_log_read(struct worker_log *log)
{
    for (int i = 0; i < 4 && log->fd >= 0; i++)
        if (!read_some(log))
            return;
}

void worker_log_drain(struct worker_log *log)
{
    /* Bounded, for a grandchild may go on writing. */
    for (int i = 0; i < 64 && log->fd >= 0; i++)
        if (!read_some(log))
            break;
    end_line(log);
}

bool worker_log_has_said(const struct worker_log *log, const char *line)
{
    for (size_t i = 0; i < WORKER_LOG_KEPT; i++)
        if (log->kept[i] != NULL && strcmp(log->kept[i], line) == 0)
            return true;
    return false;
}

char *worker_log_last_words(const struct worker_log *log)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(WORKER_LOG_KEPT * (WORKER_LOG_LINE + 1));

    for (size_t i = 0; i < WORKER_LOG_KEPT; i++) {
        const char *line = log->kept[(log->next + i) % WORKER_LOG_KEPT];
        if (line != NULL)
            buffer_append_format(&text, "%s%s", text.length > 0 ? "\n" : "", line);
    }
    return buffer_steal(&text);
}
