/*
 * The door of a worker that can be reached again: a listening socket, and those who have come in but not said yet who they
 * are. Each is asked for its first frame, in time and in bounds; until then it can do nothing to the session that is going
 * on. Who they may be is for the caller to judge.
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

#define DOOR_GUESTS 4 /* at once; the oldest gives way */
#define DOOR_POLL_FDS (1 + DOOR_GUESTS)

struct door;

/* Takes `listen_fd`, a listening stream socket (also on failure). */
struct door *door_new(int listen_fd, struct osiris_error *error);
void door_free(struct door *door);

/* What to poll: DOOR_POLL_FDS entries. */
void door_fill_poll(const struct door *door, struct pollfd fds[DOOR_POLL_FDS]);
/* When somebody's time is over (monotonic milliseconds); INT64_MAX: nobody's. */
int64_t door_next_deadline(const struct door *door);
/* This process did not run: all have the whole time again. */
void door_excuse_guests(struct door *door);

/* Somebody whose first frame is there: a message without a body. The caller owns both. */
struct door_visitor {
    int fd;
    uint64_t sequence; /* 0: wants to resume, 1: begins a session */
    json_object *message;
};

/* Lets in who waits and reads what has come, without waiting; shows out who is late or talks nonsense. True: *visitor is
 * filled; ask again. */
bool door_next(struct door *door, struct door_visitor *visitor);

#endif
