/*
 * A worker's session with its orchestrator: one channel, which may come over several links. All on the main thread, but for
 * what its stand-in does.
 *
 *   methods.c  requests
 *   loop.c     links, messages, time
 *   main.c     beginning and end
 */
#ifndef OSIRIS_WORKER_WORKER_H
#define OSIRIS_WORKER_WORKER_H

#include "core/base/pause.h"
#include "worker/door.h"
#include "worker/run.h"
#include "worker/stand-in.h"

#define WORKER_GREETING_MS 60000 /* a worker waits so long for its orchestrator's hello */
#define WORKER_STOP_MS 2000      /* and so long for its drivers' end */

struct worker {
    struct channel *channel; /* NULL: there is no connection yet */
    struct door *door;       /* or NULL: it has no other link than its first */
    int signal_fd;
    int stdout_fd; /* or -1 */
    struct worker_origin origin;
    json_object *ids; /* the ids of all requests, as keys; borrowed */
    bool greeted;
    bool cleaned; /* cleanup was answered: the end of the channel is expected */
    struct run *run; /* NULL before prepare and after cleanup */
    int64_t heartbeat_interval_ms, heartbeat_timeout_ms; /* 0 until hello */
    int64_t last_sent_ms, last_heard_ms;
    struct pause_watch watch;
    struct stand_in stand_in;
    int64_t greeting_deadline_ms;
    int64_t resume_timeout_ms;
    int64_t lost_since_ms; /* 0: the link is there */
    struct osiris_error violation; /* of a request's streams */
    int64_t refused_stream; /* whose message ends the session; 0: something else does */
};

/* methods.c: one message. -1: it violates the protocol. */
int worker_handle(struct worker *worker, json_object *message, size_t body_length, struct osiris_error *violation);
/* Where its body goes (channel_place); `context` is the worker. */
void *worker_find_room(void *context, json_object *message, size_t length, struct osiris_error *error);

/* loop.c: 0 at a clean end, -1 with the error set when the orchestrator is gone. */
int worker_loop(struct worker *worker, struct osiris_error *error);

#endif
