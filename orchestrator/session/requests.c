/* Requests to workers; see requests.h and docs/protocol.md. */
#include "orchestrator/session/requests.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/records.h"
#include "orchestrator/session/send.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

/* Start. */

void worker_send_hello(struct session_worker *worker)
{
    const struct session *session = worker->place->session;
    json_object *params = json_object_new_object();

    json_add_integer(params, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_string(params, "version", session->options->version);
    json_add_integer(params, "heartbeat_interval_ms", session->limits.heartbeat_interval_ms);
    json_add_integer(params, "heartbeat_timeout_ms", session->limits.heartbeat_timeout_ms);
    json_add(params, "compression", wire_codecs());
    json_add_string(params, "session", worker->session_id);
    json_add_string(params, "token", worker->token);
    json_add_integer(params, "resume_timeout_ms",
                     adapter_thread_can_reconnect(worker->place->adapter) ? session->limits.resume_ms : 0);
    (void)worker_send_request(worker, REQUEST_HELLO, "hello", 0, params);
}

/* Where a driver's file is in the place. */
static const char *file_in_place(const struct session_place *place, const struct osiris_channel *made, const char *file)
{
    size_t index = 0;

    if (made->driver_paths == NULL)
        return file;
    while (strcmp(place->driver_paths[index], file) != 0)
        index++;
    return made->driver_paths[index];
}

static json_object *driver_files(const struct session_worker *worker, const struct osiris_channel *made)
{
    const struct session *session = worker->place->session;
    json_object *drivers = json_object_new_object();

    for (size_t i = 0; i < session->plan->step_count; i++) {
        const struct session_step *step = &session->steps[i];
        if (step->driver != NULL && step->worker == worker)
            json_add_string(drivers, step->plan->driver, file_in_place(worker->place, made, step->driver->file));
    }
    return drivers;
}

static json_object *shared(json_object *object)
{
    return object == NULL ? json_object_new_object() : json_object_get(object);
}

/* Only the connections of the worker's own steps: it gets no other secrets. */
static json_object *connections_here(const struct session_worker *worker)
{
    const struct session *session = worker->place->session;
    json_object *all = session->options->compiled->connections;
    json_object *here = json_object_new_object();

    for (size_t i = 0; i < session->plan->step_count; i++) {
        json_object *connection = json_member(all, session->steps[i].id);
        if (connection != NULL && worker_has_step(worker, i))
            json_add(here, session->steps[i].id, json_object_get(connection));
    }
    return here;
}

static json_object *steps_here(const struct session_worker *worker)
{
    const struct session *session = worker->place->session;
    json_object *here = json_object_new_array();

    for (size_t i = 0; i < session->plan->step_count; i++)
        if (worker_has_step(worker, i))
            json_append(here, json_string(session->steps[i].id));
    return here;
}

/* Paths of the place, as far as its adapter has named them, otherwise of this machine. */
static void add_folders(json_object *params, const struct session *session, const struct osiris_channel *made)
{
    const struct rundir *rundir = session->options->rundir;

    json_add_string(params, "artifacts_dir", made->artifacts_dir == NULL ? rundir_artifacts_path(rundir) : made->artifacts_dir);
    json_add_string(params, "temp_dir", made->temp_dir == NULL ? rundir_temp_path(rundir) : made->temp_dir);
    if (made->working_dir != NULL)
        json_add_string(params, "working_dir", made->working_dir);
}

void worker_send_prepare(struct session_worker *worker, const struct osiris_channel *made)
{
    const struct session *session = worker->place->session;
    const struct session_options *options = session->options;
    json_object *params = json_object_new_object();

    json_add_string(params, "run_id", options->run_id);
    json_add(params, "plan", json_object_get(session->plan->json));
    if (session->worker_count > 1)
        json_add(params, "steps", steps_here(worker));
    json_add(params, "drivers", driver_files(worker, made));
    json_add(params, "connections", connections_here(worker));
    json_add(params, "secrets", shared(options->compiled->secrets));
    json_add(params, "environment", shared(options->environment));
    add_folders(params, session, made);
    if (worker->files_are_home) {
        json_add_string(params, "files", "home");
        json_add(params, "files_compression", worker_file_codecs(worker));
    }
    json_add_integer(params, "queue_bytes", session->limits.queue_bytes);
    json_add_integer(params, "spill_bytes", session->limits.spill_bytes);
    (void)worker_send_request(worker, REQUEST_PREPARE, "prepare", 0, params);
}

/* Steps. */

static json_object *step_inputs(const struct plan_step *step)
{
    json_object *inputs = json_object_new_object();

    for (size_t i = 0; i < step->input_count; i++) {
        json_object *value = json_object_new_object();
        json_add_integer(value, "edge", (int64_t)step->inputs[i].edge);
        json_add(inputs, step->inputs[i].name, value);
    }
    return inputs;
}

void session_send_step(struct session *session, size_t index)
{
    struct session_step *step = &session->steps[index];
    json_object *params = json_object_new_object();

    step->started_ns = clock_monotonic_ns();
    step->started_ms = clock_monotonic_ms();
    if (step->first_ms == 0)
        step->first_ms = step->started_ms;
    step->rows = step->bytes = 0;
    json_add_string(params, "step_id", step->id);
    json_add_string(params, "driver", step->plan->driver);
    json_add_string(params, "component", step->component);
    json_add_string(params, "verb", session->options->verb);
    json_add(params, "config", session_step_config(step));
    json_add(params, "inputs", step_inputs(step->plan));
    session_open_streams(session, index, params);
    (void)worker_send_request(step->worker, REQUEST_STEP, "execute_step", index, params);
}

/* Groups. */

/* The group's steps in this worker; NULL if there is none. */
static json_object *group_steps_here(const struct session_worker *worker, size_t group)
{
    const struct session *session = worker->place->session;
    const struct plan_group *steps = &session->plan->groups[group];
    json_object *here = NULL;

    for (size_t i = 0; i < steps->step_count; i++) {
        if (!worker_has_step(worker, steps->steps[i]))
            continue;
        if (here == NULL)
            here = json_object_new_array();
        json_append(here, json_string(session->steps[steps->steps[i]].id));
    }
    return here;
}

/* The step whose failure is the reason to abort the group, or NULL. */
static const char *cause_of_abort(const struct session *session, size_t group)
{
    const struct session_group *state = &session->groups[group];
    size_t failed = plan_find_step(session->plan, session->failure.step_id);

    if (state->cause.category != 0)
        return session->steps[state->cause_step].id;
    return failed != PLAN_NONE && session->plan->steps[failed].group == group ? session->failure.step_id : NULL;
}

/* One request to each worker that has steps of the group. When all have answered, session_settle moves the group on. */
static void send_to_group(struct session *session, size_t group, enum request_kind kind, const char *method,
                          const char *phase)
{
    struct session_group *state = &session->groups[group];

    state->pending = 0;
    state->refused = false;
    for (size_t i = 0; i < session->worker_count; i++) {
        json_object *step_ids = group_steps_here(&session->workers[i], group);
        if (step_ids == NULL)
            continue;
        json_object *params = json_object_new_object();
        json_add(params, "step_ids", step_ids);
        if (phase != NULL)
            json_add_string(params, "phase", phase);
        if (kind == REQUEST_ABORT)
            json_add_string(params, "because", cause_of_abort(session, group));
        if (worker_send_request(&session->workers[i], kind, method, group, params))
            state->pending++;
        else
            state->refused = true;
    }
}

bool session_group_has_phases(const struct session *session, size_t group)
{
    size_t count = 0;
    bool is_home = false;

    for (size_t i = 0; i < session->worker_count; i++) {
        if (!worker_has_group(&session->workers[i], group))
            continue;
        count++;
        is_home = is_home || session->workers[i].files_are_home;
    }
    return count > 1 || is_home;
}

void session_send_commit(struct session *session, size_t group)
{
    if (session_group_has_phases(session, group))
        send_to_group(session, group, REQUEST_PHASE_COMMIT, "commit", "commit");
    else
        send_to_group(session, group, REQUEST_COMMIT, "commit", NULL);
}

void session_send_publish(struct session *session, size_t group)
{
    send_to_group(session, group, REQUEST_PHASE_PUBLISH, "commit", "publish");
}

void session_send_abort(struct session *session, size_t group)
{
    struct session_group *state = &session->groups[group];

    if (state->cause.category != 0 && state->stop_ms == 0)
        state->stop_ms = clock_monotonic_ms() + session->limits.cancel_grace_ms;
    session_drop_streams(session, group);
    send_to_group(session, group, REQUEST_ABORT, "abort", NULL);
}

/* End, and heartbeats. */

void worker_send_cancel(struct session_worker *worker)
{
    (void)worker_send_request(worker, REQUEST_CANCEL, "cancel", 0, NULL);
}

void session_send_cancel(struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (session->workers[i].phase == WORKER_RUNNING)
            worker_send_cancel(&session->workers[i]);
}

void worker_send_cleanup(struct session_worker *worker)
{
    worker_begin_phase(worker, WORKER_CLEANING, worker->place->session->limits.exit_ms);
    (void)worker_send_request(worker, REQUEST_CLEANUP, "cleanup", 0, NULL);
}

void worker_send_heartbeat(struct session_worker *worker)
{
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_string(message, "type", "heartbeat");
    json_add(message, "data", json_object_new_object());
    worker_send(worker, message);
}
