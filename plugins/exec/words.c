/* The standard error of a command; see words.h. */
#include "words.h"

#include <errno.h>
#include <osiris/kit.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

#define SEPARATOR "; " /* between lines */
#define LAST_LINES 5

/* On to osiris. */

/* If osiris does not read, this waits, and so in the end does the worker that prints. */
static void forward(struct words *words, const char *bytes, size_t length)
{
    struct pollfd fds[] = {{.fd = words->log->diagnostics, .events = POLLOUT}, {.fd = words->stop, .events = POLLIN}};

    while (length > 0 && words->log->diagnostics >= 0) {
        ssize_t done = write(words->log->diagnostics, bytes, length);
        if (done > 0) {
            bytes += done;
            length -= (size_t)done;
        } else if (errno == EAGAIN) {
            (void)poll(fds, 2, -1);
            if (fds[1].revents != 0)
                return;
        } else if (errno != EINTR) {
            close_fd(&words->log->diagnostics);
        }
    }
}

struct batch {
    char bytes[4096];
    size_t length;
};

static void flush(struct words *words, struct batch *batch)
{
    forward(words, batch->bytes, batch->length);
    batch->length = 0;
}

static void take_log_byte(struct words *words, struct batch *batch, char byte)
{
    words->is_at_line_start = byte == '\n';
    if (!log_is_new(words->log, byte))
        return;
    if (batch->length == sizeof batch->bytes)
        flush(words, batch);
    batch->bytes[batch->length++] = byte;
}

/* The command's own words. The newest are kept. */

static void keep(struct words *words, const char *text, size_t length)
{
    const size_t room = WORDS_TAIL - 1;

    if (length > room) {
        text += length - room;
        length = room;
    }
    if (words->tail_length + length > room) {
        size_t dropped = words->tail_length + length - room;
        memmove(words->tail, words->tail + dropped, words->tail_length - dropped);
        words->tail_length -= dropped;
    }
    memcpy(words->tail + words->tail_length, text, length);
    words->tail_length += length;
}

static void take_line(struct words *words)
{
    char mark[64];

    words->line[words->length] = '\0';
    snprintf(mark, sizeof mark, SCRIPT_LOG " %s", words->nonce);
    if (words->stage == WORDS_COMMANDS && strcmp(words->line, mark) == 0) {
        words->stage = WORDS_LOG;
        words->is_at_line_start = true;
    } else if (words->length > 0) {
        words->host->log(words->host, OSIRIS_DEBUG, words->line);
        pthread_mutex_lock(&words->lock);
        if (words->tail_length > 0)
            keep(words, SEPARATOR, strlen(SEPARATOR));
        keep(words, words->line, words->length);
        pthread_mutex_unlock(&words->lock);
    }
    words->length = 0;
}

static void take_word_byte(struct words *words, char byte)
{
    if (byte == '\n')
        take_line(words);
    else if (byte != '\r' && words->length < sizeof words->line - 1)
        words->line[words->length++] = byte;
}

/* The line about the relay's end. Its beginning is held back until it differs. */

static void release(struct words *words, struct batch *batch)
{
    size_t held = words->held;

    words->held = 0;
    if (words->holds_newline)
        take_log_byte(words, batch, '\n');
    words->holds_newline = false;
    for (size_t i = 0; i < held; i++)
        take_log_byte(words, batch, words->mark[i]);
}

static void take_log(struct words *words, struct batch *batch, char byte)
{
    bool may_begin = words->is_at_line_start || words->held > 0;

    if (may_begin && byte == words->mark[words->held]) {
        words->held++;
        if (words->mark[words->held] == '\0')
            words->stage = WORDS_END;
        return;
    }
    if (words->held > 0 || words->holds_newline)
        release(words, batch);
    /* The script ends a last line that may have no newline. If it has one, there is an empty line. */
    if (words->is_at_line_start && byte == '\n')
        words->holds_newline = true;
    else if (words->is_at_line_start && byte == words->mark[0])
        words->held = 1;
    else
        take_log_byte(words, batch, byte);
}

static void set_code(struct words *words)
{
    words->line[words->length] = '\0';
    words->length = 0;
    words->stage = WORDS_COMMANDS;
    words->nonce[0] = '\0'; /* no further marks */
    pthread_mutex_lock(&words->lock);
    words->relay_code = atoi(words->line);
    pthread_cond_broadcast(&words->changed);
    pthread_mutex_unlock(&words->lock);
}

static void take(struct words *words, const char *bytes, size_t length)
{
    struct batch batch = {.length = 0};

    for (size_t i = 0; i < length; i++) {
        if (words->stage == WORDS_LOG)
            take_log(words, &batch, bytes[i]);
        else if (words->stage == WORDS_COMMANDS || bytes[i] != '\n')
            take_word_byte(words, bytes[i]);
        else
            set_code(words);
    }
    flush(words, &batch);
}

static void *serve(void *argument)
{
    struct words *words = argument;
    struct pollfd fds[] = {{.fd = words->from, .events = POLLIN}, {.fd = words->stop, .events = POLLIN}};
    char bytes[4096];
    ssize_t got = 1;

    while (got > 0 || (got < 0 && errno == EINTR)) {
        (void)poll(fds, 2, -1);
        if (fds[1].revents != 0)
            break;
        got = read(words->from, bytes, sizeof bytes);
        if (got > 0)
            take(words, bytes, (size_t)got);
    }
    if (words->stage == WORDS_COMMANDS)
        take_line(words);
    pthread_mutex_lock(&words->lock);
    words->is_over = true;
    pthread_cond_broadcast(&words->changed);
    pthread_mutex_unlock(&words->lock);
    return NULL;
}

/* The interface. */

int words_start(struct words *words, const struct osiris_host *host, struct log *log, int from, const char *nonce)
{
    pthread_condattr_t attributes;

    *words = (struct words){.host = host, .log = log, .from = from, .stop = eventfd(0, EFD_CLOEXEC), .relay_code = -1};
    snprintf(words->nonce, sizeof words->nonce, "%s", nonce);
    snprintf(words->mark, sizeof words->mark, SCRIPT_EXIT " %s ", nonce);
    pthread_mutex_init(&words->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&words->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int reason = words->stop < 0 ? errno : pthread_create(&words->thread, NULL, serve, words);
    words->has_thread = reason == 0;
    if (reason == 0)
        return 0;
    words_end(words);
    return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, reason, NULL, NULL, "cannot start a thread: %s", strerror(reason));
}

static struct timespec deadline_in(int timeout_ms)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    return deadline;
}

int words_wait(struct words *words, int timeout_ms, bool *is_over)
{
    const struct timespec deadline = deadline_in(timeout_ms);

    pthread_mutex_lock(&words->lock);
    while (words->relay_code < 0 && !words->is_over)
        if (pthread_cond_timedwait(&words->changed, &words->lock, &deadline) != 0)
            break;
    int code = words->relay_code;
    *is_over = words->is_over;
    pthread_mutex_unlock(&words->lock);
    return code;
}

void words_drain(struct words *words, int timeout_ms)
{
    const struct timespec deadline = deadline_in(timeout_ms);

    pthread_mutex_lock(&words->lock);
    while (!words->is_over)
        if (pthread_cond_timedwait(&words->changed, &words->lock, &deadline) != 0)
            break;
    pthread_mutex_unlock(&words->lock);
}

/* Without a long banner before what went wrong. */
static const char *last_lines(const char *text)
{
    const char *begin = text + strlen(text);

    for (int lines = 0; begin > text; begin--)
        if (strncmp(begin, SEPARATOR, strlen(SEPARATOR)) == 0 && ++lines == LAST_LINES)
            return begin + strlen(SEPARATOR);
    return begin;
}

void words_read_tail(struct words *words, char text[WORDS_TAIL])
{
    char whole[WORDS_TAIL];

    pthread_mutex_lock(&words->lock);
    memcpy(whole, words->tail, words->tail_length);
    whole[words->tail_length] = '\0';
    pthread_mutex_unlock(&words->lock);
    strcpy(text, last_lines(whole));
}

void words_end(struct words *words)
{
    const uint64_t one = 1;

    if (words->has_thread) {
        (void)!write(words->stop, &one, sizeof one);
        (void)pthread_join(words->thread, NULL);
    }
    words->has_thread = false;
    close_fd(&words->from);
    close_fd(&words->stop);
    pthread_mutex_destroy(&words->lock);
    pthread_cond_destroy(&words->changed);
}
