/*
 * The door of a worker that can be reached again: a listening socket, and new connections that have not identified themselves yet.
 * Each must send its first frame within bounds of time and size. Until then it cannot affect the session. The caller judges
 * whether it may take part.
 *
 * One thread.
 */
#ifndef OSIRIS_WORKER_DOOR_H
#define OSIRIS_WORKER_DOOR_H

#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

#define DOOR_GUESTS 4 /* at the same time; the oldest is closed for a new one */
#define DOOR_POLL_FDS (1 + DOOR_GUESTS)

struct door;

/* Takes `listen_fd`, a listening stream socket (also on failure). */
struct door *door_new(int listen_fd, struct osiris_error *error);
void door_free(struct door *door);

/* What to poll: DOOR_POLL_FDS entries. */
void door_fill_poll(const struct door *door, struct pollfd fds[DOOR_POLL_FDS]);
/* The next deadline of a connection (monotonic milliseconds); INT64_MAX: none. */
int64_t door_next_deadline(const struct door *door);
/* This process did not run: every connection gets its full time again. */
void door_extend_deadlines(struct door *door);

/* A connection whose first frame is there: a message without a body. The caller owns both. */
struct door_visitor {
    int fd;
    uint64_t sequence; /* 0: wants to resume, 1: begins a session */
    json_object *message;
};

/* Accepts connections and reads what has arrived, without waiting; closes those that are late or malformed. True: *visitor is
 * filled; call again. */
bool door_next(struct door *door, struct door_visitor *visitor);

#endif
