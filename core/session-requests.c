/* What the session asks of the worker; see session-state.h and docs/protocol.md. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/session-state.h"

static struct session_request *add_request(struct session *session)
{
    if (session->request_count == session->request_capacity) {
        size_t capacity = session->request_capacity == 0 ? 16 : session->request_capacity * 2;
        void *grown = reallocarray(session->requests, capacity, sizeof *session->requests);
        if (grown == NULL)
            return NULL;
        session->requests = grown;
        session->request_capacity = capacity;
    }
    return &session->requests[session->request_count++];
}

static void send_message(struct session *session, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (session->phase == SESSION_BROKEN || session->phase == SESSION_ENDED)
        return;
    if (message == NULL)
        osiris_error_set_errno(&error, ENOMEM, "cannot send a request");
    else if (channel_send(session->channel, message, false, &error) == 0) {
        session->last_sent_ms = clock_monotonic_ms();
        return;
    }
    session_break(session, &error);
}

/* Takes `params`. */
static void send_request(struct session *session, enum request_kind kind, const char *method,
                         size_t index, json_object *params)
{
    char id[32];
    _cleanup_json_ json_object *message = json_object_new_object();
    struct session_request *request = add_request(session);

    if (request == NULL) {
        json_object_put(params);
        send_message(session, NULL);
        return;
    }
    *request = (struct session_request){
        .number = ++session->last_number, .kind = kind, .index = index};
    snprintf(id, sizeof id, "req_%llu", (unsigned long long)request->number);
    json_add_string(message, "id", id);
    json_add_string(message, "method", method);
    json_add(message, "params", params == NULL ? json_object_new_object() : params);
    send_message(session, message);
}

bool session_take_request(struct session *session, const char *id, struct session_request *request)
{
    char expected[32];

    for (size_t i = 0; i < session->request_count; i++) {
        snprintf(expected, sizeof expected, "req_%llu",
                 (unsigned long long)session->requests[i].number);
        if (id != NULL && strcmp(id, expected) == 0) {
            *request = session->requests[i];
            session->requests[i] = session->requests[--session->request_count];
            return true;
        }
    }
    return false;
}

void session_send_hello(struct session *session)
{
    json_object *params = json_object_new_object();

    json_add_integer(params, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_string(params, "version", session->options->version);
    json_add_integer(params, "heartbeat_interval_ms", session->limits.heartbeat_interval_ms);
    json_add_integer(params, "heartbeat_timeout_ms", session->limits.heartbeat_timeout_ms);
    send_request(session, REQUEST_HELLO, "hello", 0, params);
}

static json_object *driver_files(const struct session *session)
{
    json_object *drivers = json_object_new_object();

    for (size_t i = 0; i < session->step_count; i++) {
        const char *driver =
            json_member_string(schedule_step(session->schedule, i), "driver", "");
        const struct component *component =
            registry_find(session->options->registry, driver, NULL);
        if (component != NULL)
            json_add_string(drivers, driver, component->file);
    }
    return drivers;
}

static json_object *shared(json_object *object)
{
    return object == NULL ? json_object_new_object() : json_object_get(object);
}

void session_send_prepare(struct session *session)
{
    const struct session_options *options = session->options;
    _cleanup_free_ char *temp_dir = NULL;
    json_object *params = json_object_new_object();

    if (asprintf(&temp_dir, "%s/tmp", rundir_path(options->rundir)) < 0)
        temp_dir = NULL;
    json_add_string(params, "run_id", options->run_id);
    json_add(params, "plan", shared(options->compiled->plan));
    json_add(params, "drivers", driver_files(session));
    json_add(params, "connections", shared(options->compiled->connections));
    json_add(params, "secrets", shared(options->compiled->secrets));
    json_add(params, "environment", shared(options->environment));
    json_add_string(params, "artifacts_dir", rundir_artifacts_path(options->rundir));
    json_add_string(params, "temp_dir", temp_dir);
    json_add_integer(params, "queue_bytes", session->limits.queue_bytes);
    json_add_integer(params, "spill_bytes", session->limits.spill_bytes);
    send_request(session, REQUEST_PREPARE, "prepare", 0, params);
}

static json_object *step_inputs(json_object *plan_step)
{
    json_object *list = json_member(plan_step, "inputs");
    json_object *inputs = json_object_new_object();

    for (size_t i = 0; i < json_array_count(list); i++) {
        json_object *input = json_object_array_get_idx(list, i);
        json_object *value = json_object_new_object();
        json_add_integer(value, "edge", json_member_integer(input, "edge", -1));
        json_add(inputs, json_member_string(input, "name", "df"), value);
    }
    return inputs;
}

void session_send_step(struct session *session, size_t index)
{
    struct session_step *step = &session->steps[index];
    json_object *plan_step = schedule_step(session->schedule, index);
    json_object *params = json_object_new_object();

    step->started_ns = clock_monotonic_ns();
    json_add_string(params, "step_id", step->id);
    json_add_string(params, "driver", json_member_string(plan_step, "driver", NULL));
    json_add_string(params, "component", step->component);
    json_add(params, "config", shared(json_member(session->options->compiled->configs, step->id)));
    json_add(params, "inputs", step_inputs(plan_step));
    send_request(session, REQUEST_STEP, "execute_step", index, params);
}

static json_object *group_params(const struct session *session, size_t group)
{
    json_object *params = json_object_new_object();

    json_add(params, "step_ids", shared(schedule_group_steps(session->schedule, group)));
    return params;
}

void session_send_commit(struct session *session, size_t group)
{
    send_request(session, REQUEST_COMMIT, "commit", group, group_params(session, group));
}

void session_send_abort(struct session *session, size_t group)
{
    send_request(session, REQUEST_ABORT, "abort", group, group_params(session, group));
}

void session_send_cancel(struct session *session)
{
    send_request(session, REQUEST_CANCEL, "cancel", 0, NULL);
}

void session_send_cleanup(struct session *session)
{
    send_request(session, REQUEST_CLEANUP, "cleanup", 0, NULL);
}

void session_send_heartbeat(struct session *session)
{
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_string(message, "type", "heartbeat");
    json_add(message, "data", json_object_new_object());
    send_message(session, message);
}
