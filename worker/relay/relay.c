/* Joins standard input and output to a worker's socket; see relay.h. */
#include "worker/relay/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "worker/relay/log.h"

#define CONNECT_MS 10000 /* for a worker that is being started to listen */
#define CONNECT_STEP_MS 5
#define LAST_MS 1000  /* for what is left after the end of the socket */
#define LEAVE_MS 10000 /* for the worker to close the socket after the end of the input */
#define STATUS_MS 2000 /* for the keeper to write how the worker has ended */
#define LOOK_MS 100   /* between looks at the log, where the system does not tell */

/* One direction. */
struct flow {
    int from, to;
    bool ended; /* nothing more comes from `from` */
    size_t start, end;
    char bytes[RELAY_BUFFER];
};

struct relay {
    struct relay_folder *folder;
    int socket;
    struct flow *up, *down; /* to the worker, from it */
    struct log_reader log;
    bool log_is_unread; /* nobody reads it */
    bool log_is_full;   /* standard error takes no more at the moment */
    bool said_end;      /* the worker has been told of the end of the input */
    bool is_broken;     /* nobody reads standard output, or the socket broke */
    int64_t last_ms;    /* when to stop at the latest; 0: not set */
};

static size_t held(const struct flow *flow)
{
    return flow->end - flow->start;
}

/* Reads once, if there is room. -1: `from` broke. */
static int fill(struct flow *flow)
{
    if (flow->start > 0 && flow->end == RELAY_BUFFER) {
        memmove(flow->bytes, flow->bytes + flow->start, held(flow));
        flow->end -= flow->start;
        flow->start = 0;
    }
    if (flow->ended || flow->end == RELAY_BUFFER)
        return 0;
    ssize_t got = read(flow->from, flow->bytes + flow->end, RELAY_BUFFER - flow->end);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    flow->ended = got == 0;
    flow->end += (size_t)got;
    return 0;
}

/* Writes once. -1: nobody reads `to`. */
static int empty(struct flow *flow)
{
    if (held(flow) == 0)
        return 0;
    ssize_t done = write(flow->to, flow->bytes + flow->start, held(flow));
    if (done < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    flow->start += (size_t)done;
    if (flow->start == flow->end)
        flow->start = flow->end = 0;
    return 0;
}

static void follow_log(struct relay *relay)
{
    int result = relay->log_is_unread ? -1 : log_follow(&relay->log, STDERR_FILENO);

    relay->log_is_unread = result < 0;
    relay->log_is_full = result > 0;
}

/* Whether it is over. */
static bool check_end(struct relay *relay, int64_t now)
{
    if (relay->is_broken)
        return true;
    if (relay->up->ended && held(relay->up) == 0 && !relay->said_end) {
        (void)shutdown(relay->socket, SHUT_WR);
        relay->said_end = true;
        relay->last_ms = now + LEAVE_MS;
    }
    if (relay->down->ended && held(relay->down) == 0)
        return true;
    return relay->last_ms != 0 && now >= relay->last_ms;
}

enum { INPUT, OUTPUT, SOCKET, LOG_WATCH, LOG_OUTPUT, FDS };

static void fill_poll(const struct relay *relay, struct pollfd fds[FDS])
{
    bool reads_up = !relay->up->ended && held(relay->up) < RELAY_BUFFER;
    bool reads_down = !relay->down->ended && held(relay->down) < RELAY_BUFFER;

    fds[INPUT] = (struct pollfd){.fd = relay->up->ended ? -1 : STDIN_FILENO, .events = reads_up ? POLLIN : 0};
    /* POLLERR and POLLHUP come without being asked for: nobody reads. */
    fds[OUTPUT] = (struct pollfd){.fd = STDOUT_FILENO, .events = held(relay->down) > 0 ? POLLOUT : 0};
    fds[SOCKET] = (struct pollfd){.fd = relay->down->ended ? -1 : relay->socket,
                                  .events = (short)((reads_down ? POLLIN : 0) | (held(relay->up) > 0 ? POLLOUT : 0))};
    fds[LOG_WATCH] = (struct pollfd){.fd = relay->log_is_unread || relay->log_is_full ? -1 : relay->log.watch, .events = POLLIN};
    fds[LOG_OUTPUT] = (struct pollfd){.fd = relay->log_is_unread || !relay->log_is_full ? -1 : STDERR_FILENO, .events = POLLOUT};
}

static int timeout_ms(const struct relay *relay, int64_t now)
{
    int64_t left = relay->last_ms == 0 ? -1 : relay->last_ms > now ? relay->last_ms - now : 0;

    if (relay->log.watch < 0 && !relay->log_is_unread && (left < 0 || left > LOOK_MS))
        left = LOOK_MS;
    return (int)left;
}

/* The socket has ended while standard output is full: what is left has a moment to go. */
static void note_hangup(struct relay *relay, short revents, int64_t now)
{
    bool cannot_read = held(relay->down) == RELAY_BUFFER;

    if ((revents & (POLLHUP | POLLERR)) != 0 && cannot_read && (relay->last_ms == 0 || relay->last_ms > now + LAST_MS))
        relay->last_ms = now + LAST_MS;
}

static void pump(struct relay *relay)
{
    for (;;) {
        struct pollfd fds[FDS];
        int64_t now = clock_monotonic_ms();
        fill_poll(relay, fds);
        bool hung = false;
        if (poll(fds, FDS, timeout_ms(relay, now)) < 0)
            continue;
        now = clock_monotonic_ms();
        relay->is_broken = (fds[OUTPUT].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        if (fds[INPUT].revents != 0)
            relay->up->ended = fill(relay->up) < 0 || relay->up->ended;
        if (held(relay->up) > 0 && empty(relay->up) < 0) {
            /* The worker does not read any more. What it has written may still be there. */
            relay->up->ended = true;
            relay->up->start = relay->up->end = 0;
        }
        if (fds[SOCKET].revents != 0 && fill(relay->down) < 0)
            relay->down->ended = true;
        relay->is_broken = relay->is_broken || empty(relay->down) < 0;
        note_hangup(relay, fds[SOCKET].revents, now);
        hung = (fds[SOCKET].revents & POLLHUP) != 0 && held(relay->down) == RELAY_BUFFER;
        follow_log(relay);
        if (check_end(relay, now))
            return;
        /* A hung-up socket that cannot be read yet is always ready. */
        if (hung)
            (void)poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, (int)(relay->last_ms - now));
    }
}

/* The end. */

static int exit_code(bool signalled, int code)
{
    if (signalled)
        return RELAY_SIGNAL + (code < 31 ? code : 31);
    return code < RELAY_MAX_EXIT ? code : RELAY_MAX_EXIT;
}

/* What is left of the log, for a bounded time. */
static void drain_log(struct relay *relay)
{
    int64_t deadline = clock_monotonic_ms() + LAST_MS;

    for (follow_log(relay); relay->log_is_full && clock_monotonic_ms() < deadline; follow_log(relay))
        (void)poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, LOOK_MS);
}

/* The exit code of what carries the relay may be another one. */
static void say_end(const struct relay *relay, const char *word, int code)
{
    char line[64];

    if (!relay->log_is_unread && !relay->log_is_full)
        (void)!write(STDERR_FILENO, line, (size_t)snprintf(line, sizeof line, "\nosiris-end %s %d\n", word, code));
}

/* Waits for the status, for as long as there is somebody who may write it. */
static int wait_for_status(struct relay *relay, int64_t wait_ms)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    bool signalled;
    int code;

    for (;;) {
        bool lives = relay_folder_is_locked(relay->folder); /* by the keeper and the worker */
        bool ended = relay_folder_read_status(relay->folder, &signalled, &code);
        if (ended)
            drain_log(relay);
        else
            follow_log(relay);
        if (ended) {
            say_end(relay, signalled ? "signalled" : "exited", code);
            relay_folder_mark(relay->folder, "seen");
            return exit_code(signalled, code);
        }
        if (!lives) {
            say_end(relay, "none", 0);
            return RELAY_NO_WORKER;
        }
        if (clock_monotonic_ms() >= deadline)
            return RELAY_LINK_ENDED;
        (void)poll(&(struct pollfd){.fd = relay->log.watch, .events = POLLIN}, 1, CONNECT_STEP_MS * 2);
    }
}

/* The start. */

static int connect_to_worker(struct relay_folder *folder)
{
    int64_t deadline = clock_monotonic_ms() + CONNECT_MS;

    for (;;) {
        bool lives = relay_folder_is_locked(folder);
        int fd = relay_folder_connect(folder);
        if (fd >= 0 || !lives || (errno != ENOENT && errno != ECONNREFUSED) || clock_monotonic_ms() >= deadline)
            return fd;
        if (relay_folder_has(folder, "status"))
            return -1;
        (void)poll(NULL, 0, CONNECT_STEP_MS);
    }
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int fail(const char *what)
{
    fprintf(stderr, "osiris-worker: relay: %s: %s\n", what, strerror(errno));
    return RELAY_FAILED;
}

static int join(struct relay *relay)
{
    struct flow *flows = calloc(2, sizeof *flows);

    if (flows == NULL)
        return fail("no memory");
    relay->up = &flows[0];
    relay->down = &flows[1];
    relay->up->from = STDIN_FILENO;
    relay->up->to = relay->down->from = relay->socket;
    relay->down->to = STDOUT_FILENO;
    memcpy(relay->down->bytes, RELAY_GREETING, strlen(RELAY_GREETING));
    relay->down->end = strlen(RELAY_GREETING);
    pump(relay);
    bool worker_left = relay->down->ended;
    free(flows);
    (void)shutdown(relay->socket, SHUT_RDWR);
    return wait_for_status(relay, worker_left ? STATUS_MS : 0);
}

int relay_run(struct relay_folder *folder, int64_t log_offset)
{
    struct relay relay = {.folder = folder};
    int result;

    (void)signal(SIGPIPE, SIG_IGN);
    relay.socket = connect_to_worker(folder);
    log_reader_open(&relay.log, folder->fd, log_offset);
    if (set_nonblocking(STDIN_FILENO) < 0 || set_nonblocking(STDOUT_FILENO) < 0 || set_nonblocking(STDERR_FILENO) < 0)
        result = fail("cannot use the standard descriptors");
    else if (relay.socket < 0)
        result = wait_for_status(&relay, STATUS_MS);
    else if (set_nonblocking(relay.socket) < 0)
        result = fail("cannot use the socket");
    else
        result = join(&relay);
    log_reader_close(&relay.log);
    cleanup_close_value(&relay.socket);
    return result;
}
