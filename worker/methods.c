/* What an orchestrator asks of its worker; see worker.h and docs/protocol.md. */
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "worker/lifecycle.h"
#include "worker/answer.h"
#include "worker/cancel.h"
#include "worker/prepare.h"
#include "worker/stream-messages.h"
#include "worker/worker.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define LONGEST_TIMEOUT_MS 86400000
#define LONGEST_ID 128

/* A time that can be added to any other. */
static int64_t bounded_ms(json_object *params, const char *key)
{
    int64_t value = json_member_integer(params, key, 0);

    return value < 0 ? 0 : value < LONGEST_TIMEOUT_MS ? value : LONGEST_TIMEOUT_MS;
}

/* Methods. Each answers its request; the error, if it sets one, is the answer. */

/* Whether the link may be made again. The channel has been prepared for it with what came first (begin_session). */
static bool agree_on_resumption(struct worker *worker, json_object *params)
{
    int64_t timeout = bounded_ms(params, "resume_timeout_ms");

    if (!channel_is_resumable(worker->channel))
        return false;
    if (timeout == 0)
        channel_forbid_resumption(worker->channel);
    worker->resume_timeout_ms = timeout;
    return timeout > 0;
}

static int on_hello(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    int64_t protocol = json_member_integer(params, "protocol", -1);
    char now[CLOCK_TIMESTAMP_SIZE];

    if (protocol != CHANNEL_PROTOCOL_VERSION)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "the orchestrator speaks protocol %lld, this worker speaks %d",
                                (long long)protocol, CHANNEL_PROTOCOL_VERSION);
    if (worker->greeted)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "hello was said before");
    if (channel_is_resumable(worker->channel) && !channel_knows(worker->channel, params))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "hello names another session than its link");
    worker->heartbeat_interval_ms = bounded_ms(params, "heartbeat_interval_ms");
    worker->heartbeat_timeout_ms = bounded_ms(params, "heartbeat_timeout_ms");
    worker->greeted = true;
    json_object *result = json_object_new_object();
    clock_timestamp(now);
    json_add_integer(result, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_integer(result, "pid", getpid());
    json_add_string(result, "version", PACKAGE_VERSION);
    json_add_string(result, "clock", now);
    json_add(result, "compression", wire_codecs());
    json_add_boolean(result, "resume", agree_on_resumption(worker, params));
    answer_result(worker->channel, id, result);
    return 0;
}

static int on_prepare(struct worker *worker, const char *id, json_object *params,
                      struct osiris_error *error)
{
    if (worker->run != NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare was requested before");
    if (worker->cleaned)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare came after cleanup");
    struct beats beats;
    if (beats_begin(&beats, worker->channel, worker->heartbeat_interval_ms, error) < 0)
        return -1;
    worker->run = run_new(worker->channel, params, &worker->origin, worker->stdout_fd, error);
    beats_end(&beats);
    if (worker->run == NULL)
        return -1;
    answer_result(worker->channel, id, run_describe(worker->run));
    return 0;
}

static int on_execute_step(struct worker *worker, const char *id, json_object *params,
                           struct osiris_error *error)
{
    const char *step_id = json_member_string(params, "step_id", "");
    struct step *step = run_find_step(worker->run, step_id);

    if (step == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "execute_step: there is no step \"%.64s\"", step_id);
    if (!json_object_is_type(json_member(params, "config"), json_type_object))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: config is no map");
    return step_start(step, params, id, error);
}

/* Both methods mean all of these steps, or none. */
static int check_step_ids(json_object *params, const char *method, struct osiris_error *error)
{
    json_object *step_ids = json_member(params, "step_ids");
    bool right = json_object_is_type(step_ids, json_type_array);

    for (size_t i = 0; i < json_array_count(step_ids); i++)
        right = right && json_object_is_type(json_object_array_get_idx(step_ids, i), json_type_string);
    return right ? 0
                 : osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "%s: step_ids are no list of texts", method);
}

static int on_commit(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    const char *phase = json_member_string(params, "phase", NULL);
    enum commit_phase wanted = COMMIT_BOTH;

    if (check_step_ids(params, "commit", error) < 0)
        return -1;
    if (json_member(params, "phase") != NULL) {
        if (phase == NULL || (strcmp(phase, "commit") != 0 && strcmp(phase, "publish") != 0))
            return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "commit: there is no such phase");
        wanted = strcmp(phase, "commit") == 0 ? COMMIT_ONLY : COMMIT_PUBLISH;
    }
    decide_commit(worker->run, id, json_member(params, "step_ids"), wanted);
    return 0;
}

static int on_abort(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    if (check_step_ids(params, "abort", error) < 0)
        return -1;
    decide_abort(worker->run, id, json_member(params, "step_ids"),
                 json_member_string(params, "because", NULL));
    return 0;
}

static int on_cancel(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    json_object *step_ids = json_member(params, "step_ids");

    if (step_ids != NULL && check_step_ids(params, "cancel", error) < 0)
        return -1;
    if (step_ids == NULL)
        cancel_group(worker->run, -1, NULL);
    for (size_t i = 0; i < json_array_count(step_ids); i++) {
        struct step *step = run_find_step(
            worker->run, json_object_get_string(json_object_array_get_idx(step_ids, i)));
        if (step == NULL)
            continue;
        /* Its neighbours cannot go on without it, and shall know why. */
        atomic_store(&step->progress.cancelled, true);
        cancel_group(worker->run, step->plan.group, step);
        cancel_step(step);
    }
    answer_result(worker->channel, id, NULL);
    return 0;
}

static int on_ping(struct worker *worker, const char *id, json_object *params,
                   struct osiris_error *error)
{
    (void)params;
    (void)error;
    answer_result(worker->channel, id, NULL);
    return 0;
}

static int on_cleanup(struct worker *worker, const char *id, json_object *params,
                      struct osiris_error *error)
{
    (void)params;
    if (worker->run != NULL && !cancel_all(worker->run, WORKER_STOP_MS))
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "steps do not stop");
    run_free(worker->run);
    worker->run = NULL;
    lifecycle_end_children();
    worker->cleaned = true;
    answer_result(worker->channel, id, NULL);
    return 0;
}

static const struct method {
    const char *name;
    bool before_hello, before_prepare;
    int (*handle)(struct worker *worker, const char *id, json_object *params,
                  struct osiris_error *error);
} methods[] = {
    {"hello", true, true, on_hello},
    {"prepare", false, true, on_prepare},
    {"execute_step", false, false, on_execute_step},
    {"commit", false, false, on_commit},
    {"abort", false, false, on_abort},
    {"cancel", false, false, on_cancel},
    {"ping", false, true, on_ping},
    {"cleanup", false, true, on_cleanup},
};

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

static int dispatch(struct worker *worker, const char *id, const char *name, json_object *params,
                    struct osiris_error *error)
{
    const struct method *method = find_method(name);

    if (method == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "there is no method \"%.64s\"",
                                name);
    if (!worker->greeted && !method->before_hello)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s came before hello", name);
    if (worker->run == NULL && !method->before_prepare)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s came before prepare", name);
    return method->handle(worker, id, params, error);
}

static bool has(json_object *message, const char *key)
{
    return json_object_object_get_ex(message, key, NULL);
}

/* Whether it may be answered at all: it has an id, which no other request has had, and a method. */
static int check_request(struct worker *worker, json_object *message, struct osiris_error *violation)
{
    const char *id = json_member_string(message, "id", "");

    if (id[0] == '\0' || strlen(id) > LONGEST_ID || json_member_string(message, "method", NULL) == NULL)
        return osiris_error_set_violation(violation, "a request has no id or no method");
    if (has(worker->ids, id))
        return osiris_error_set_violation(violation, "the id \"%s\" was used before", id);
    json_add(worker->ids, id, NULL);
    return 0;
}

/* What is wrong with a stream, its producer has done; that there is no memory for it, nobody. */
static void note_refusal(struct worker *worker, json_object *message, const struct osiris_error *error)
{
    if (error->violation)
        worker->refused_stream = json_member_integer(json_member(message, "data"), "stream", 0);
}

int worker_handle(struct worker *worker, json_object *message, size_t body_length, struct osiris_error *violation)
{
    const char *id = json_member_string(message, "id", NULL);
    const char *method = json_member_string(message, "method", NULL);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!has(message, "id") && !has(message, "method")) {
        /* Heartbeats have told what they had to by coming; unknown types are ignored. */
        int result = streams_take_message(worker->run, message, body_length, violation);
        if (result < 0)
            note_refusal(worker, message, violation);
        return result < 0 ? -1 : 0;
    }
    if (check_request(worker, message, violation) < 0)
        return -1;
    /* Also of a step that is not there: the numbers were said. */
    if (worker->run != NULL && strcmp(method, "execute_step") == 0 &&
        streams_claim(worker->run, json_member(message, "params"), violation) < 0)
        return -1;
    if (dispatch(worker, id, method, json_member(message, "params"), &error) < 0)
        answer_error(worker->channel, id, &error);
    return 0;
}

void *worker_find_room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct worker *worker = context;
    void *room = streams_find_room(worker->run, message, length, error);

    if (room == NULL)
        note_refusal(worker, message, error);
    return room;
}
