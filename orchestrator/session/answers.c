/* Answers of workers to requests; see answers.h and docs/protocol.md. */
#include "orchestrator/session/answers.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/errors.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/losses.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/steps.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

static void answer_hello(struct session_worker *worker, json_object *result)
{
    struct session *session = worker->place->session;
    json_object *fields = json_object_new_object();
    int64_t protocol = json_member_integer(result, "protocol", -1);
    char version[64];

    if (protocol != CHANNEL_PROTOCOL_VERSION) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        json_object_put(fields);
        osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "the worker speaks protocol %lld, osiris speaks %d",
                         (long long)protocol, CHANNEL_PROTOCOL_VERSION);
        worker_fail(worker, &error);
        return;
    }
    worker->pid = (int)json_member_integer(result, "pid", 0);
    json_add_integer(fields, "pid", worker->pid);
    snprintf(version, sizeof version, "%s", json_member_string(result, "version", ""));
    json_add_string(fields, "version", version);
    json_add_string(fields, "place", worker->place->name);
    session_event(session, EVENT_WORKER_STARTED, fields);
    rundir_note(session->options->rundir, "worker", "started in place %s: process %d, version %s", worker->place->name,
                worker->pid, version[0] == '\0' ? "?" : version);
    worker->codecs = json_object_get(json_member(result, "compression"));
    if (!json_member_boolean(result, "resume", false))
        channel_forbid_resumption(worker->channel);
    worker_begin_phase(worker, WORKER_PREPARING, session->limits.prepare_ms);
}

/* The system requirements that the drivers declare (x-runtime), without duplicates. */
static json_object *requirements(const struct session *session, json_object *drivers)
{
    json_object *found = json_object_new_object();
    json_object *names = json_object_new_array();

    for (size_t i = 0; i < json_array_count(drivers); i++) {
        const char *name = json_member_string(json_object_array_get_idx(drivers, i), "driver", "");
        const struct component *component = registry_find(session->options->registry, name, NULL);
        json_object *kinds =
            component == NULL ? NULL : json_member(json_member(component->spec, "x-runtime"), "requirements");
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
        json_append(names, json_string(requirement));
    }
    json_object_put(found);
    return names;
}

/* A loaded driver has everything that it needs, so nothing is ever missing here. */
static void dependency_check(struct session_worker *worker, json_object *drivers)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", worker->place->name);
    json_add(fields, "present", requirements(worker->place->session, drivers));
    json_add(fields, "missing", json_object_new_array());
    session_event(worker->place->session, EVENT_DEPENDENCY_CHECK, fields);
}

static void session_initialized(struct session_worker *worker, json_object *names)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "session_id", worker->place->session->options->run_id);
    json_add_string(fields, "place", worker->place->name);
    json_add(fields, "drivers_loaded", json_object_get(names));
    session_event(worker->place->session, EVENT_SESSION_INITIALIZED, fields);
}

/* It would look for the pipeline's files in its place. */
static bool is_too_old(struct session_worker *worker, json_object *result)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!worker->files_are_home || strcmp(json_member_string(result, "files", ""), "home") == 0)
        return false;
    osiris_error_set(&error, OSIRIS_ERROR_CONFIG,
                     "the worker in place %s is too old: it cannot use files that are not in its place", worker->place->name);
    osiris_error_hint(&error, "use the osiris-worker of this version there");
    worker_fail(worker, &error);
    return true;
}

static void answer_prepare(struct session_worker *worker, json_object *result)
{
    struct session *session = worker->place->session;
    json_object *drivers = json_member(result, "drivers");
    json_object *names = json_object_new_array();
    json_object *fields = json_object_new_object();

    if (is_too_old(worker, result)) {
        json_object_put(names);
        json_object_put(fields);
        return;
    }
    dependency_check(worker, drivers);
    for (size_t i = 0; i < json_array_count(drivers); i++) {
        json_object *driver = json_object_array_get_idx(drivers, i);
        const char *name = json_member_string(driver, "driver", "");
        json_object *registered = json_object_new_object();
        json_add_string(registered, "driver", name);
        json_add_string(registered, "version", json_member_string(driver, "version", NULL));
        json_add_string(registered, "status", "success");
        session_event(session, EVENT_DRIVER_REGISTERED, registered);
        json_append(names, json_string(name));
    }
    json_add_string(fields, "place", worker->place->name);
    json_add(fields, "drivers", json_object_get(names));
    session_event(session, EVENT_DRIVERS_REGISTERED, fields);
    session_initialized(worker, names);
    rundir_note(session->options->rundir, "worker", "ready in place %s: %zu driver%s loaded", worker->place->name,
                json_array_count(names), json_array_count(names) == 1 ? "" : "s");
    json_object_put(names);
    worker->phase = WORKER_RUNNING;
    worker->phase_deadline_ms = 0;
}

void session_note_published(struct session *session, json_object *result)
{
    const struct session_options *options = session->options;
    json_object *published = json_member(result, "published");

    for (size_t i = 0; i < json_array_count(published); i++) {
        json_object *file = json_object_array_get_idx(published, i);
        const char *step_id = json_member_string(file, "step_id", "");
        const char *path = json_member_string(file, "path", "");
        int64_t bytes = json_member_integer(file, "bytes", 0);
        size_t step = plan_find_step(session->plan, step_id);
        json_object *fields = json_object_new_object();

        json_add_string(fields, "step_id", step_id);
        json_add_string(fields, "artifact_type", "output");
        json_add_string(fields, "path", path);
        json_add_integer(fields, "bytes", bytes);
        session_event(session, EVENT_ARTIFACT_CREATED, fields);
        rundir_note(options->rundir, step_id, "published %s, %lld byte%s", path, (long long)bytes, bytes == 1 ? "" : "s");
        if (step != PLAN_NONE) {
            json_object *record = session->steps[step].record;
            if (json_member(record, "published") == NULL)
                json_add(record, "published", json_object_new_array());
            json_append(json_member(record, "published"), json_object_get(file));
        }
        if (options->observer != NULL && options->observer->published != NULL)
            options->observer->published(options->observer_context, step_id, path, bytes);
    }
}

static void group_answered(struct session *session, size_t group, bool failed)
{
    struct session_group *state = &session->groups[group];

    state->pending--;
    state->refused = state->refused || failed;
}

static bool is_about_group(enum request_kind kind)
{
    return kind == REQUEST_COMMIT || kind == REQUEST_PHASE_COMMIT || kind == REQUEST_PHASE_PUBLISH ||
           kind == REQUEST_ABORT;
}

void worker_drop_requests(struct session_worker *worker)
{
    while (worker->request_count > 0) {
        const struct session_request request = worker->requests[--worker->request_count];
        if (is_about_group(request.kind))
            group_answered(worker->place->session, request.index, !worker_is_published(worker, &request));
    }
}

static void step_failed(struct session *session, size_t index, json_object *object)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    session_read_error(session, &error, object);
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

/* The error is about the first driver that the worker could not load. */
static void registration_failed(struct session_worker *worker, const struct osiris_error *error)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "driver", error->component);
    json_add_string(fields, "place", worker->place->name);
    json_add_string(fields, "error", error->message);
    session_event(worker->place->session, EVENT_DRIVER_REGISTRATION_FAILED, fields);
}

/* The worker has answered cleanup: it will not answer any earlier request. */
static void finish_cleanup(struct session_worker *worker)
{
    worker->phase = WORKER_ENDED;
    worker_drop_requests(worker);
}

static void answer_error(struct session_worker *worker, const struct session_request *request, json_object *object)
{
    struct session *session = worker->place->session;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    session_read_error(session, &error, object);
    switch (request->kind) {
    case REQUEST_STEP:
        step_failed(session, request->index, object);
        break;
    case REQUEST_COMMIT:
    case REQUEST_PHASE_COMMIT:
    case REQUEST_PHASE_PUBLISH:
    case REQUEST_ABORT:
        if (worker_is_published(worker, request))
            session_warn_late_failure(worker, &error);
        else
            session_fail(session, &error);
        group_answered(session, request->index, !worker_is_published(worker, request));
        break;
    case REQUEST_CLEANUP:
        finish_cleanup(worker);
        if (schedule_succeeded(session->schedule))
            session_warn_late_failure(worker, &error);
        else
            session_fail(session, &error);
        break;
    case REQUEST_CANCEL:
        break;
    case REQUEST_HELLO:
    case REQUEST_PREPARE:
        if (request->kind == REQUEST_PREPARE)
            registration_failed(worker, &error);
        /* Without these two the session cannot continue. There is nothing to abort. */
        session_fail(session, &error);
        worker_send_cleanup(worker);
        break;
    }
    osiris_error_clear(&error);
}

/* Counts are copied into records and summaries unchanged, so they are checked here. */
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

static void answer(struct session_worker *worker, const struct session_request *request, json_object *result)
{
    struct session *session = worker->place->session;

    switch (request->kind) {
    case REQUEST_HELLO:
        answer_hello(worker, result);
        break;
    case REQUEST_PREPARE:
        answer_prepare(worker, result);
        break;
    case REQUEST_STEP:
        if (is_result_of_step(result))
            step_has_run(session, request->index, result);
        else
            worker_fail_violation(worker, "a step's result is malformed");
        break;
    case REQUEST_COMMIT:
    case REQUEST_PHASE_PUBLISH:
        if (!request->published)
            session_note_published(session, result);
        group_answered(session, request->index, false);
        break;
    case REQUEST_PHASE_COMMIT:
    case REQUEST_ABORT:
        group_answered(session, request->index, false);
        break;
    case REQUEST_CANCEL:
        break;
    case REQUEST_CLEANUP:
        finish_cleanup(worker);
        break;
    }
}

static bool take_request(struct session_worker *worker, const char *id, struct session_request *request)
{
    struct session_request *found = worker_find_request(worker, id);

    if (found == NULL)
        return false;
    *request = *found;
    *found = worker->requests[--worker->request_count];
    return true;
}

void worker_handle_answer(struct session_worker *worker, const char *id, json_object *message)
{
    struct session_request request;
    json_object *error_object = json_member(message, "error");
    json_object *result = json_member(message, "result");

    if (id == NULL || !take_request(worker, id, &request)) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        osiris_error_set_violation(&error, "it answered the request \"%.64s\", which was not sent",
                         id == NULL ? "" : id);
        worker_fail(worker, &error);
        return;
    }
    if ((error_object == NULL) == (result == NULL) ||
        !json_object_is_type(result == NULL ? error_object : result, json_type_object)) {
        worker_fail_violation(worker, "an answer must have either a result or an error");
        return;
    }
    /* During cleanup other answers no longer matter, except to a group whose other workers are waiting for this one. */
    if (worker->phase == WORKER_CLEANING && request.kind != REQUEST_CLEANUP) {
        if (is_about_group(request.kind))
            group_answered(worker->place->session, request.index, true);
        return;
    }
    if (error_object != NULL)
        answer_error(worker, &request, error_object);
    else
        answer(worker, &request, result);
}
