/* The keeper's connections; see callers.h. */
#include "worker/relay/callers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/cleanup.h"

static void remove_caller(struct callers *callers, size_t index)
{
    if (callers->list[index].state == CALLER_TOLD)
        callers->end_is_known = true;
    cleanup_close_value(&callers->list[index].fd);
    callers->count--;
    memmove(&callers->list[index], &callers->list[index + 1], (callers->count - index) * sizeof callers->list[0]);
}

void callers_clear(struct callers *callers)
{
    while (callers->count > 0)
        remove_caller(callers, callers->count - 1);
    cleanup_close_value(&callers->listen_fd);
    callers->listen_fd = -1;
}

static bool has_log_for(const struct callers *callers, const struct caller *caller)
{
    return caller->state == CALLER_LOG && caller->offset < callers->log->length;
}

void callers_fill_poll(const struct callers *callers, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = callers->listen_fd, .events = POLLIN};
    for (size_t i = 0; i < CALLERS_MAXIMUM; i++) {
        fds[1 + i] = (struct pollfd){.fd = -1};
        if (i < callers->count)
            fds[1 + i] = (struct pollfd){.fd = callers->list[i].fd,
                                         .events = has_log_for(callers, &callers->list[i]) ? POLLIN | POLLOUT : POLLIN};
    }
}

static void accept_callers(struct callers *callers)
{
    int fd;

    while ((fd = accept4(callers->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (callers->count == CALLERS_MAXIMUM)
            remove_caller(callers, 0);
        callers->list[callers->count++] = (struct caller){.fd = fd};
    }
}

/* All that these functions return: false: the caller has left, or is to be closed. */

static bool answer(const struct caller *caller, const char *text)
{
    /* A line of a few bytes, the first on its connection, always fits. */
    return send(caller->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static bool understand(struct callers *callers, struct caller *caller)
{
    char running[CALLERS_LINE];
    unsigned long long offset;
    int end = 0;

    if (strcmp(caller->line, "wait") == 0) {
        caller->state = CALLER_WAIT;
        return true;
    }
    if (strcmp(caller->line, "kill") == 0) {
        callers->killed = true;
        caller->state = CALLER_KILL;
        return true;
    }
    if (sscanf(caller->line, "log %llu%n", &offset, &end) == 1 && caller->line[end] == '\0') {
        caller->state = CALLER_LOG;
        caller->offset = offset;
        return true;
    }
    if (strcmp(caller->line, "ask") == 0)
        callers->asked = true;
    snprintf(running, sizeof running, "running %d\n", callers->pid);
    if (strcmp(caller->line, "status") == 0)
        (void)answer(caller, callers->end[0] != '\0' ? callers->end : running);
    return false;
}

/* After its line, all that a caller does is leave. */
static bool read_line(struct callers *callers, struct caller *caller)
{
    char *end = NULL;

    while (end == NULL) {
        ssize_t got = recv(caller->fd, caller->line + caller->filled, sizeof caller->line - 1 - caller->filled, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got <= 0 || caller->state != CALLER_SPEAKS)
            return false;
        caller->filled += (size_t)got;
        caller->line[caller->filled] = '\0';
        end = strchr(caller->line, '\n');
        if (end == NULL && caller->filled == sizeof caller->line - 1)
            return false;
    }
    *end = '\0';
    caller->filled = 0;
    return understand(callers, caller);
}

static bool send_log(const struct callers *callers, struct caller *caller)
{
    const char *bytes;
    size_t length;

    while ((length = log_store_at(callers->log, caller->offset, &bytes)) > 0) {
        ssize_t sent = send(caller->fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN;
        caller->offset += (uint64_t)sent;
    }
    /* The end of this connection tells that this was all. The caller then leaves. */
    if (callers->end[0] != '\0' && shutdown(caller->fd, SHUT_WR) < 0)
        return false;
    return true;
}

static bool serve(struct callers *callers, struct caller *caller)
{
    if (!read_line(callers, caller))
        return false;
    if (caller->state == CALLER_LOG)
        return send_log(callers, caller);
    if (caller->state == CALLER_WAIT && callers->end[0] != '\0') {
        caller->state = CALLER_TOLD;
        return answer(caller, callers->end);
    }
    return true;
}

void callers_serve(struct callers *callers)
{
    accept_callers(callers);
    for (size_t i = 0; i < callers->count;) {
        if (serve(callers, &callers->list[i]))
            i++;
        else
            remove_caller(callers, i);
    }
}

bool callers_has_relays(const struct callers *callers)
{
    for (size_t i = 0; i < callers->count; i++)
        if (callers->list[i].state != CALLER_SPEAKS && callers->list[i].state != CALLER_KILL)
            return true;
    return false;
}
