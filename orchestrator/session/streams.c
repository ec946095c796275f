/* Streams between workers; see streams.h and docs/protocol.md. */
#include "orchestrator/session/streams.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire/body.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/one-of.h"
#include "core/wire/batch.h"
#include "orchestrator/session/send.h"
#include "orchestrator/session/windows.h"
#include "orchestrator/session/worker.h"

/* Memory of forwarded bodies that is kept for new ones. */
#define KEPT_BYTES (4u << 20)
/* When this much waits for a reader's place, its streams get no more credit. It exceeds what a reader that keeps up leaves
 * unacknowledged (256 KiB and a frame), for the sake of links with a long delay. */
#define HELD_BYTES (16u << 20)

void session_make_edges(struct session *session)
{
    const struct plan *plan = session->plan;

    session->edges = calloc(plan->edge_count + 1, sizeof *session->edges);
    for (size_t i = 0; i < plan->edge_count; i++) {
        const struct plan_edge *edge = &plan->edges[i];
        session->edges[i] = (struct session_edge){
            .from = edge->from,
            .to = edge->to,
            .crosses = session->steps[edge->from].worker != session->steps[edge->to].worker,
        };
    }
}

static struct session_worker *worker_of(struct session *session, size_t step)
{
    return session->steps[step].worker;
}

/* Codecs that may be used between the two workers: none if both links are local. */
static json_object *common_codecs(const struct session_worker *from, const struct session_worker *to)
{
    json_object *common = json_object_new_array();

    if (!from->remote && !to->remote)
        return common;
    for (size_t i = 0; i < json_array_count(to->codecs); i++) {
        json_object *codec = json_object_array_get_idx(to->codecs, i);
        if (json_object_is_type(codec, json_type_string))
            json_append(common, json_object_get(codec));
    }
    return common;
}

void session_add_window(json_object *stream, const struct session *session, const struct session_edge *edge)
{
    if (edge->window != session->limits.queue_bytes)
        json_add_integer(stream, "queue_bytes", edge->window);
}

static json_object *describe_output(struct session *session, size_t index)
{
    const struct session_edge *edge = &session->edges[index];
    json_object *output = json_object_new_object();

    json_add_integer(output, "edge", (int64_t)index);
    json_add_integer(output, "stream", edge->stream);
    session_add_window(output, session, edge);
    json_add(output, "compression",
             common_codecs(worker_of(session, edge->from), worker_of(session, edge->to)));
    return output;
}

void session_open_streams(struct session *session, size_t step)
{
    for (size_t i = 0; i < session->plan->edge_count; i++) {
        struct session_edge *edge = &session->edges[i];
        if (edge->crosses && edge->stream == 0 && (edge->from == step || edge->to == step))
            *edge = (struct session_edge){.from = edge->from,
                                          .to = edge->to,
                                          .crosses = true,
                                          .stream = ++session->last_stream,
                                          .window = session_window(session, i)};
    }
}

json_object *session_describe_outputs(struct session *session, size_t step)
{
    json_object *outputs = NULL;

    for (size_t i = 0; i < session->plan->edge_count; i++) {
        const struct session_edge *edge = &session->edges[i];
        if (edge->stream == 0 || edge->from != step)
            continue;
        if (outputs == NULL)
            outputs = json_object_new_array();
        json_append(outputs, describe_output(session, i));
    }
    return outputs;
}

void session_drop_streams(struct session *session, size_t group)
{
    for (size_t i = 0; i < session->plan->edge_count; i++)
        if (session->plan->steps[session->edges[i].from].group == group)
            session->edges[i] = (struct session_edge){
                .from = session->edges[i].from, .to = session->edges[i].to, .crosses = session->edges[i].crosses};
}

/* Forwards a credit or a close of the reader; `bytes` is 0 for a close. */
static void send_to_producer(struct session_worker *producer, const struct session_edge *edge, const char *type,
                          int64_t bytes)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_add_string(message, "type", type);
    json_add_integer(data, "stream", edge->stream);
    if (bytes != 0)
        json_add_integer(data, "bytes", bytes);
    json_add(message, "data", data);
    worker_send(producer, message);
}

/* The producer has been requested: it knows the stream. (A step may wait for another one of its group, which its reader need not.) */
static bool is_known(const struct session *session, const struct session_edge *edge)
{
    return session->steps[edge->from].worker->phase == WORKER_RUNNING &&
           schedule_step_state(session->schedule, edge->from) != STEP_PENDING;
}

static void close_stream(struct session *session, struct session_edge *edge)
{
    edge->unwanted = true;
    if (edge->closed || edge->state == STREAM_ENDED || !is_known(session, edge))
        return;
    edge->closed = true;
    send_to_producer(worker_of(session, edge->from), edge, "close", 0);
}

/* Credit is withheld from a reader that does not read or acknowledge, because its data would accumulate here. */
static void forward_credit(struct session *session, struct session_edge *edge)
{
    struct session_worker *producer = worker_of(session, edge->from);
    const struct session_worker *reader = worker_of(session, edge->to);
    int64_t bytes = edge->withheld;

    if (bytes == 0 || !is_known(session, edge) || reader->phase != WORKER_RUNNING ||
        channel_held_bytes(reader->channel) >= HELD_BYTES)
        return;
    edge->withheld = 0;
    edge->credit += bytes;
    send_to_producer(producer, edge, "credit", bytes);
}

void session_forward_credits(struct session *session)
{
    for (size_t i = 0; i < session->plan->edge_count; i++) {
        forward_credit(session, &session->edges[i]);
        if (session->edges[i].unwanted)
            close_stream(session, &session->edges[i]);
    }
}

void session_end_streams(struct session *session, size_t step)
{
    for (size_t i = 0; i < session->plan->edge_count; i++) {
        struct session_edge *edge = &session->edges[i];
        if (!edge->crosses || edge->stream == 0)
            continue;
        if (edge->to == step)
            close_stream(session, edge);
        else if (edge->from == step && edge->state != STREAM_ENDED)
            edge->end_ms = clock_monotonic_ms() + session->limits.heartbeat_timeout_ms;
    }
}

void session_extend_streams(struct session_worker *worker, int64_t now)
{
    struct session *session = worker->place->session;

    for (size_t i = 0; i < session->plan->edge_count; i++) {
        struct session_edge *edge = &session->edges[i];
        if (edge->end_ms != 0 && worker_of(session, edge->from) == worker)
            edge->end_ms = now + session->limits.heartbeat_timeout_ms;
    }
}

/* The worker has answered that the step has run, but its stream has not ended. */
static void blame_step(struct session_worker *worker, const struct session_step *step)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set_violation(&error, "in place %s a step has run, but its stream has not ended", worker->place->name);
    error.step_id = strdup(step->id);
    error.component = strdup(step->component);
    worker_fail(worker, &error);
}

void session_check_streams(struct session *session, int64_t now)
{
    for (size_t i = 0; i < session->plan->edge_count; i++) {
        struct session_edge *edge = &session->edges[i];
        struct session_worker *producer = worker_of(session, edge->from);
        if (edge->end_ms == 0 || now < edge->end_ms)
            continue;
        /* Nothing can arrive while there is no link. */
        edge->end_ms = now + session->limits.heartbeat_timeout_ms;
        if (!worker_is_reachable(producer) || !channel_is_up(producer->channel))
            continue;
        edge->end_ms = 0;
        blame_step(producer, &session->steps[edge->from]);
    }
}

int64_t session_next_stream_end(const struct session *session)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < session->plan->edge_count; i++)
        if (session->edges[i].end_ms != 0 && session->edges[i].end_ms < next)
            next = session->edges[i].end_ms;
    return next;
}

/* Forwarding. */

static struct session_edge *find_stream(struct session *session, int64_t stream)
{
    for (size_t i = 0; i < session->plan->edge_count; i++)
        if (session->edges[i].crosses && session->edges[i].stream == stream)
            return &session->edges[i];
    return NULL;
}

void *worker_body_room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct session_worker *worker = context;

    (void)message;
    worker->takes_body = true;
    /* At most FRAME_MAXIMUM_BODY; its message is checked when the body has arrived. */
    body_free(worker->body);
    if (worker->pool == NULL)
        worker->pool = body_pool_new(KEPT_BYTES);
    worker->body = body_new(worker->pool, length);
    if (worker->body == NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot forward a batch");
    return worker->body;
}

static bool is_negotiated(struct session *session, const struct session_edge *edge, const char *codec)
{
    _cleanup_json_ json_object *negotiated = common_codecs(worker_of(session, edge->from), worker_of(session, edge->to));

    for (size_t i = 0; i < json_array_count(negotiated); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(negotiated, i)), codec) == 0)
            return true;
    return false;
}

/* The first part of a batch needs credit; the others must not exceed the length that the first has announced. */
static const char *check_part(struct session *session, struct session_edge *edge, bool first, json_object *message,
                              size_t body_length)
{
    json_object *data = json_member(message, "data");
    int64_t weight = 0;

    if (first) {
        const char *wrong = wire_batch_weigh(data, &weight);
        const char *codec = json_member_string(data, "codec", NULL);
        if (wrong == NULL && codec != NULL && !is_negotiated(session, edge, codec))
            wrong = "a batch has a codec that was not negotiated";
        if (edge->left > 0)
            return "a batch starts inside another";
        if (edge->credit <= 0)
            return "a batch starts without credit";
        if (wrong != NULL)
            return wrong;
        edge->credit -= weight;
        edge->left = json_member_integer(data, "body", 0);
    }
    const char *wrong = wire_part_is_wrong(edge->left, body_length);
    edge->left -= (int64_t)body_length;
    return wrong;
}

/* Checks the order of the producer's messages. Returns what is wrong, or NULL. */
static const char *check_order(struct session *session, struct session_edge *edge, const char *type,
                               json_object *message, size_t body_length)
{
    bool first = strcmp(type, "batch") == 0;

    /* The step has been answered and its stream still makes progress. */
    if (edge->end_ms != 0)
        edge->end_ms = clock_monotonic_ms() + session->limits.heartbeat_timeout_ms;
    if (edge->state == STREAM_ENDED)
        return "a stream continues after its end";
    if (strcmp(type, "schema") == 0) {
        if (edge->state != STREAM_NEW)
            return "a stream has two schemas";
        edge->state = STREAM_OPEN;
        return NULL;
    }
    if (edge->state == STREAM_NEW)
        return "a stream starts without its schema";
    if (first || strcmp(type, "more") == 0)
        return check_part(session, edge, first, message, body_length);
    edge->state = STREAM_ENDED;
    edge->end_ms = 0;
    return edge->left > 0 ? "a stream ends inside a batch" : NULL;
}

struct forwarded_body {
    struct iovec piece;
};

static void free_forwarded_body(void *owner)
{
    struct forwarded_body *body = owner;

    body_free(body->piece.iov_base);
    free(body);
}

static void forward_body(struct session_worker *from, struct session_worker *to, json_object *message, size_t length)
{
    struct forwarded_body *forwarded = malloc(sizeof *forwarded);

    forwarded->piece = (struct iovec){.iov_base = from->body, .iov_len = length};
    from->body = NULL;
    const struct channel_body body = {.pieces = &forwarded->piece,
                                      .piece_count = 1,
                                      .length = length,
                                      .release = free_forwarded_body,
                                      .owner = forwarded};
    worker_send_body(to, message, &body);
}

static void forward(struct session_worker *from, struct session_worker *to, json_object *message, size_t body_length)
{
    if (to->phase != WORKER_RUNNING)
        return; /* the worker has failed or ended, which is handled elsewhere */
    if (body_length > 0)
        forward_body(from, to, message, body_length);
    else
        worker_send_body(to, message, NULL);
}

/* Checked here, so that a malformed schema is the producer's fault, not that of the reader which would refuse it. */
static bool is_schema(struct session_worker *worker, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowSchema schema;

    if (wire_schema_decode(json_member(json_member(message, "data"), "schema"), &schema, &error) < 0) {
        worker_fail(worker, &error);
        return false;
    }
    schema.release(&schema);
    return true;
}

static void forward_from_producer(struct session_worker *worker, struct session_edge *edge, const char *type,
                                  json_object *message, size_t body_length)
{
    struct session *session = worker->place->session;
    const char *wrong = worker_of(session, edge->from) != worker ? "it sends to a stream that is not its own"
                                                                 : check_order(session, edge, type, message, body_length);

    if (wrong != NULL)
        worker_fail_violation(worker, wrong);
    else if (strcmp(type, "schema") != 0 || is_schema(worker, message))
        forward(worker, worker_of(session, edge->to), message, body_length);
}

static void forward_from_reader(struct session_worker *worker, struct session_edge *edge, const char *type,
                                json_object *message)
{
    struct session *session = worker->place->session;
    int64_t bytes = json_member_integer(json_member(message, "data"), "bytes", 0);

    if (worker_of(session, edge->to) != worker) {
        worker_fail_violation(worker, "it reads a stream that is not its own");
        return;
    }
    if (strcmp(type, "close") == 0) {
        close_stream(session, edge);
    } else if (bytes <= 0 || bytes > edge->window - edge->withheld - edge->credit) {
        worker_fail_violation(worker, bytes <= 0 ? "a credit is not a number of bytes"
                                           : "a stream has more credit than room in its queue");
    } else {
        edge->withheld += bytes;
        forward_credit(session, edge);
    }
}

void session_blame_producer(struct session_worker *reader, int64_t stream, const struct osiris_error *refusal)
{
    struct session *session = reader->place->session;
    const struct session_edge *edge = stream > 0 ? find_stream(session, stream) : NULL;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (edge == NULL || worker_of(session, edge->to) != reader || edge->state == STREAM_NEW)
        return;
    struct session_worker *producer = worker_of(session, edge->from);
    osiris_error_copy(&error, refusal);
    osiris_error_prefix(&error, "step \"%s\" cannot read what step \"%s\" in place %s sends", session->steps[edge->to].id,
                        session->steps[edge->from].id, producer->place->name);
    error.step_id = strdup(session->steps[edge->from].id);
    error.component = strdup(session->steps[edge->from].component);
    worker_fail(producer, &error);
}

bool worker_forward(struct session_worker *worker, const char *type, json_object *message, size_t body_length)
{
    static const char *const producers[] = {"schema", "batch", "more", "end", NULL};
    static const char *const readers[] = {"credit", "close", NULL};
    struct session *session = worker->place->session;
    bool from_producer = is_one_of(type, producers);

    if (!from_producer && !is_one_of(type, readers))
        return false;
    int64_t stream = json_member_integer(json_member(message, "data"), "stream", 0);
    struct session_edge *edge = find_stream(session, stream);
    if (stream <= 0 || stream > session->last_stream) {
        worker_fail_violation(worker, "a message names a stream that never existed");
        return true;
    }
    if (body_length > 0 && strcmp(type, "batch") != 0 && strcmp(type, "more") != 0) {
        worker_fail_violation(worker, "a message has a body that must not have one");
        return true;
    }
    wire_strip(message);
    /* A message for a stream of an earlier attempt is dropped. */
    if (edge != NULL && from_producer)
        forward_from_producer(worker, edge, type, message, body_length);
    else if (edge != NULL)
        forward_from_reader(worker, edge, type, message);
    return true;
}
