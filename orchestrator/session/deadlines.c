/* What may take only so long: the run, attempts of steps, and stopping; see state.h. All times are this process's monotonic
 * clock, so that they mean the same wherever a step runs. */
#include "core/base/clock.h"
#include "orchestrator/oml/duration.h"
#include "orchestrator/session/state.h"

/* The run. */

void session_cancel_all(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase == PLACE_RUNNING)
            place_send_cancel(&session->places[i]);
}

bool session_run_is_late(const struct session *session)
{
    return session->run_deadline_ms != 0 && clock_monotonic_ms() >= session->run_deadline_ms;
}

static void check_run(struct session *session)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    char text[DURATION_TEXT_SIZE];

    if (session->timed_out || !session_run_is_late(session))
        return;
    session->timed_out = true;
    osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "the run did not end within its timeout of %s",
                     duration_text(session->options->timeout_ms, text));
    osiris_error_hint(&error, "--timeout sets it");
    session_cancel_adapters(session);
    session_fail(session, &error);
    session_cancel_all(session);
}

/* One that has ended where nobody waited for what it was at (orchestrator/adapter/guard.h): the run cannot end well any more. */
static void check_adapters(struct session *session)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (session->failure.category != 0 || adapter_guard_check(&error) == 0)
        return;
    session_fail(session, &error);
    session_cancel_all(session);
}

/* Steps. */

/* INT64_MAX: none. */
static int64_t step_deadline(const struct session *session, size_t index)
{
    const struct session_step *step = &session->steps[index];
    int64_t own = step->timeout_ms == 0 ? INT64_MAX : step->started_ms + step->timeout_ms;
    int64_t total =
        step->total_timeout_ms == 0 ? INT64_MAX : step->first_ms + step->total_timeout_ms;

    if (step->overdue.category != 0 || schedule_step_state(session->schedule, index) != STEP_REQUESTED)
        return INT64_MAX;
    return own < total ? own : total;
}

static void step_is_late(struct session *session, size_t index, int64_t now)
{
    const struct session_step *step = &session->steps[index];
    bool own = step->timeout_ms > 0 && now >= step->started_ms + step->timeout_ms;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    char text[DURATION_TEXT_SIZE];

    osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "it did not end within its timeout of %s%s",
                     duration_text(own ? step->timeout_ms : step->total_timeout_ms, text),
                     own ? "" : " in all");
    error.retryable = true;
    session_step_overdue(session, index, &error);
}

/* Groups that are to stop. */

static bool owes_answers(const struct session_place *place, size_t group)
{
    const struct session *session = place->session;

    for (size_t i = 0; i < place->request_count; i++) {
        const struct session_request *request = &place->requests[i];
        if ((request->kind == REQUEST_ABORT && request->index == group) ||
            (request->kind == REQUEST_STEP &&
             schedule_step_group(session->schedule, request->index) == group))
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
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        if (place_is_over(place) || !owes_answers(place, index))
            continue;
        session_log(session, OSIRIS_WARNING, "worker",
                    "a step does not stop within the grace time; its worker is killed");
        place_kill(place);
        place_break_with(place, OSIRIS_ERROR_TIMEOUT, "it did not stop in time and was killed");
    }
}

/* All. */

void session_break_all(struct session *session, int category, const char *message)
{
    for (size_t i = 0; i < session->place_count; i++) {
        if (place_is_over(&session->places[i]))
            continue;
        place_kill(&session->places[i]);
        place_break_with(&session->places[i], category, message);
    }
}

void session_check_deadlines(struct session *session)
{
    session_make_up_for_pause(session);
    int64_t now = clock_monotonic_ms();

    if (session->grace_deadline_ms != 0 && now >= session->grace_deadline_ms) {
        session_log(session, OSIRIS_WARNING, "worker",
                    "the worker does not stop within its grace time; it is killed");
        session_break_all(session, OSIRIS_ERROR_TIMEOUT, "it did not stop in time and was killed");
    }
    check_run(session);
    check_adapters(session);
    for (size_t i = 0; i < session->step_count; i++)
        if (now >= step_deadline(session, i))
            step_is_late(session, i, now);
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++)
        check_group(session, i, now);
    session_check_streams(session, now);
    for (size_t i = 0; i < session->place_count; i++)
        place_check_deadlines(&session->places[i]);
}

int64_t session_next_deadline(const struct session *session)
{
    int64_t next = clock_earlier(session_next_resumption(session), session_next_stream_end(session));

    if (session->grace_deadline_ms != 0)
        next = clock_earlier(next, session->grace_deadline_ms);
    if (session->run_deadline_ms != 0 && !session->timed_out)
        next = clock_earlier(next, session->run_deadline_ms);
    for (size_t i = 0; i < session->step_count; i++)
        next = clock_earlier(next, step_deadline(session, i));
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++)
        if (session->groups[i].stop_ms != 0)
            next = clock_earlier(next, session->groups[i].stop_ms);
    for (size_t i = 0; i < session->place_count; i++)
        next = clock_earlier(next, place_next_deadline(&session->places[i]));
    return next;
}
