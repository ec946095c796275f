/* What the session's files share (session.c, session-requests.c, session-messages.c). Private to them. */
#ifndef OSIRIS_CORE_SESSION_STATE_H
#define OSIRIS_CORE_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter-host.h"
#include "core/buffer.h"
#include "core/channel.h"
#include "core/schedule.h"
#include "core/session.h"
#include "core/worker-log.h"

/* Where the conversation with the worker stands. */
enum session_phase {
    SESSION_GREETING,  /* hello and prepare are sent */
    SESSION_PREPARING, /* hello is answered */
    SESSION_RUNNING,   /* prepare is answered: steps run */
    SESSION_CLEANING,  /* cleanup is sent */
    SESSION_ENDED,     /* cleanup is answered: the channel may be closed */
    SESSION_BROKEN,    /* the worker is gone, silent or talks nonsense */
};

enum request_kind {
    REQUEST_HELLO,
    REQUEST_PREPARE,
    REQUEST_STEP,
    REQUEST_COMMIT,
    REQUEST_ABORT,
    REQUEST_CANCEL,
    REQUEST_CLEANUP,
};

struct session_request {
    uint64_t number; /* its id on the wire is "req_<number>" */
    enum request_kind kind;
    size_t index; /* of the step or group */
};

struct session_step {
    const char *id; /* borrowed from the plan */
    const char *component;
    int64_t started_ns;
    int64_t rows, bytes;
    json_object *record; /* borrowed from result->steps */
};

struct session {
    const struct session_options *options;
    struct session_result *result;
    struct session_limits limits;
    enum session_phase phase;
    struct schedule *schedule;
    struct session_step *steps;
    size_t step_count;
    struct adapter_host *adapter;
    struct channel *channel;
    struct worker_log *worker_log;
    int signal_fd;
    int worker_pid;
    struct session_request *requests; /* in flight */
    size_t request_count, request_capacity;
    uint64_t last_number;
    /* Monotonic milliseconds; 0: not set. */
    int64_t phase_deadline_ms;
    int64_t grace_deadline_ms; /* when a worker that does not stop is killed */
    int64_t last_sent_ms, last_heard_ms;
    bool killed; /* by us */
    struct osiris_error failure; /* the first: what the run failed of */
};

/* session.c */

/* The first failure is what the run is said to have failed of; it stops the schedule and starts the grace
 * time. Takes `error`. */
void session_fail(struct session *session, struct osiris_error *error);
/* The worker cannot be talked to any more. Takes `error` (the channel's), which is overruled by how the worker
 * ended, if it did. */
void session_break(struct session *session, struct osiris_error *error);

/* session-requests.c: each sends one request; failing to is a broken session. */

void session_send_hello(struct session *session);
void session_send_prepare(struct session *session);
void session_send_step(struct session *session, size_t step);
void session_send_commit(struct session *session, size_t group);
void session_send_abort(struct session *session, size_t group);
void session_send_cancel(struct session *session);
void session_send_cleanup(struct session *session);
void session_send_heartbeat(struct session *session);
/* Finds and forgets the request that `id` answers; false if there is none. */
bool session_take_request(struct session *session, const char *id,
                          struct session_request *request);

/* session-messages.c */

/* One message from the worker (borrowed). */
void session_handle(struct session *session, json_object *message);
/* Notes how a step ended: record, events, metrics, observer. `error` is NULL if it has run. */
void session_step_ended(struct session *session, size_t step, json_object *result,
                        const struct osiris_error *error);

/* An event or metric with the session's own clock, and a log line that goes to the observer, too.
 * `fields` is taken. */
void session_event(struct session *session, const char *event, json_object *fields);
void session_log(struct session *session, int level, const char *source, const char *message);

#endif
