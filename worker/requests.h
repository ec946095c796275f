/*
 * Requests other than prepare, read and checked once. Everything is borrowed from the message.
 */
#ifndef OSIRIS_WORKER_REQUESTS_H
#define OSIRIS_WORKER_REQUESTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* A message that has an id or a method. */
struct request {
    const char *id, *method; /* NULL: it has none that is a string */
    json_object *params;
};

/* Whether the message is one. */
bool request_read(struct request *request, json_object *message);

/* hello */
struct hello_request {
    int64_t protocol;
    int64_t heartbeat_interval_ms, heartbeat_timeout_ms; /* 0: none; at most a day */
    int64_t resume_timeout_ms;
    json_object *params;
};

int hello_read(struct hello_request *hello, json_object *params, struct osiris_error *error);

/* The first message of a link: a hello or a resume. A malformed message is neither. */
struct greeting {
    bool says_hello, resumes;
    const char *session, *token; /* "": absent */
    int64_t received;            /* of a resume; -1: absent */
    json_object *data;
};

void greeting_read(struct greeting *greeting, json_object *message);

/* execute_step: one end of an edge in this worker. */
struct requested_stream {
    const char *input;  /* its name; NULL: it is an output */
    size_t edge;        /* its number in the plan */
    int64_t stream;     /* 0: the other end is also in this worker */
    int64_t queue_bytes; /* its window; 0: that of prepare */
    json_object *codecs; /* a list of texts, or NULL */
};

struct execute_request {
    const char *step_id, *verb;
    json_object *config;
    struct requested_stream *streams; /* owned */
    size_t stream_count;
};

/* Must be cleared in either case. */
int execute_read(struct execute_request *execute, json_object *params, struct osiris_error *error);
void execute_clear(struct execute_request *execute);

/* commit, abort, cancel. */
enum commit_phase { COMMIT_BOTH, COMMIT_ONLY, COMMIT_PUBLISH };

struct steps_request {
    const char **ids; /* owned */
    size_t count;
    bool all;                /* cancel without step_ids */
    enum commit_phase phase; /* commit's */
    const char *because;     /* abort's, or NULL */
};

/* Must be cleared in either case. */
int commit_read(struct steps_request *steps, json_object *params, struct osiris_error *error);
int abort_read(struct steps_request *steps, json_object *params, struct osiris_error *error);
int cancel_read(struct steps_request *steps, json_object *params, struct osiris_error *error);
void steps_clear(struct steps_request *steps);

/* A message of a stream. */
enum stream_message_type { STREAM_SCHEMA, STREAM_BATCH, STREAM_MORE, STREAM_END, STREAM_CREDIT, STREAM_CLOSE, STREAM_NONE };

struct stream_message {
    enum stream_message_type type; /* STREAM_NONE: it is not a message of a stream */
    const char *name;              /* of the type */
    int64_t stream;                /* 0: absent */
    int64_t bytes;                 /* a credit's; 0: absent */
    json_object *data;
};

void stream_message_read(struct stream_message *read, json_object *message);

#endif
