/*
 * Who has connected to a keeper. Each sends one line, and gets an answer:
 *
 *   log N     what the worker has printed, from byte N on, until all processes of the worker have ended
 *   wait      when they have ended: one line about the worker's end
 *   status    at once: one line, "running PID", or the same about its end
 *   ask       SIGTERM for the worker; the connection is closed at once
 *   kill      SIGKILL for all of its processes; the connection is closed when the folder is gone
 *
 * Nothing here waits. One thread.
 */
#ifndef OSIRIS_WORKER_RELAY_CALLERS_H
#define OSIRIS_WORKER_RELAY_CALLERS_H

#include <poll.h>

#include "worker/relay/log-store.h"

#define CALLERS_MAXIMUM 32 /* at the same time; the oldest is closed for a new one */
#define CALLERS_LINE 64

struct caller {
    int fd;
    char line[CALLERS_LINE];
    size_t filled;
    enum { CALLER_SPEAKS, CALLER_LOG, CALLER_WAIT, CALLER_KILL, CALLER_TOLD } state;
    uint64_t offset; /* of the log */
};

struct callers {
    struct caller list[CALLERS_MAXIMUM]; /* the oldest first */
    size_t count;
    int listen_fd;
    int pid;                   /* of the worker */
    const struct log_store *log; /* borrowed */
    char end[CALLERS_LINE];    /* of the worker: "exited N\n" or "signalled N\n"; empty: it runs */
    bool end_is_known;         /* a relay has been told, and has left */
    bool asked, killed;        /* requests; the keeper clears them */
};

void callers_clear(struct callers *callers);

/* Fills CALLERS_MAXIMUM + 1 entries. */
void callers_fill_poll(const struct callers *callers, struct pollfd *fds);
/* Accepts, reads and answers as far as possible. */
void callers_serve(struct callers *callers);
/* Whether a relay is connected. */
bool callers_has_relays(const struct callers *callers);

#endif
