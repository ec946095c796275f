/* Messages and requests to a worker; see send.h and docs/protocol.md. */
#include "orchestrator/session/send.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/session/worker.h"

static void note_sent(struct session_worker *worker, int result, struct osiris_error *error)
{
    if (result == 0)
        worker->last_sent_ms = clock_monotonic_ms();
    else
        worker_fail(worker, error);
}

void worker_send(struct session_worker *worker, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (worker_is_reachable(worker))
        note_sent(worker, channel_send(worker->channel, message, false, &error), &error);
}

void worker_send_owed(struct session_worker *worker, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (worker_is_reachable(worker))
        note_sent(worker, channel_send_owed(worker->channel, message, &error), &error);
}

void worker_send_body(struct session_worker *worker, json_object *message, const struct channel_body *body)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (channel_send_body(worker->channel, message, body, &error) < 0)
        worker_fail(worker, &error);
}

static struct session_request *add_request(struct session_worker *worker)
{
    if (worker->request_count == worker->request_capacity) {
        size_t capacity = worker->request_capacity == 0 ? 16 : worker->request_capacity * 2;
        void *grown = reallocarray(worker->requests, capacity, sizeof *worker->requests);
        if (grown == NULL)
            return NULL;
        worker->requests = grown;
        worker->request_capacity = capacity;
    }
    return &worker->requests[worker->request_count++];
}

/* Requests in flight are bounded by the pipeline: each config once, whose sizes are limited (orchestrator/compile/sizes.c), and a few
 * words for each step and group. */
static void send_request(struct session_worker *worker, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    int result = channel_send_request(worker->channel, message, &error);

    if (result < 0)
        osiris_error_prefix(&error, "%s", json_member_string(message, "method", "?"));
    note_sent(worker, result, &error);
}

/* Only requests of a commit have their own deadline. */
static int64_t deadline_of(const struct session *session, enum request_kind kind)
{
    bool commits = kind == REQUEST_COMMIT || kind == REQUEST_PHASE_COMMIT || kind == REQUEST_PHASE_PUBLISH;

    return commits ? clock_monotonic_ms() + session->limits.commit_ms : 0;
}

bool worker_send_request(struct session_worker *worker, enum request_kind kind, const char *method, size_t index,
                         json_object *params)
{
    char id[32];
    _cleanup_json_ json_object *message = json_object_new_object();
    struct session_request *request = worker_is_reachable(worker) ? add_request(worker) : NULL;

    if (request == NULL) {
        json_object_put(params);
        if (worker_is_reachable(worker))
            worker_fail_with(worker, OSIRIS_ERROR_INTERNAL, "out of memory for a request");
        return false;
    }
    *request = (struct session_request){
        .number = ++worker->last_number,
        .kind = kind,
        .index = index,
        .deadline_ms = deadline_of(worker->place->session, kind),
    };
    snprintf(id, sizeof id, "req_%llu", (unsigned long long)request->number);
    json_add_string(message, "id", id);
    json_add_string(message, "method", method);
    json_add(message, "params", params == NULL ? json_object_new_object() : params);
    send_request(worker, message);
    return true;
}
