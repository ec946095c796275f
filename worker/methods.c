/* Requests from the orchestrator; see worker.h and docs/protocol.md. */
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "worker/lifecycle.h"
#include "worker/answer.h"
#include "worker/cancel.h"
#include "worker/home-messages.h"
#include "worker/prepare.h"
#include "worker/stream-messages.h"
#include "worker/worker.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define LONGEST_ID 128

/* Methods. Each answers its request; the error, if it sets one, is the answer. */

/* Whether the link may be restored. begin_session has prepared the channel for it. */
static bool agree_on_resumption(struct worker *worker, int64_t timeout)
{
    if (!channel_is_resumable(worker->channel))
        return false;
    if (timeout == 0)
        channel_forbid_resumption(worker->channel);
    worker->resume_timeout_ms = timeout;
    return timeout > 0;
}

static int begin_stand_in(struct worker *worker, struct osiris_error *error)
{
    struct stand_in *stand_in = &worker->stand_in;

    stand_in->channel = worker->channel;
    stand_in->signal_fd = worker->signal_fd;
    stand_in->interval_ms = worker->heartbeat_interval_ms;
    stand_in->resume_timeout_ms = worker->resume_timeout_ms;
    return stand_in_begin(stand_in, error);
}

static int on_hello(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    struct hello_request hello;
    char now[CLOCK_TIMESTAMP_SIZE];

    if (hello_read(&hello, params, error) < 0)
        return -1;
    if (hello.protocol != CHANNEL_PROTOCOL_VERSION)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "the orchestrator speaks protocol %lld, this worker speaks %d",
                                (long long)hello.protocol, CHANNEL_PROTOCOL_VERSION);
    if (worker->greeted)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "hello was sent before");
    if (channel_is_resumable(worker->channel) && !channel_knows(worker->channel, params))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "hello names a different session than its link");
    worker->heartbeat_interval_ms = hello.heartbeat_interval_ms;
    worker->heartbeat_timeout_ms = hello.heartbeat_timeout_ms;
    bool resumable = agree_on_resumption(worker, hello.resume_timeout_ms);
    if (begin_stand_in(worker, error) < 0)
        return -1;
    worker->greeted = true;
    json_object *result = json_object_new_object();
    clock_timestamp(now);
    json_add_integer(result, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_integer(result, "pid", getpid());
    json_add_string(result, "version", PACKAGE_VERSION);
    json_add_string(result, "clock", now);
    json_add(result, "compression", wire_codecs());
    json_add_boolean(result, "resume", resumable);
    answer_result(worker->channel, id, result);
    return 0;
}

static struct run *make_run(struct worker *worker, json_object *params, struct osiris_error *error)
{
    struct run *run = NULL;
    struct plan plan;

    if (plan_read(&plan, params, error) == 0 &&
        (plan.working_dir == NULL || lifecycle_enter(&worker->origin, plan.working_dir, error) == 0))
        run = run_new(worker->channel, &plan, &worker->origin, worker->stdout_fd, error);
    plan_clear(&plan);
    return run;
}

static int on_prepare(struct worker *worker, const char *id, json_object *params,
                      struct osiris_error *error)
{
    if (worker->run != NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare was requested before");
    if (worker->cleaned)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare was requested after cleanup");
    worker->run = make_run(worker, params, error);
    if (worker->run == NULL)
        return -1;
    answer_result(worker->channel, id, run_describe(worker->run));
    return 0;
}

static int start_step(struct worker *worker, const char *id, const struct execute_request *request, struct osiris_error *error)
{
    struct step *step = run_find_step(worker->run, request->step_id);

    if (step == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "execute_step: there is no step \"%.64s\"", request->step_id);
    return step_start(step, request, id, error);
}

static int on_execute_step(struct worker *worker, const char *id, json_object *params,
                           struct osiris_error *error)
{
    struct execute_request request;
    int result = execute_read(&request, params, error);

    /* Also for a step that does not exist: the numbers were used. */
    if (streams_claim(worker->run, &request, &worker->violation) == 0 && result == 0)
        result = start_step(worker, id, &request, error);
    execute_clear(&request);
    return result;
}

static int on_commit(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    struct steps_request request;
    int result = commit_read(&request, params, error);

    if (result == 0)
        decide_commit(worker->run, id, &request);
    steps_clear(&request);
    return result;
}

static int on_abort(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    struct steps_request request;
    int result = abort_read(&request, params, error);

    if (result == 0)
        decide_abort(worker->run, id, &request);
    steps_clear(&request);
    return result;
}

static void cancel_steps(struct run *run, const struct steps_request *request)
{
    if (request->all)
        cancel_group(run, -1, NULL);
    for (size_t i = 0; i < request->count; i++) {
        struct step *step = run_find_step(run, request->ids[i]);
        if (step == NULL)
            continue;
        /* Its neighbours cannot continue without it, and report why. */
        atomic_store(&step->progress.cancelled, true);
        cancel_group(run, step->plan.group, step);
        cancel_step(step);
    }
}

static int on_cancel(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    struct steps_request request;
    int result = cancel_read(&request, params, error);

    if (result == 0) {
        cancel_steps(worker->run, &request);
        answer_result(worker->channel, id, NULL);
    }
    steps_clear(&request);
    return result;
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
    calls_enter(NULL, "cleanup");
    bool stopped = worker->run == NULL || decide_stop_all(worker->run, WORKER_STOP_MS);
    if (stopped) {
        run_free(worker->run);
        worker->run = NULL;
        calls_enter(NULL, "cleanup");
        lifecycle_end_children();
    }
    calls_leave();
    if (!stopped)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "steps do not stop");
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
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s was requested before hello", name);
    if (worker->run == NULL && !method->before_prepare)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s was requested before prepare", name);
    return method->handle(worker, id, params, error);
}

static bool has(json_object *message, const char *key)
{
    return json_object_object_get_ex(message, key, NULL);
}

/* Whether it may be answered at all: it has an id, which no other request has had, and a method. */
static int check_request(struct worker *worker, const struct request *request, struct osiris_error *violation)
{
    if (request->id == NULL || request->id[0] == '\0' || strlen(request->id) > LONGEST_ID || request->method == NULL)
        return osiris_error_set_violation(violation, "a request has no id or no method");
    if (has(worker->ids, request->id))
        return osiris_error_set_violation(violation, "the id \"%s\" was used before", request->id);
    json_add(worker->ids, request->id, NULL);
    return 0;
}

static int handle_request(struct worker *worker, const struct request *request, struct osiris_error *violation)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (check_request(worker, request, violation) < 0)
        return -1;
    int result = dispatch(worker, request->id, request->method, request->params, &error);
    if (worker->violation.category != 0) {
        osiris_error_move(violation, &worker->violation);
        return -1;
    }
    if (result < 0)
        answer_error(worker->channel, request->id, &error);
    return 0;
}

/* A malformed stream is the fault of its producer; a lack of memory is not. */
static void note_refusal(struct worker *worker, const struct stream_message *message, const struct osiris_error *error)
{
    if (error->violation)
        worker->refused_stream = message->stream;
}

static struct home *home_of(const struct worker *worker)
{
    return worker->run == NULL ? NULL : worker->run->home;
}

int worker_handle(struct worker *worker, json_object *message, size_t body_length, struct osiris_error *violation)
{
    struct request request;
    struct stream_message read;

    if (request_read(&request, message))
        return handle_request(worker, &request, violation);
    if (home_is_about_file(message))
        return home_take_message(home_of(worker), message, body_length, violation);
    /* A heartbeat only has to arrive; unknown types are ignored. */
    stream_message_read(&read, message);
    if (streams_take_message(worker->run, &read, body_length, violation) == 0)
        return 0;
    note_refusal(worker, &read, violation);
    return -1;
}

void *worker_find_room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct worker *worker = context;
    struct stream_message read;

    if (home_is_about_file(message))
        return home_find_room(home_of(worker), message, length, error);
    stream_message_read(&read, message);
    void *room = streams_find_room(worker->run, message, &read, length, error);
    if (room == NULL)
        note_refusal(worker, &read, error);
    return room;
}
