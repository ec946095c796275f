/* The state of a worker; see worker.h. */
#include "orchestrator/session/worker.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"

bool worker_is_reachable(const struct session_worker *worker)
{
    return worker->phase >= WORKER_GREETING && worker->phase <= WORKER_CLEANING;
}

bool worker_is_over(const struct session_worker *worker)
{
    return worker->phase == WORKER_ENDED || worker->phase == WORKER_LOST;
}

bool worker_has_step(const struct session_worker *worker, size_t step)
{
    return worker->place->session->steps[step].worker == worker;
}

bool worker_has_group(const struct session_worker *worker, size_t group)
{
    const struct plan_group *steps = &worker->place->session->plan->groups[group];

    for (size_t i = 0; i < steps->step_count; i++)
        if (worker_has_step(worker, steps->steps[i]))
            return true;
    return false;
}

void worker_begin_phase(struct session_worker *worker, enum worker_phase phase, int64_t bound_ms)
{
    worker->phase = phase;
    worker->phase_bound_ms = bound_ms;
    worker->phase_deadline_ms = clock_monotonic_ms() + bound_ms;
    worker->heard_in_phase = worker->phase_was_extended = false;
}

/* Sends the reason to a peer that has violated the protocol, if it can be sent at once. */
static void send_reason(struct session_worker *worker)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    bool end;

    if (!worker->failure.violation)
        return;
    json_add_string(message, "type", "error");
    json_add(message, "data", osiris_error_to_json(&worker->failure));
    if (channel_send(worker->channel, message, false, NULL) == 0)
        (void)channel_pump(worker->channel, &end, NULL);
}

static void hold_groups(const struct session_worker *worker)
{
    struct session *session = worker->place->session;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (worker_has_group(worker, i))
            schedule_hold_group(session->schedule, i);
}

void worker_fail(struct session_worker *worker, struct osiris_error *error)
{
    struct session *session = worker->place->session;

    if (worker_is_over(worker) || worker->phase == WORKER_FAILED) {
        osiris_error_clear(error);
        return;
    }
    worker->phase = WORKER_FAILED;
    worker->failure_number = ++session->last_failure;
    /* Errors about streams contain column names, which are text from outside. What an adapter reports is masked where it comes in, and
     * is framed with names since, which must not be. */
    if (!worker->never_started)
        redactor_error(session->options->redactor, error);
    osiris_error_move(&worker->failure, error);
    if (worker->channel != NULL) {
        send_reason(worker);
        channel_shutdown(worker->channel);
    }
    hold_groups(worker);
}

void worker_fail_with(struct session_worker *worker, int category, const char *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, category, "%s", message);
    worker_fail(worker, &error);
}

void worker_fail_violation(struct session_worker *worker, const char *what)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set_violation(&error, "%s", what);
    worker_fail(worker, &error);
}

void worker_fail_to_start(struct session_worker *worker, struct osiris_error *error)
{
    worker->never_started = true;
    worker_fail(worker, error);
}

void worker_kill(struct session_worker *worker)
{
    worker->killed = true;
    if (worker->place->adapter != NULL)
        adapter_thread_terminate(worker->place->adapter, OSIRIS_TERMINATE_KILL);
}

struct session_request *worker_find_request(struct session_worker *worker, const char *id)
{
    char expected[32];

    for (size_t i = 0; i < worker->request_count; i++) {
        snprintf(expected, sizeof expected, "req_%llu", (unsigned long long)worker->requests[i].number);
        if (id != NULL && strcmp(id, expected) == 0)
            return &worker->requests[i];
    }
    return NULL;
}

bool worker_is_published(const struct session_worker *worker, const struct session_request *request)
{
    return request->published || (request->kind == REQUEST_PHASE_PUBLISH && worker->files_are_home);
}

bool worker_has_published(const struct session_worker *worker, size_t group)
{
    for (size_t i = 0; i < worker->request_count; i++)
        if (worker_is_published(worker, &worker->requests[i]) && worker->requests[i].index == group)
            return true;
    return false;
}
