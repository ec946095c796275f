/* The standard error of a command; see watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fail.h"

#define PIECE "osiris-log "
#define END "osiris-end "
#define READER_MS 5000 /* for osiris to read */

/* What osiris does not read is dropped. */
static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && (errno == EINTR || (errno == EAGAIN && poll(&ready, 1, READER_MS) > 0)))
            continue;
        if (done <= 0)
            return;
        bytes += done;
        length -= (size_t)done;
    }
}

/* The command's own words. The newest are kept. */
static void take_line(struct watch *watch)
{
    size_t length = watch->length;

    if (length == 0)
        return;
    watch->line[length] = '\0';
    watch->host->log(watch->host, OSIRIS_DEBUG, watch->line);
    pthread_mutex_lock(&watch->lock);
    if (length > WATCH_TAIL - 3)
        length = WATCH_TAIL - 3;
    if (watch->tail_length + length + 2 >= WATCH_TAIL) {
        size_t dropped = watch->tail_length + length + 3 - WATCH_TAIL;
        if (dropped > watch->tail_length)
            dropped = watch->tail_length;
        memmove(watch->tail, watch->tail + dropped, watch->tail_length - dropped);
        watch->tail_length -= dropped;
    }
    if (watch->tail_length > 0) {
        memcpy(watch->tail + watch->tail_length, "; ", 2);
        watch->tail_length += 2;
    }
    memcpy(watch->tail + watch->tail_length, watch->line, length);
    watch->tail_length += length;
    pthread_mutex_unlock(&watch->lock);
}

static void take_end(struct watch *watch, const char *text)
{
    struct osiris_worker_exit end = {.state = OSIRIS_WORKER_LOST};
    char word[16];
    int code;

    if (sscanf(text, "%15s %d", word, &code) != 2)
        return;
    if (strcmp(word, "exited") == 0 || strcmp(word, "signalled") == 0) {
        end.state = word[0] == 'e' ? OSIRIS_WORKER_EXITED : OSIRIS_WORKER_SIGNALLED;
        end.code = code;
    }
    pthread_mutex_lock(&watch->lock);
    watch->end = end;
    watch->has_end = true;
    pthread_mutex_unlock(&watch->lock);
}

static void end_line(struct watch *watch)
{
    long long offset, length;

    watch->line[watch->length] = '\0';
    if (sscanf(watch->line, PIECE "%lld %lld", &offset, &length) == 2 && offset >= 0 && length > 0) {
        pthread_mutex_lock(&watch->lock);
        *watch->offset = offset;
        pthread_mutex_unlock(&watch->lock);
        watch->left = length;
    } else if (strncmp(watch->line, END, strlen(END)) == 0) {
        take_end(watch, watch->line + strlen(END));
    } else {
        take_line(watch);
    }
    watch->length = 0;
}

static void take_byte(struct watch *watch, char byte)
{
    if (byte == '\n')
        end_line(watch);
    else if (byte != '\r' && watch->length < sizeof watch->line - 1)
        watch->line[watch->length++] = byte;
}

static void take(struct watch *watch, const char *bytes, size_t length)
{
    while (length > 0) {
        if (watch->left == 0) {
            take_byte(watch, *bytes++);
            length--;
            continue;
        }
        size_t part = length < (unsigned long long)watch->left ? length : (size_t)watch->left;
        if (watch->diagnostics >= 0)
            write_all(watch->diagnostics, bytes, part);
        pthread_mutex_lock(&watch->lock);
        *watch->offset += (long long)part;
        pthread_mutex_unlock(&watch->lock);
        watch->left -= (long long)part;
        bytes += part;
        length -= part;
    }
}

static void *serve(void *argument)
{
    struct watch *watch = argument;
    char bytes[4096];

    for (;;) {
        struct pollfd fds[] = {{.fd = watch->from, .events = POLLIN}, {.fd = watch->stop, .events = POLLIN}};
        ssize_t got = read(watch->from, bytes, sizeof bytes);
        if (got > 0)
            take(watch, bytes, (size_t)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            break;
        else if (errno == EAGAIN && poll(fds, 2, -1) > 0 && fds[0].revents == 0)
            break;
    }
    take_line(watch);
    return NULL;
}

int watch_start(struct watch *watch, const struct osiris_host *host, int from, int diagnostics, long long *offset)
{
    *watch = (struct watch){.host = host, .from = from, .diagnostics = diagnostics, .offset = offset};
    pthread_mutex_init(&watch->lock, NULL);
    watch->stop = eventfd(0, EFD_CLOEXEC);
    int reason = watch->stop < 0 || fcntl(from, F_SETFL, O_NONBLOCK) < 0 ? errno : pthread_create(&watch->thread, NULL, serve, watch);
    watch->has_thread = reason == 0;
    return reason == 0 ? 0 : fail(host, OSIRIS_ERROR_INTERNAL, NULL, "cannot start a thread: %s", strerror(reason));
}

void watch_join(struct watch *watch)
{
    const uint64_t one = 1;

    if (watch->has_thread) {
        (void)!write(watch->stop, &one, sizeof one);
        (void)pthread_join(watch->thread, NULL);
    }
    watch->has_thread = false;
    if (watch->stop >= 0)
        (void)close(watch->stop);
    watch->stop = -1;
    if (watch->from >= 0)
        (void)close(watch->from);
    watch->from = -1;
}

bool watch_read_end(struct watch *watch, struct osiris_worker_exit *end)
{
    pthread_mutex_lock(&watch->lock);
    bool has_end = watch->has_end;
    *end = watch->end;
    pthread_mutex_unlock(&watch->lock);
    return has_end;
}

void watch_read_tail(struct watch *watch, char text[WATCH_TAIL])
{
    pthread_mutex_lock(&watch->lock);
    memcpy(text, watch->tail, watch->tail_length);
    text[watch->tail_length] = '\0';
    pthread_mutex_unlock(&watch->lock);
}
