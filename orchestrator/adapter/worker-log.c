/* A worker's stderr, line by line; see worker-log.h. */
#include "orchestrator/adapter/worker-log.h"

#include <fcntl.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"

/* A longer line is split here before its secrets are masked, or at twice the length if a secret is at the split. */
#define WHOLE_LINE ((size_t)64 << 10)
#define LONGEST_LINE ((size_t)4 << 20)

struct worker_log {
    int fd;
    struct redactor *redactor; /* borrowed */
    struct buffer pending; /* the incomplete line */
    size_t enough; /* its length at which it is split */
    char *kept[WORKER_LOG_KEPT]; /* a ring; `next` is the oldest */
    size_t next;
    char *crash, *crashed_step; /* the step that a crash line has named, or NULL */
    void (*line)(void *context, const char *text);
    void *context;
};

struct worker_log *worker_log_new(int fd, struct redactor *redactor, void (*line)(void *context, const char *text),
                                  void *context)
{
    struct worker_log *log = calloc(1, sizeof *log);

    log->fd = fd;
    log->redactor = redactor;
    log->enough = WHOLE_LINE;
    log->line = line;
    log->context = context;
    buffer_init(&log->pending, LONGEST_LINE + 65536);
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
    free(log->crash);
    free(log->crashed_step);
    buffer_clear(&log->pending);
    free(log);
}

int worker_log_fd(const struct worker_log *log)
{
    return log->fd;
}

/* Takes `text`. */
static void keep(struct worker_log *log, char *text)
{
    log->line(log->context, text);
    free(log->kept[log->next]);
    log->kept[log->next] = text;
    log->next = (log->next + 1) % WORKER_LOG_KEPT;
}

/* The first pending bytes: masked, then split between two characters. */
static void emit(struct worker_log *log, size_t length)
{
    _cleanup_free_ char *clean = length == 0 ? NULL : redactor_text(log->redactor, log->pending.data, length);
    size_t left = clean == NULL ? 0 : strlen(clean);

    for (const char *at = clean; left > 0;) {
        size_t part = left < WORKER_LOG_LINE ? left : WORKER_LOG_LINE;
        while (part < left && part > WORKER_LOG_LINE - 4 && ((unsigned char)at[part] & 0xc0) == 0x80)
            part--;
        keep(log, strndup(at, part));
        at += part;
        left -= part;
    }
    buffer_consume(&log->pending, length);
}

/* osiris-worker: SIGSEGV in step "extract" (mysql.extractor) */
static void note_crash(struct worker_log *log)
{
    static const char program[] = "osiris-worker: ", in_step[] = " in step \"", behind[] = "\" (";

    if (log->pending.length < strlen(program) || memcmp(log->pending.data, program, strlen(program)) != 0)
        return;
    _cleanup_free_ char *line = strndup(log->pending.data, log->pending.length);
    const char *what = line + strlen(program);
    const char *step = strstr(what, in_step);
    const char *end = step == NULL ? NULL : strstr(step + strlen(in_step), behind);
    if (end == NULL)
        return;
    free(log->crash);
    free(log->crashed_step);
    log->crash = strndup(what, (size_t)(step - what));
    step += strlen(in_step);
    log->crashed_step = strndup(step, (size_t)(end - step));
}

static void end_line(struct worker_log *log)
{
    note_crash(log);
    emit(log, log->pending.length);
    buffer_reset(&log->pending);
    log->enough = WHOLE_LINE;
}

/* A long incomplete line. */
static void emit_beginning(struct worker_log *log)
{
    if (log->pending.length < log->enough)
        return;
    emit(log, redactor_settled(log->redactor, log->pending.data, log->pending.length));
    if (log->pending.length >= LONGEST_LINE)
        end_line(log);
    else if (log->pending.length >= log->enough)
        log->enough *= 2;
}

static void take_bytes(struct worker_log *log, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            end_line(log);
        else if (bytes[i] != '\0')
            buffer_append_char(&log->pending, bytes[i]);
    }
    emit_beginning(log);
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
    /* Bounded, because a grandchild may continue to write. */
    for (int i = 0; i < 64 && log->fd >= 0; i++)
        if (!read_some(log))
            break;
    end_line(log);
}

const char *worker_log_crashed_step(const struct worker_log *log, const char *what)
{
    return log->crash != NULL && strcmp(log->crash, what) == 0 ? log->crashed_step : NULL;
}

char *worker_log_last_lines(const struct worker_log *log)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(WORKER_LOG_KEPT * (WORKER_LOG_LINE + 1));

    for (size_t i = 0; i < WORKER_LOG_KEPT; i++) {
        const char *line = log->kept[(log->next + i) % WORKER_LOG_KEPT];
        if (line != NULL)
            buffer_append_format(&text, "%s%s", text.length > 0 ? "\n" : "", line);
    }
    return buffer_steal(&text);
}
