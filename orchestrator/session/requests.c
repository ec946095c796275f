/* What the session asks of the worker; see state.h and docs/protocol.md. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/session/state.h"
#include "core/wire/batch.h"

static struct session_request *add_request(struct session_place *place)
{
    if (place->request_count == place->request_capacity) {
        size_t capacity = place->request_capacity == 0 ? 16 : place->request_capacity * 2;
        void *grown = reallocarray(place->requests, capacity, sizeof *place->requests);
        if (grown == NULL)
            return NULL;
        place->requests = grown;
        place->request_capacity = capacity;
    }
    return &place->requests[place->request_count++];
}

static void has_sent(struct session_place *place, int result, struct osiris_error *error)
{
    if (result == 0)
        place->last_sent_ms = clock_monotonic_ms();
    else
        place_break(place, error);
}

void place_send(struct session_place *place, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!place_is_there(place))
        return;
    int result = message == NULL ? osiris_error_set_errno(&error, ENOMEM, "cannot send a request")
                                 : channel_send(place->channel, message, false, &error);
    has_sent(place, result, &error);
}

/* All that is under way at a time is no more than the pipeline has: its configs once, which are bounded (orchestrator/compile/sizes.c), and a
 * few words for each step and group. */
static void send_asked(struct session_place *place, json_object *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!place_is_there(place))
        return;
    int result = channel_send_request(place->channel, message, &error);
    if (result < 0)
        osiris_error_prefix(&error, "%s", json_member_string(message, "method", "?"));
    has_sent(place, result, &error);
}

/* Takes `params`. */
static void send_request(struct session_place *place, enum request_kind kind, const char *method,
                         size_t index, json_object *params)
{
    char id[32];
    _cleanup_json_ json_object *message = json_object_new_object();
    struct session_request *request = add_request(place);

    if (request == NULL) {
        json_object_put(params);
        place_send(place, NULL);
        return;
    }
    *request = (struct session_request){
        .number = ++place->last_number, .kind = kind, .index = index};
    if (kind == REQUEST_COMMIT || kind == REQUEST_PHASE_COMMIT || kind == REQUEST_PHASE_PUBLISH)
        request->deadline_ms = clock_monotonic_ms() + place->session->limits.commit_ms;
    snprintf(id, sizeof id, "req_%llu", (unsigned long long)request->number);
    json_add_string(message, "id", id);
    json_add_string(message, "method", method);
    json_add(message, "params", params == NULL ? json_object_new_object() : params);
    send_asked(place, message);
}

struct session_request *place_find_request(struct session_place *place, const char *id)
{
    char expected[32];

    for (size_t i = 0; i < place->request_count; i++) {
        snprintf(expected, sizeof expected, "req_%llu",
                 (unsigned long long)place->requests[i].number);
        if (id != NULL && strcmp(id, expected) == 0)
            return &place->requests[i];
    }
    return NULL;
}

bool place_take_request(struct session_place *place, const char *id,
                        struct session_request *request)
{
    struct session_request *found = place_find_request(place, id);

    if (found == NULL)
        return false;
    *request = *found;
    *found = place->requests[--place->request_count];
    return true;
}

bool place_has_published(const struct session_place *place, size_t group)
{
    for (size_t i = 0; i < place->request_count; i++)
        if (place->requests[i].published && place->requests[i].index == group)
            return true;
    return false;
}

void place_send_hello(struct session_place *place)
{
    const struct session *session = place->session;
    json_object *params = json_object_new_object();

    json_add_integer(params, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_string(params, "version", session->options->version);
    json_add_integer(params, "heartbeat_interval_ms", session->limits.heartbeat_interval_ms);
    json_add_integer(params, "heartbeat_timeout_ms", session->limits.heartbeat_timeout_ms);
    json_add(params, "compression", wire_codecs());
    json_add_string(params, "session", place->session_id);
    json_add_string(params, "token", place->token);
    json_add_integer(params, "resume_timeout_ms",
                     adapter_thread_can_reconnect(place->adapter) ? session->limits.resume_ms : 0);
    send_request(place, REQUEST_HELLO, "hello", 0, params);
}

static bool sits_here(const struct session_place *place, size_t step)
{
    return &place->session->places[place->session->steps[step].place] == place;
}

static json_object *driver_files(const struct session_place *place)
{
    const struct session *session = place->session;
    json_object *drivers = json_object_new_object();

    for (size_t i = 0; i < session->step_count; i++) {
        const char *driver =
            json_member_string(schedule_step(session->schedule, i), "driver", "");
        const struct component *component =
            registry_find(session->options->registry, driver, NULL);
        if (component != NULL && sits_here(place, i))
            json_add_string(drivers, driver, component->file);
    }
    return drivers;
}

static json_object *shared(json_object *object)
{
    return object == NULL ? json_object_new_object() : json_object_get(object);
}

/* Connections of the place's own steps: nobody else's secrets travel there. */
static json_object *connections_here(const struct session_place *place)
{
    const struct session *session = place->session;
    json_object *all = session->options->compiled->connections;
    json_object *here = json_object_new_object();

    for (size_t i = 0; i < session->step_count; i++) {
        json_object *connection = json_member(all, session->steps[i].id);
        if (connection != NULL && sits_here(place, i))
            json_add(here, session->steps[i].id, json_object_get(connection));
    }
    return here;
}

static json_object *steps_here(const struct session_place *place)
{
    const struct session *session = place->session;
    json_object *here = json_object_new_array();

    for (size_t i = 0; i < session->step_count; i++)
        if (sits_here(place, i))
            json_append(here, json_string(session->steps[i].id));
    return here;
}

char *session_temp_dir(const struct session *session)
{
    const struct session_options *options = session->options;

    return memory_format("%s/tmp-%s", rundir_path(options->rundir), options->run_id);
}

void place_send_prepare(struct session_place *place)
{
    const struct session *session = place->session;
    const struct session_options *options = session->options;
    _cleanup_free_ char *temporary = session_temp_dir(session);
    json_object *params = json_object_new_object();

    json_add_string(params, "run_id", options->run_id);
    json_add(params, "plan", shared(options->compiled->plan));
    if (session->place_count > 1)
        json_add(params, "steps", steps_here(place));
    json_add(params, "drivers", driver_files(place));
    json_add(params, "connections", connections_here(place));
    json_add(params, "secrets", shared(options->compiled->secrets));
    json_add(params, "environment", shared(options->environment));
    json_add_string(params, "artifacts_dir", rundir_artifacts_path(options->rundir));
    json_add_string(params, "temp_dir", temporary);
    json_add_integer(params, "queue_bytes", session->limits.queue_bytes);
    json_add_integer(params, "spill_bytes", session->limits.spill_bytes);
    send_request(place, REQUEST_PREPARE, "prepare", 0, params);
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

void place_send_step(struct session_place *place, size_t index)
{
    struct session *session = place->session;
    struct session_step *step = &session->steps[index];
    json_object *plan_step = schedule_step(session->schedule, index);
    json_object *params = json_object_new_object();

    step->started_ns = clock_monotonic_ns();
    step->started_ms = clock_monotonic_ms();
    if (step->first_ms == 0)
        step->first_ms = step->started_ms;
    step->rows = step->bytes = 0;
    json_add_string(params, "step_id", step->id);
    json_add_string(params, "driver", json_member_string(plan_step, "driver", NULL));
    json_add_string(params, "component", step->component);
    json_add_string(params, "verb", session->options->verb);
    json_add(params, "config", session_step_config(session, step));
    json_add(params, "inputs", step_inputs(plan_step));
    session_open_streams(session, index, params);
    send_request(place, REQUEST_STEP, "execute_step", index, params);
}

/* The group's steps in this place; NULL if there is none. */
static json_object *group_steps_here(const struct session_place *place, size_t group)
{
    const struct session *session = place->session;
    json_object *here = NULL;

    for (size_t i = 0; i < session->step_count; i++) {
        if (schedule_step_group(session->schedule, i) != group || !sits_here(place, i))
            continue;
        if (here == NULL)
            here = json_object_new_array();
        json_append(here, json_string(session->steps[i].id));
    }
    return here;
}

/* The step that its group is aborted for, or NULL. */
static const char *stopped_by(const struct session *session, size_t group)
{
    const struct session_group *state = &session->groups[group];
    const char *failed = session->failure.step_id;
    size_t index = schedule_find_step(session->schedule, failed);

    if (state->failing)
        return session->steps[state->cause_step].id;
    return index != (size_t)-1 && schedule_step_group(session->schedule, index) == group ? failed
                                                                                         : NULL;
}

/* One request to each place that has steps of the group and can be talked to. */
static void send_to_group(struct session *session, size_t group, enum request_kind kind,
                          const char *method, const char *phase)
{
    struct session_group *state = &session->groups[group];
    bool missing = false;

    /* One more than are asked, so that a place that breaks at once does not end it early. */
    state->pending = 1;
    state->failed = false;
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        json_object *step_ids = group_steps_here(place, group);
        if (step_ids == NULL)
            continue;
        if (!place_is_there(place)) {
            json_object_put(step_ids);
            missing = true;
            continue;
        }
        json_object *params = json_object_new_object();
        json_add(params, "step_ids", step_ids);
        if (phase != NULL)
            json_add_string(params, "phase", phase);
        if (kind == REQUEST_ABORT)
            json_add_string(params, "because", stopped_by(session, group));
        state->pending++;
        send_request(place, kind, method, group, params);
    }
    session_group_answered(session, group, kind, missing);
}

static size_t count_group_places(const struct session *session, size_t group)
{
    size_t count = 0;

    for (size_t i = 0; i < session->place_count; i++) {
        json_object *step_ids = group_steps_here(&session->places[i], group);
        count += step_ids != NULL;
        json_object_put(step_ids);
    }
    return count;
}

void session_send_commit(struct session *session, size_t group)
{
    if (count_group_places(session, group) > 1)
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

    if (state->failing && state->stop_ms == 0)
        state->stop_ms = clock_monotonic_ms() + session->limits.cancel_grace_ms;
    session_drop_streams(session, group);
    send_to_group(session, group, REQUEST_ABORT, "abort", NULL);
}

void place_send_cancel(struct session_place *place)
{
    send_request(place, REQUEST_CANCEL, "cancel", 0, NULL);
}

void place_send_cleanup(struct session_place *place)
{
    send_request(place, REQUEST_CLEANUP, "cleanup", 0, NULL);
}

void place_send_heartbeat(struct session_place *place)
{
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_string(message, "type", "heartbeat");
    json_add(message, "data", json_object_new_object());
    place_send(place, message);
}
