/* What the worker tells the session; see session-state.h and docs/protocol.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/session-state.h"

void session_event(struct session *session, const char *event, json_object *fields)
{
    rundir_event(session->options->rundir, event, fields);
}

void session_log(struct session *session, int level, const char *source, const char *message)
{
    const struct session_options *options = session->options;

    rundir_log(options->rundir, level, source, message);
    if (options->observer == NULL || options->observer->log == NULL)
        return;
    _cleanup_free_ char *clean = redactor_text(options->redactor, message, strlen(message));
    if (clean != NULL)
        options->observer->log(options->observer_context, level, source, clean);
}

/* Steps. */

static const char *failed_status(const struct osiris_error *error)
{
    return error->category == OSIRIS_ERROR_CANCELLED ? "cancelled" : "failed";
}

static void record_step(struct session_step *step, const char *status, int64_t attempts,
                        double duration_ms)
{
    json_add_string(step->record, "status", status);
    json_add_integer(step->record, "rows", step->rows);
    json_add_integer(step->record, "bytes", step->bytes);
    json_add_number(step->record, "duration_ms", duration_ms);
    json_add_integer(step->record, "attempts", attempts);
    json_object_object_del(step->record, "error");
}

static json_object *step_fields(const struct session *session, const struct session_step *step)
{
    json_object *fields = json_object_new_object();
    json_object *plan_step = schedule_step(session->schedule, (size_t)(step - session->steps));

    json_add_string(fields, "step_id", step->id);
    json_add_string(fields, "driver", json_member_string(plan_step, "driver", NULL));
    return fields;
}

static json_object *step_tags(const struct session_step *step)
{
    json_object *tags = json_object_new_object();

    json_add_string(tags, "step", step->id);
    return tags;
}

/* Of a step that may run again only what its last attempt has counted is told. */
static void step_metric(struct session *session, struct session_step *step, const char *metric,
                        double value, const char *unit)
{
    size_t group = schedule_step_group(session->schedule, (size_t)(step - session->steps));

    if (!session->groups[group].may_repeat || schedule_is_stopping(session->schedule)) {
        rundir_metric(session->options->rundir, metric, value, unit, step_tags(step));
        return;
    }
    json_object *entry = json_object_new_object();
    json_add_string(entry, "metric", metric);
    json_add_number(entry, "value", value);
    json_add_string(entry, "unit", unit);
    if (step->metrics == NULL)
        step->metrics = json_object_new_array();
    json_append(step->metrics, entry);
}

void session_tell_metrics(struct session *session, struct session_step *step)
{
    for (size_t i = 0; i < json_array_count(step->metrics); i++) {
        json_object *entry = json_object_array_get_idx(step->metrics, i);
        rundir_metric(session->options->rundir, json_member_string(entry, "metric", ""),
                      json_member_number(entry, "value", 0),
                      json_member_string(entry, "unit", NULL), step_tags(step));
    }
    json_object_put(step->metrics);
    step->metrics = NULL;
}

const char *session_error_type(const struct osiris_error *error)
{
    return error->type != NULL ? error->type : osiris_error_category_name(error->category);
}

static void note_counts(struct session *session, struct session_step *step, json_object *result)
{
    static const char *const row_metrics[] = {"rows_read", "rows_written", "rows_processed"};
    json_object *metrics = json_member(result, "metrics");

    for (size_t i = 0; i < sizeof row_metrics / sizeof row_metrics[0]; i++) {
        int64_t rows = json_member_integer(metrics, row_metrics[i], -1);
        if (rows < 0)
            continue;
        step->rows = rows;
        step_metric(session, step, row_metrics[i], (double)rows, "rows");
    }
    step->bytes = json_member_integer(metrics, "bytes", step->bytes);
}

static void note_success(struct session *session, struct session_step *step, double duration_ms)
{
    json_object *fields = step_fields(session, step);

    json_add_integer(fields, "rows_processed", step->rows);
    json_add_number(fields, "duration_ms", duration_ms);
    session_event(session, "step_complete", fields);
    rundir_note(session->options->rundir, step->id, "complete: %lld rows, %lld bytes, %.1f ms",
                (long long)step->rows, (long long)step->bytes, duration_ms);
    session->result->steps_completed++;
}

static void note_failure(struct session *session, struct session_step *step,
                         const struct osiris_error *error)
{
    json_object *fields = step_fields(session, step);

    json_add_string(fields, "error", error->message);
    json_add_string(fields, "error_type", session_error_type(error));
    json_add(fields, "detail", osiris_error_to_json(error));
    session_event(session, "step_failed", fields);
    session_log(session,
                error->category == OSIRIS_ERROR_CANCELLED ? OSIRIS_INFO : OSIRIS_ERROR, step->id,
                error->message == NULL ? "failed" : error->message);
    json_add(step->record, "error", osiris_error_to_json(error));
}

void session_step_ended(struct session *session, size_t index, json_object *result,
                        const struct osiris_error *error)
{
    const struct session_observer *observer = session->options->observer;
    struct session_step *step = &session->steps[index];
    double duration_ms = (double)(clock_monotonic_ns() - step->started_ns) / 1e6;

    note_counts(session, step, result);
    if (json_member(result, "result") != NULL)
        json_add(step->record, "result", json_object_get(json_member(result, "result")));
    record_step(step, error == NULL ? "success" : failed_status(error),
                session->groups[schedule_step_group(session->schedule, index)].attempt,
                duration_ms);
    step_metric(session, step, "step_duration_ms", duration_ms, "ms");
    if (error == NULL)
        note_success(session, step, duration_ms);
    else
        note_failure(session, step, error);
    if (observer != NULL && observer->step_finished != NULL)
        observer->step_finished(session->options->observer_context, step->id, error, step->rows,
                                step->bytes, duration_ms);
}

/* Responses. */

static void shorten(const struct session *session, char **text)
{
    char *whole = *text;

    if (whole == NULL || strlen(whole) <= REDACT_TEXT_MAXIMUM)
        return;
    *text = redactor_short_text(session->options->redactor, whole);
    free(whole);
}

/* Of a worker, which may be anybody's: its texts are no longer than those that ours gives. */
static void read_error(const struct session *session, struct osiris_error *error, json_object *object)
{
    osiris_error_from_json(error, object);
    shorten(session, &error->native_state);
    shorten(session, &error->message);
    shorten(session, &error->hint);
    shorten(session, &error->option);
    shorten(session, &error->type);
    shorten(session, &error->step_id);
    shorten(session, &error->component);
}

static void answer_hello(struct session_place *place, json_object *result)
{
    struct session *session = place->session;
    json_object *fields = json_object_new_object();
    int64_t protocol = json_member_integer(result, "protocol", -1);
    char version[64];

    if (protocol != CHANNEL_PROTOCOL_VERSION) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        json_object_put(fields);
        osiris_error_set(&error, OSIRIS_ERROR_INTERNAL,
                         "the worker speaks protocol %lld, osiris speaks %d",
                         (long long)protocol, CHANNEL_PROTOCOL_VERSION);
        place_break(place, &error);
        return;
    }
    place->worker_pid = (int)json_member_integer(result, "pid", 0);
    json_add_integer(fields, "pid", place->worker_pid);
    snprintf(version, sizeof version, "%s", json_member_string(result, "version", ""));
    json_add_string(fields, "version", version);
    json_add_string(fields, "place", place->name);
    session_event(session, "worker_started", fields);
    rundir_note(session->options->rundir, "worker", "started in place %s: process %d, version %s",
                place->name, place->worker_pid, version[0] == '\0' ? "?" : version);
    place->codecs = json_object_get(json_member(result, "compression"));
    if (!json_member_boolean(result, "resume", false))
        channel_forbid_resumption(place->channel);
    place->phase = PLACE_PREPARING;
    place->phase_deadline_ms = clock_monotonic_ms() + session->limits.prepare_ms;
}

/* What the drivers say that they need of the system (x-runtime), each once. */
static json_object *requirements(const struct session *session, json_object *drivers)
{
    json_object *found = json_object_new_object();
    json_object *names = json_object_new_array();

    for (size_t i = 0; i < json_array_count(drivers); i++) {
        const char *name =
            json_member_string(json_object_array_get_idx(drivers, i), "driver", "");
        const struct component *component = registry_find(session->options->registry, name, NULL);
        json_object *kinds = component == NULL
                                 ? NULL
                                 : json_member(json_member(component->spec, "x-runtime"), "requirements");
        if (!json_object_is_type(kinds, json_type_object))
            continue;
        json_object_object_foreach(kinds, kind, list)
        {
            (void)kind;
            for (size_t j = 0; j < json_array_count(list); j++) {
                const char *text = json_object_get_string(json_object_array_get_idx(list, j));
                if (text != NULL)
                    json_add(found, text, NULL);
            }
        }
    }
    json_object_object_foreach(found, requirement, unused)
    {
        (void)unused;
        json_append(names, json_object_new_string(requirement));
    }
    json_object_put(found);
    return names;
}

/* A driver is loaded with all that it needs, or not at all. */
static void dependency_check(struct session_place *place, json_object *drivers)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", place->name);
    json_add(fields, "present", requirements(place->session, drivers));
    json_add(fields, "missing", json_object_new_array());
    session_event(place->session, "dependency_check", fields);
}

static void session_initialized(struct session_place *place, json_object *names)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "session_id", place->session->options->run_id);
    json_add_string(fields, "place", place->name);
    json_add(fields, "drivers_loaded", json_object_get(names));
    session_event(place->session, "session_initialized", fields);
}

static void answer_prepare(struct session_place *place, json_object *result)
{
    struct session *session = place->session;
    json_object *drivers = json_member(result, "drivers");
    json_object *names = json_object_new_array();
    json_object *fields = json_object_new_object();

    dependency_check(place, drivers);
    for (size_t i = 0; i < json_array_count(drivers); i++) {
        json_object *driver = json_object_array_get_idx(drivers, i);
        const char *name = json_member_string(driver, "driver", "");
        json_object *registered = json_object_new_object();
        json_add_string(registered, "driver", name);
        json_add_string(registered, "version", json_member_string(driver, "version", NULL));
        json_add_string(registered, "status", "success");
        session_event(session, "driver_registered", registered);
        json_append(names, json_object_new_string(name));
    }
    json_add_string(fields, "place", place->name);
    json_add(fields, "drivers", json_object_get(names));
    session_event(session, "drivers_registered", fields);
    session_initialized(place, names);
    rundir_note(session->options->rundir, "worker", "ready in place %s: %zu drivers are loaded",
                place->name, json_array_count(names));
    json_object_put(names);
    place->phase = PLACE_RUNNING;
    place->phase_deadline_ms = 0;
}

static void note_published(struct session *session, json_object *result)
{
    const struct session_options *options = session->options;
    json_object *published = json_member(result, "published");

    for (size_t i = 0; i < json_array_count(published); i++) {
        json_object *file = json_object_array_get_idx(published, i);
        const char *step_id = json_member_string(file, "step_id", "");
        const char *path = json_member_string(file, "path", "");
        int64_t bytes = json_member_integer(file, "bytes", 0);
        size_t step = schedule_find_step(session->schedule, step_id);
        json_object *fields = json_object_new_object();

        json_add_string(fields, "step_id", step_id);
        json_add_string(fields, "artifact_type", "output");
        json_add_string(fields, "path", path);
        json_add_integer(fields, "bytes", bytes);
        session_event(session, "artifact_created", fields);
        rundir_note(options->rundir, step_id, "published %s, %lld bytes", path, (long long)bytes);
        if (step != (size_t)-1) {
            json_object *record = session->steps[step].record;
            if (json_member(record, "published") == NULL)
                json_add(record, "published", json_object_new_array());
            json_append(json_member(record, "published"), json_object_get(file));
        }
        if (options->observer != NULL && options->observer->published != NULL)
            options->observer->published(options->observer_context, step_id, path, bytes);
    }
}

static void group_committed(struct session *session, size_t group, bool success)
{
    session_tell_group(session, group);
    schedule_group_committed(session->schedule, group, success);
}

void session_group_answered(struct session *session, size_t group, enum request_kind kind,
                            bool failed)
{
    struct session_group *state = &session->groups[group];

    state->failed = state->failed || failed;
    if (--state->pending > 0)
        return;
    if (kind == REQUEST_ABORT)
        schedule_group_aborted(session->schedule, group);
    else if (kind == REQUEST_PHASE_COMMIT && !state->failed)
        session_send_publish(session, group);
    else
        group_committed(session, group, !state->failed);
}

static bool is_about_group(enum request_kind kind)
{
    return kind == REQUEST_COMMIT || kind == REQUEST_PHASE_COMMIT ||
           kind == REQUEST_PHASE_PUBLISH || kind == REQUEST_ABORT;
}

void place_forget_requests(struct session_place *place)
{
    while (place->request_count > 0) {
        const struct session_request request = place->requests[--place->request_count];
        if (is_about_group(request.kind))
            session_group_answered(place->session, request.index, request.kind, !request.published);
    }
}

static void step_failed(struct session *session, size_t index, json_object *object)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    read_error(session, &error, object);
    session->steps[index].has_written = !json_member_boolean(object, "untouched", false);
    session_step_failed(session, index, &error);
}

static void step_has_run(struct session *session, size_t index, json_object *result)
{
    struct session_step *step = &session->steps[index];
    struct osiris_error error = OSIRIS_ERROR_INIT;

    step->has_written = true;
    if (step->overdue.category != 0) {
        session_step_failed(session, index, &error);
        return;
    }
    session_step_ended(session, index, result, NULL);
    session_end_streams(session, index);
    schedule_step_ended(session->schedule, index, true);
}

/* The worker does not say of which driver: of the first that it could not load. */
static void registration_failed(struct session_place *place, const struct osiris_error *error)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "driver", error->component);
    json_add_string(fields, "place", place->name);
    json_add_string(fields, "error", error->message);
    session_event(place->session, "driver_registration_failed", fields);
}

/* Cleanup is answered: nothing else that was asked of it will be. */
static void clean(struct session_place *place)
{
    place->phase = PLACE_ENDED;
    place_forget_requests(place);
}

static void answer_error(struct session_place *place, const struct session_request *request,
                         json_object *object)
{
    struct session *session = place->session;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    read_error(session, &error, object);
    switch (request->kind) {
    case REQUEST_STEP:
        step_failed(session, request->index, object);
        break;
    case REQUEST_COMMIT:
    case REQUEST_PHASE_COMMIT:
    case REQUEST_PHASE_PUBLISH:
    case REQUEST_ABORT:
        session_fail(session, &error);
        session_group_answered(session, request->index, request->kind, true);
        break;
    case REQUEST_CLEANUP:
        clean(place);
        if (schedule_succeeded(session->schedule))
            session_warn_of_end(place, &error);
        else
            session_fail(session, &error);
        break;
    case REQUEST_CANCEL:
        break;
    case REQUEST_HELLO:
    case REQUEST_PREPARE:
        if (request->kind == REQUEST_PREPARE)
            registration_failed(place, &error);
        /* Without these there is nothing to go on with; prepare has nothing to take back. */
        session_fail(session, &error);
        place_send_cleanup(place);
        if (place->phase == PLACE_BROKEN)
            break;
        place->phase = PLACE_CLEANING;
        place->phase_deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
        break;
    }
    osiris_error_clear(&error);
}

static void violation(struct session_place *place, const char *what)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "the worker violates the protocol: %s", what);
    place_break(place, &error);
}

/* Counts go into records and summaries as they are. */
static bool is_result_of_step(json_object *result)
{
    json_object *metrics = json_member(result, "metrics");

    if (strcmp(json_member_string(result, "status", ""), "success") != 0)
        return false;
    if (metrics == NULL)
        return true;
    if (!json_object_is_type(metrics, json_type_object))
        return false;
    json_object_object_foreach(metrics, name, value)
    {
        (void)name;
        if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
            json_object_get_int64(value) == INT64_MAX)
            return false;
    }
    return true;
}

static void answer(struct session_place *place, const struct session_request *request,
                   json_object *result)
{
    struct session *session = place->session;

    switch (request->kind) {
    case REQUEST_HELLO:
        answer_hello(place, result);
        break;
    case REQUEST_PREPARE:
        answer_prepare(place, result);
        break;
    case REQUEST_STEP:
        if (is_result_of_step(result))
            step_has_run(session, request->index, result);
        else
            violation(place, "a step's result is none");
        break;
    case REQUEST_COMMIT:
    case REQUEST_PHASE_PUBLISH:
        if (!request->published)
            note_published(session, result);
        session_group_answered(session, request->index, request->kind, false);
        break;
    case REQUEST_PHASE_COMMIT:
    case REQUEST_ABORT:
        session_group_answered(session, request->index, request->kind, false);
        break;
    case REQUEST_CANCEL:
        break;
    case REQUEST_CLEANUP:
        clean(place);
        break;
    }
}

static void handle_response(struct session_place *place, const char *id, json_object *message)
{
    struct session_request request;
    json_object *error_object = json_member(message, "error");
    json_object *result = json_member(message, "result");

    if (id == NULL || !place_take_request(place, id, &request)) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        osiris_error_set(&error, OSIRIS_ERROR_INTERNAL,
                         "the worker violates the protocol: it answered \"%.64s\", which was not asked",
                         id == NULL ? "" : id);
        place_break(place, &error);
        return;
    }
    if ((error_object == NULL) == (result == NULL) ||
        !json_object_is_type(result == NULL ? error_object : result, json_type_object)) {
        violation(place, "an answer has neither a result nor an error");
        return;
    }
    /* A greeting that failed ended the conversation; what was sent behind it is of no interest, but to places that wait
     * with this one for the end of a group. */
    if (place->phase == PLACE_CLEANING && request.kind != REQUEST_CLEANUP) {
        if (is_about_group(request.kind))
            session_group_answered(place->session, request.index, request.kind, true);
        return;
    }
    if (error_object != NULL)
        answer_error(place, &request, error_object);
    else
        answer(place, &request, result);
}

/* Everything else. */

static void note_progress(const struct session *session, struct session_step *step,
                          json_object *progress)
{
    const struct session_observer *observer = session->options->observer;
    int64_t rows = json_member_integer(progress, "rows", -1);
    int64_t bytes = json_member_integer(progress, "bytes", -1);

    step->rows = rows < 0 ? step->rows : rows;
    step->bytes = bytes < 0 ? step->bytes : bytes;
    if (observer != NULL && observer->step_progress != NULL)
        observer->step_progress(session->options->observer_context, step->id, step->rows,
                                step->bytes);
}

static void handle_heartbeat(struct session_place *place, json_object *data)
{
    struct session *session = place->session;
    json_object *steps = json_member(data, "steps");

    for (size_t i = 0; i < json_array_count(steps); i++) {
        json_object *progress = json_object_array_get_idx(steps, i);
        size_t index = schedule_find_step(session->schedule,
                                          json_member_string(progress, "step_id", NULL));
        if (index == (size_t)-1 || &session->places[session->steps[index].place] != place)
            continue;
        if (schedule_step_state(session->schedule, index) == STEP_REQUESTED)
            note_progress(session, &session->steps[index], progress);
        const char *function = json_member_string(progress, "function", NULL);
        if (function != NULL && !place_is_over(place))
            session_hear_of_function(place, index, function,
                                     json_member_integer(progress, "silent_ms", 0));
    }
}

/* Ahead of the answer to a commit: from here on nothing that happens to the worker takes the group's output back. */
static void handle_published(struct session_place *place, json_object *data)
{
    struct session_request *request =
        place_find_request(place, json_member_string(data, "id", NULL));

    if (request == NULL || request->published ||
        (request->kind != REQUEST_COMMIT && request->kind != REQUEST_PHASE_PUBLISH)) {
        place_break_with(place, OSIRIS_ERROR_INTERNAL,
                         "the peer violates the protocol: it published what was not asked for");
        return;
    }
    request->published = true;
    note_published(place->session, data);
}

/* The worker found fault with what it was sent, and is closing the channel. If that was a stream, its producer is left first: it
 * was its fault, and the reader's end follows from it. */
static void handle_error(struct session_place *place, json_object *data)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    read_error(place->session, &error, data);
    /* Which of its steps it is, is found out here. */
    free(error.step_id);
    free(error.component);
    error.step_id = error.component = NULL;
    session_blame_producer(place, json_member_integer(data, "stream", 0), &error);
    place->has_left = true;
    place_break(place, &error);
}

void place_handle(struct session_place *place, json_object *message, size_t body_length)
{
    const char *id = json_member_string(message, "id", NULL);
    const char *type = json_member_string(message, "type", "");
    json_object *data = json_member(message, "data");

    bool is_answer = json_object_object_get_ex(message, "id", NULL);

    if (!is_answer && place_pass_on(place, type, message, body_length))
        return;
    if (body_length > 0)
        violation(place, "a body comes where none may");
    else if (is_answer)
        handle_response(place, id, message);
    else if (strcmp(type, "event") == 0)
        place_take_event(place, data);
    else if (strcmp(type, "metric") == 0)
        place_take_metric(place, data);
    else if (strcmp(type, "log") == 0)
        place_take_log(place, data);
    else if (strcmp(type, "heartbeat") == 0)
        handle_heartbeat(place, data);
    else if (strcmp(type, "published") == 0)
        handle_published(place, data);
    else if (strcmp(type, "error") == 0)
        handle_error(place, data);
}
