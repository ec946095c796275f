/*
 * A worker's session with its orchestrator: one channel, which may use several links in turn. Everything is on the main thread, except
 * for what its stand-in does.
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

#define WORKER_GREETING_MS 60000 /* how long a worker waits for its orchestrator's hello */
#define WORKER_STOP_MS 2000      /* and for its drivers to end */

struct worker {
    struct channel *channel; /* NULL: there is no connection yet */
    struct door *door;       /* NULL: it has only its first link */
    int signal_fd;
    int stdout_fd; /* or -1 */
    struct worker_origin origin;
    json_object *ids; /* the ids of all requests, as keys; borrowed */
    bool greeted;
    bool cleaned; /* cleanup was answered: the end of the channel is expected */
    struct run *run; /* NULL before prepare and after cleanup */
    int64_t heartbeat_interval_ms, heartbeat_timeout_ms; /* 0 until hello */
    int64_t last_sent_ms, last_received_ms;
    struct pause_watch watch;
    struct stand_in stand_in;
    int64_t greeting_deadline_ms;
    int64_t resume_timeout_ms;
    int64_t lost_since_ms; /* 0: the link is up */
    struct osiris_error violation; /* of a request's streams */
    int64_t refused_stream; /* the stream whose message violates the protocol; 0: none */
};

/* methods.c: one message. -1: it violates the protocol. */
int worker_handle(struct worker *worker, json_object *message, size_t body_length, struct osiris_error *violation);
/* Where its body goes (channel_destination); `context` is the worker. */
void *worker_find_room(void *context, json_object *message, size_t length, struct osiris_error *error);

/* loop.c: 0 at a clean end, -1 with the error set when the orchestrator is gone. */
int worker_loop(struct worker *worker, struct osiris_error *error);

#endif
