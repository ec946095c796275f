/* Timeouts; see deadlines.h. */
#include "orchestrator/session/deadlines.h"

#include "core/base/clock.h"
#include "orchestrator/adapter/guard.h"
#include "orchestrator/oml/duration.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/link.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/pause.h"
#include "orchestrator/session/place.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

/* The run. */

static void check_run(struct session *session, int64_t now)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    char text[DURATION_TEXT_SIZE];

    if (session->timed_out || session->run_deadline_ms == 0 || now < session->run_deadline_ms)
        return;
    session->timed_out = true;
    if (session->phase >= SESSION_ENDING) {
        session_hurry_adapters(session, session->limits.cancel_grace_ms);
        return;
    }
    osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "the run did not end within its timeout of %s",
                     duration_text(session->options->timeout_ms, text));
    osiris_error_hint(&error, "--timeout sets it");
    session_cancel_adapters(session);
    session_fail(session, &error);
    session_send_cancel(session);
}

/* An adapter may end while nothing waits for its call (orchestrator/adapter/guard.h). The run has failed then. */
static void check_adapters(struct session *session)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (session->failure.category != 0 || adapter_guard_check(&error) == 0)
        return;
    session_fail(session, &error);
    session_send_cancel(session);
}

/* Steps. */

/* INT64_MAX: it has none. */
static int64_t step_deadline(const struct session *session, size_t index)
{
    const struct session_step *step = &session->steps[index];
    int64_t own = step->plan->timeout_ms == 0 ? INT64_MAX : step->started_ms + step->plan->timeout_ms;
    int64_t total =
        step->plan->total_timeout_ms == 0 ? INT64_MAX : step->first_ms + step->plan->total_timeout_ms;

    if (step->overdue.category != 0 || schedule_step_state(session->schedule, index) != STEP_REQUESTED)
        return INT64_MAX;
    return own < total ? own : total;
}

static void fail_late_step(struct session *session, size_t index, int64_t now)
{
    const struct session_step *step = &session->steps[index];
    bool own = step->plan->timeout_ms > 0 && now >= step->started_ms + step->plan->timeout_ms;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    char text[DURATION_TEXT_SIZE];

    osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "it did not end within its %stimeout of %s",
                     own ? "" : "total ",
                     duration_text(own ? step->plan->timeout_ms : step->plan->total_timeout_ms, text));
    error.retryable = true;
    session_step_timed_out(session, index, &error);
}

/* Groups that have been requested to stop. */

static bool owes_answers(const struct session_worker *worker, size_t group)
{
    const struct session *session = worker->place->session;

    for (size_t i = 0; i < worker->request_count; i++) {
        const struct session_request *request = &worker->requests[i];
        if ((request->kind == REQUEST_ABORT && request->index == group) ||
            (request->kind == REQUEST_STEP && session->plan->steps[request->index].group == group))
            return true;
    }
    return false;
}

static void check_group(struct session *session, size_t index, int64_t now)
{
    struct session_group *group = &session->groups[index];

    if (group->stop_ms == 0 || now < group->stop_ms)
        return;
    group->stop_ms = 0;
    for (size_t i = 0; i < session->worker_count; i++) {
        struct session_worker *worker = &session->workers[i];
        if (!worker_is_reachable(worker) || !owes_answers(worker, index))
            continue;
        session_log(session, OSIRIS_WARNING, "worker",
                    "a step did not stop within the grace period; its worker is killed");
        worker_kill(worker);
        worker_fail_with(worker, OSIRIS_ERROR_TIMEOUT, "it did not stop in time and was killed");
    }
}

/* Everything. */

void session_fail_workers(struct session *session, int category, const char *message)
{
    for (size_t i = 0; i < session->worker_count; i++) {
        struct session_worker *worker = &session->workers[i];
        if (worker_is_over(worker) || worker->phase == WORKER_FAILED)
            continue;
        worker_kill(worker);
        worker_fail_with(worker, category, message);
    }
}

static bool any_is_running(const struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (!worker_is_over(&session->workers[i]) && session->workers[i].phase != WORKER_FAILED)
            return true;
    return false;
}

static void check_grace(struct session *session, int64_t now)
{
    if (session->grace_deadline_ms == 0 || now < session->grace_deadline_ms)
        return;
    session->grace_deadline_ms = 0;
    if (!any_is_running(session))
        return;
    session_log(session, OSIRIS_WARNING, "worker",
                "the worker did not stop within its grace period; it is killed");
    session_fail_workers(session, OSIRIS_ERROR_TIMEOUT, "it did not stop in time and was killed");
}

void session_check_deadlines(struct session *session)
{
    session_extend_for_pause(session);
    int64_t now = clock_monotonic_ms();

    check_grace(session, now);
    check_run(session, now);
    check_adapters(session);
    for (size_t i = 0; i < session->plan->step_count; i++)
        if (now >= step_deadline(session, i))
            fail_late_step(session, i, now);
    for (size_t i = 0; i < session->plan->group_count; i++)
        check_group(session, i, now);
    session_check_streams(session, now);
    session_check_home(session, now);
    for (size_t i = 0; i < session->worker_count; i++)
        worker_check_deadlines(&session->workers[i]);
    for (size_t i = 0; i < session->place_count; i++)
        place_check_deadline(&session->places[i], now);
}

int64_t session_next_deadline(const struct session *session)
{
    int64_t next = clock_earlier(session_next_stream_end(session), session_next_home_deadline(session));

    if (session->grace_deadline_ms != 0)
        next = clock_earlier(next, session->grace_deadline_ms);
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].deadline_ms != 0)
            next = clock_earlier(next, session->places[i].deadline_ms);
    if (session->run_deadline_ms != 0 && !session->timed_out)
        next = clock_earlier(next, session->run_deadline_ms);
    for (size_t i = 0; i < session->plan->step_count; i++)
        next = clock_earlier(next, step_deadline(session, i));
    for (size_t i = 0; i < session->plan->group_count; i++)
        if (session->groups[i].stop_ms != 0)
            next = clock_earlier(next, session->groups[i].stop_ms);
    for (size_t i = 0; i < session->worker_count; i++)
        next = clock_earlier(next, worker_next_deadline(&session->workers[i]));
    return next;
}
