/* Standard input and output, and a worker's socket; see relay.h. */
#include "worker/relay/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "worker/relay/pump.h"

#define GREETING "\nosiris-relay 1\n"

#define STUCK_MS 1000    /* after the end of the link, or of its reader, for what does not move */
#define FLUSH_MS 10000   /* the same, for all that is still on its way */
#define STATUS_MS 2000   /* after that, for the worker's end */
#define LEAVING_MS 6000  /* the same, when the orchestrator has left first; it gives the worker 5 s to end */
#define TICK_MS 50

struct relay {
    struct pump up, down, log;
    int link;              /* the worker's socket */
    int wait_fd;           /* the keeper tells on it how the worker has ended; -1: it has */
    char status[64];       /* that line */
    size_t status_filled;
    bool input_ended;      /* the orchestrator has left: shutdown was called */
    bool hung_up;          /* the worker has closed the socket; there may be more to read */
    int64_t unread_ms;     /* since when nobody reads the output; 0: somebody does */
    int64_t link_ended_ms; /* 0: not yet */
    int64_t flushed_ms;    /* when all of it was written; 0: not yet */
};

enum { INPUT, OUTPUT, LINK, LOG, DIAGNOSTICS, WAIT, FDS };

int relay_ask_keeper(const struct folder *folder, const char *line)
{
    int fd = folder_connect(folder, FOLDER_KEEPER);

    if (fd >= 0 && send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
        return fd;
    cleanup_close_value(&fd);
    return -1;
}

/* The link. */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void end_input(struct relay *relay)
{
    if (!relay->input_ended)
        (void)shutdown(relay->link, SHUT_WR);
    relay->input_ended = true;
}

/* The last bytes of an orchestrator that has left reach the worker although nobody reads what it answers. If the input does not
 * end, or the worker does not close the link, the relay does. */
static void leave_unread(struct relay *relay)
{
    const int64_t now = clock_monotonic_ms();

    if (relay->unread_ms == 0)
        relay->unread_ms = now;
    if (now >= later(relay->unread_ms, relay->up.moved_ms) + STUCK_MS)
        end_input(relay);
    if (now >= relay->unread_ms + FLUSH_MS)
        relay->down.from = -1;
}

static void move_link(struct relay *relay)
{
    pump_move(&relay->up);
    if (pump_is_done(&relay->up))
        end_input(relay);
    pump_move(&relay->down);
    if (relay->down.to < 0)
        leave_unread(relay);
    if ((relay->down.from < 0 || relay->hung_up) && relay->link_ended_ms == 0)
        relay->link_ended_ms = clock_monotonic_ms();
}

/* Whoever reads the output hears of the link's end at once, before that of the worker is known. */
static void end_link(struct relay *relay)
{
    const int64_t now = clock_monotonic_ms();
    const bool is_late = now >= later(relay->link_ended_ms, relay->down.moved_ms) + STUCK_MS ||
                         now >= relay->link_ended_ms + FLUSH_MS;

    if (relay->link_ended_ms == 0 || relay->flushed_ms != 0 || (!pump_is_done(&relay->down) && !is_late))
        return;
    relay->flushed_ms = now;
    cleanup_close_value(&relay->link);
    relay->link = -1;
    if (!relay->input_ended) {
        (void)close(STDOUT_FILENO);
        relay->down.to = -1;
    }
}

/* What the keeper says. */

static void read_status(struct relay *relay)
{
    while (relay->wait_fd >= 0) {
        ssize_t got = read(relay->wait_fd, relay->status + relay->status_filled,
                           sizeof relay->status - 1 - relay->status_filled);
        if (got > 0) {
            relay->status_filled += (size_t)got;
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        cleanup_close_value(&relay->wait_fd);
        relay->wait_fd = -1;
    }
}

/* A keeper that leaves without a word was killed; its worker is lost, too. */
static int exit_code(const struct relay *relay)
{
    int number;

    if (sscanf(relay->status, "exited %d", &number) == 1)
        return number < 0 || number >= RELAY_SIGNALLED ? RELAY_SIGNALLED - 1 : number;
    if (sscanf(relay->status, "signalled %d", &number) == 1)
        return RELAY_SIGNALLED + number < RELAY_LINK_ENDED ? RELAY_SIGNALLED + number : RELAY_LINK_ENDED - 1;
    return RELAY_NO_WORKER;
}

static bool has_status(const struct relay *relay)
{
    return relay->wait_fd < 0 || strchr(relay->status, '\n') != NULL;
}

static int64_t status_deadline(const struct relay *relay)
{
    return relay->flushed_ms + (relay->input_ended ? LEAVING_MS : STATUS_MS);
}

/* The end of the log's connection says that this was all. */
static bool log_is_done(const struct relay *relay, int64_t now)
{
    return pump_is_done(&relay->log) || now >= later(relay->log.moved_ms, relay->flushed_ms) + STUCK_MS ||
           now >= relay->flushed_ms + FLUSH_MS;
}

/* -1: not yet. */
static int find_end(const struct relay *relay)
{
    const int64_t now = clock_monotonic_ms();

    if (relay->flushed_ms == 0)
        return -1;
    if (has_status(relay))
        return log_is_done(relay, now) ? exit_code(relay) : -1;
    /* If nobody reads anything, nobody waits for the exit code. */
    return now >= status_deadline(relay) || (relay->down.to < 0 && relay->log.to < 0) ? RELAY_LINK_ENDED : -1;
}

/* The loop. */

static struct pollfd poll_entry(int fd, short events)
{
    return (struct pollfd){.fd = fd, .events = events};
}

/* A descriptor from which nothing is read at the moment is left out, because its end would be reported all the time; but the
 * worker's end of the link is noticed also while the output is full. An output without a reader shows as an error. */
static void fill_poll(const struct relay *relay, struct pollfd fds[FDS])
{
    const short link_events = (short)((relay->down.from >= 0 ? pump_poll_from(&relay->down) : 0) |
                                      (relay->hung_up ? 0 : pump_poll_to(&relay->up)));
    const bool ended = relay->hung_up || relay->down.from < 0;

    fds[INPUT] = poll_entry(!ended && pump_poll_from(&relay->up) != 0 ? relay->up.from : -1, POLLIN);
    fds[OUTPUT] = poll_entry(relay->down.to, relay->flushed_ms == 0 ? pump_poll_to(&relay->down) : 0);
    fds[LINK] = poll_entry(ended && link_events == 0 ? -1 : relay->link, link_events);
    fds[LOG] = poll_entry(pump_poll_from(&relay->log) != 0 ? relay->log.from : -1, POLLIN);
    fds[DIAGNOSTICS] = poll_entry(relay->log.to, pump_poll_to(&relay->log));
    fds[WAIT] = poll_entry(relay->wait_fd, POLLIN);
}

static bool is_broken(const struct pollfd *entry)
{
    return entry->fd >= 0 && (entry->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

static int wait_for_more(struct relay *relay, struct osiris_error *error)
{
    struct pollfd fds[FDS];

    fill_poll(relay, fds);
    if (poll(fds, FDS, relay->link_ended_ms == 0 && relay->unread_ms == 0 ? -1 : TICK_MS) < 0)
        return errno == EINTR ? 0 : osiris_error_set_errno(error, errno, "cannot poll");
    if (is_broken(&fds[OUTPUT]))
        relay->down.to = -1;
    if (is_broken(&fds[DIAGNOSTICS]))
        relay->log.to = -1;
    relay->hung_up = relay->hung_up || is_broken(&fds[LINK]);
    return 0;
}

static int join(struct relay *relay, struct osiris_error *error)
{
    for (;;) {
        if (relay->flushed_ms == 0) {
            move_link(relay);
            end_link(relay);
        }
        pump_move(&relay->log);
        read_status(relay);
        const int code = find_end(relay);
        if (code >= 0)
            return code;
        if (wait_for_more(relay, error) < 0)
            return RELAY_FAILED;
    }
}

/* Its beginning and end. */

static int connect_keeper(struct relay *relay, const struct folder *folder, uint64_t log_offset)
{
    char line[64];

    relay->wait_fd = relay_ask_keeper(folder, "wait\n");
    snprintf(line, sizeof line, "log %llu\n", (unsigned long long)log_offset);
    relay->log.from = relay->wait_fd < 0 ? -1 : relay_ask_keeper(folder, line);
    return relay->log.from < 0 ? -1 : 0;
}

static int unblock(int old_flags[3])
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        old_flags[fd] = fcntl(fd, F_GETFL);
        if (old_flags[fd] < 0 || fcntl(fd, F_SETFL, old_flags[fd] | O_NONBLOCK) < 0)
            return -1;
    }
    return 0;
}

/* Others may share these. */
static void restore(const int old_flags[3])
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (old_flags[fd] >= 0)
            (void)fcntl(fd, F_SETFL, old_flags[fd]);
}

static int run(struct relay *relay, struct osiris_error *error)
{
    int old_flags[3] = {-1, -1, -1};
    int code = RELAY_FAILED;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)chdir("/");
    if (unblock(old_flags) == 0) {
        pump_begin_with(&relay->down, GREETING);
        code = join(relay, error);
    } else {
        osiris_error_set_errno(error, errno, "cannot use standard input, output and error");
    }
    restore(old_flags);
    return code;
}

int relay_run(struct folder *folder, uint64_t log_offset, struct osiris_error *error)
{
    struct relay relay = {.link = -1, .wait_fd = -1};
    int code = RELAY_FAILED, log_fd = -1;

    if (pump_init(&relay.up, STDIN_FILENO, -1) < 0 || pump_init(&relay.down, -1, STDOUT_FILENO) < 0 ||
        pump_init(&relay.log, -1, STDERR_FILENO) < 0) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "out of memory");
    } else if (connect_keeper(&relay, folder, log_offset) < 0) {
        code = RELAY_NO_WORKER;
    } else {
        /* A worker that has just ended has no socket, but the keeper still tells of its end. */
        log_fd = relay.log.from;
        relay.link = relay.up.to = relay.down.from = folder_connect(folder, FOLDER_WORKER);
        folder_close(folder);
        code = run(&relay, error);
    }
    folder_close(folder);
    cleanup_close_value(&log_fd);
    cleanup_close_value(&relay.wait_fd);
    cleanup_close_value(&relay.link);
    pump_clear(&relay.up);
    pump_clear(&relay.down);
    pump_clear(&relay.log);
    return code;
}
