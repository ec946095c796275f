/* Consequences of a lost worker for its groups; see losses.h. */
#include "orchestrator/session/losses.h"

#include <string.h>

#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/worker.h"

enum loss { LOST_NOTHING, LOSS_HANDLED, LOSS_FATAL };

/* Running groups. */

/* Of the group's steps in the worker that run or have run, or if there is none of all of them: the one that is known to have ended
 * it, or else the first that allows another attempt, or else the first. */
static size_t step_to_blame(const struct session_worker *worker, size_t group, bool requested, const struct osiris_error *error)
{
    const struct session *session = worker->place->session;
    const struct plan_group *steps = &session->plan->groups[group];
    size_t blamed = PLAN_NONE;

    for (size_t i = 0; i < steps->step_count; i++) {
        size_t step = steps->steps[i];
        enum step_state state = schedule_step_state(session->schedule, step);
        if (!worker_has_step(worker, step) || (requested && state != STEP_REQUESTED && state != STEP_RAN))
            continue;
        if (error->step_id != NULL && strcmp(error->step_id, session->steps[step].id) == 0)
            return step;
        if (blamed == PLAN_NONE ||
            (session_step_allows(session, step, error) && !session_step_allows(session, blamed, error)))
            blamed = step;
    }
    return blamed;
}

static void lose_step(struct session *session, size_t index, const struct osiris_error *error)
{
    struct osiris_error own = OSIRIS_ERROR_INIT;

    session->steps[index].has_written = true; /* unknown, so assumed */
    osiris_error_copy(&own, error);
    session_step_failed(session, index, &own);
    osiris_error_clear(&own);
}

static void lose_steps(const struct session_worker *worker, size_t group, const struct osiris_error *error)
{
    struct session *session = worker->place->session;
    const struct plan_group *steps = &session->plan->groups[group];

    for (size_t i = 0; i < steps->step_count; i++)
        if (worker_has_step(worker, steps->steps[i]) &&
            schedule_step_state(session->schedule, steps->steps[i]) == STEP_REQUESTED)
            lose_step(session, steps->steps[i], error);
}

static enum loss lose_running_group(struct session_worker *worker, size_t group, const struct osiris_error *error)
{
    struct session *session = worker->place->session;
    size_t blamed = step_to_blame(worker, group, true, error);
    enum group_state state = schedule_group_state(session->schedule, group);
    bool handled = true;

    if (state == GROUP_WAITING || state == GROUP_COMMITTED || state == GROUP_FAILED ||
        !schedule_group_has_begun(session->schedule, group))
        return LOST_NOTHING;
    /* It has begun elsewhere, and its streams lead here. */
    if (blamed == PLAN_NONE)
        blamed = step_to_blame(worker, group, false, error);
    if (schedule_step_state(session->schedule, blamed) == STEP_REQUESTED)
        lose_step(session, blamed, error);
    else if (session->groups[group].cause.category == 0)
        handled = session_start_retry(session, blamed, error);
    lose_steps(worker, group, error);
    return handled ? LOSS_HANDLED : LOSS_FATAL;
}

/* Paused groups, and groups that are being committed. */

/* The group was waiting for its next attempt, which counts as failed before it has started. */
static enum loss lose_paused_group(struct session_worker *worker, size_t number, const struct osiris_error *error)
{
    struct session *session = worker->place->session;
    struct session_group *group = &session->groups[number];
    int64_t *restart_ms = &worker->place->restart_ms;

    if (!session_step_allows(session, group->cause_step, error))
        return LOSS_FATAL;
    session_set_cause(session, group->cause_step, error);
    session_schedule_retry(session, number);
    if (*restart_ms == 0 || *restart_ms > group->resume_ms)
        *restart_ms = group->resume_ms;
    return LOSS_HANDLED;
}

void session_warn_late_failure(struct session_worker *worker, const struct osiris_error *error)
{
    struct session *session = worker->place->session;
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", worker->place->name);
    json_add(fields, "detail", osiris_error_to_json(error));
    session_event(session, EVENT_CLOSE_FAILED, fields);
    _cleanup_free_ char *text = memory_format("%s; the output had been published before%s%s",
                                              error->message, error->hint == NULL ? "" : "; ", error->hint == NULL ? "" : error->hint);
    session_log(session, OSIRIS_WARNING, "worker", text);
}

static bool owes_answer(const struct session_worker *worker, size_t group)
{
    for (size_t i = 0; i < worker->request_count; i++) {
        enum request_kind kind = worker->requests[i].kind;
        if ((kind == REQUEST_COMMIT || kind == REQUEST_PHASE_PUBLISH) && worker->requests[i].index == group)
            return true;
    }
    return false;
}

/* The group can no longer be retried. */
static enum loss lose_committing_group(struct session_worker *worker, size_t group, struct osiris_error *error)
{
    struct session *session = worker->place->session;
    bool publishing = schedule_group_state(session->schedule, group) == GROUP_PUBLISHING;

    if (worker_has_published(worker, group) || (publishing && !owes_answer(worker, group))) {
        session_warn_late_failure(worker, error);
        return LOSS_HANDLED;
    }
    /* What the worker has committed is not published either. */
    session->groups[group].refused = true;
    /* The output may have been published already, so it is not repeated. An earlier failure of the run is kept; this one is only logged. */
    error->retryable = false;
    if (session->failure.category != 0)
        session_log(session, OSIRIS_WARNING, "worker", error->message);
    return LOSS_FATAL;
}

static enum loss lose_group(struct session_worker *worker, size_t group, struct osiris_error *error)
{
    if (!worker_has_group(worker, group))
        return LOST_NOTHING;
    switch (schedule_group_state(worker->place->session->schedule, group)) {
    case GROUP_PAUSED:
        return lose_paused_group(worker, group, error);
    case GROUP_COMMITTING:
    case GROUP_PUBLISHING:
        return lose_committing_group(worker, group, error);
    default:
        return lose_running_group(worker, group, error);
    }
}

/* Waiting groups. */

/* No group had started in this worker. The waiting ones get another worker if one of their steps may be repeated. That counts as an
 * attempt, so a place whose workers keep dying is abandoned in the end. */
static bool lose_waiting_groups(struct session_worker *worker, const struct osiris_error *error)
{
    struct session *session = worker->place->session;
    size_t cause = PLAN_NONE;

    for (size_t i = 0; i < session->plan->step_count; i++) {
        enum group_state state = schedule_group_state(session->schedule, session->plan->steps[i].group);
        bool waits = state == GROUP_WAITING || state == GROUP_RUNNING;
        if (cause == PLAN_NONE && waits && worker_has_step(worker, i) && session_step_allows(session, i, error))
            cause = i;
    }
    if (cause == PLAN_NONE)
        return false;
    struct session_group *group = &session->groups[session->plan->steps[cause].group];
    session_set_cause(session, cause, error);
    session_schedule_retry(session, session->plan->steps[cause].group);
    osiris_error_clear(&group->cause); /* it is not the cause of a failed attempt */
    worker->place->restart_ms = group->resume_ms;
    return true;
}

/* There is something left for it to do. */
static bool is_needed(const struct session_worker *worker)
{
    const struct session *session = worker->place->session;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (schedule_group_state(session->schedule, i) != GROUP_COMMITTED && worker_has_group(worker, i))
            return true;
    return false;
}

void session_lose_worker(struct session_worker *worker, struct osiris_error *error)
{
    struct session *session = worker->place->session;
    enum loss worst = LOST_NOTHING;
    bool at_once = false;

    worker->place->restart_ms = 0;
    for (size_t i = 0; i < session->plan->group_count; i++) {
        bool paused = schedule_group_state(session->schedule, i) == GROUP_PAUSED;
        enum loss loss = lose_group(worker, i, error);
        at_once = at_once || (loss == LOSS_HANDLED && !paused);
        worst = loss > worst ? loss : worst;
    }
    /* One that fails now is paused as soon as it is still, and then knows its own delay. */
    if (at_once)
        worker->place->restart_ms = 0;
    if (worst == LOST_NOTHING && lose_waiting_groups(worker, error))
        worst = LOSS_HANDLED;
    /* A worker that dies without losing a group either could not start, or died at its end. */
    if (worst == LOST_NOTHING && schedule_succeeded(session->schedule))
        session_warn_late_failure(worker, error);
    /* An abandoned adapter starts no other worker. */
    else if (worst != LOSS_HANDLED || (worker->place->adapter == NULL && is_needed(worker)))
        session_fail(session, error);
    osiris_error_clear(error);
}
