/* Consequences of what was recorded; see settle.h. */
#include "orchestrator/session/settle.h"

#include "core/base/clock.h"
#include "orchestrator/session/answers.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/blame.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/losses.h"
#include "orchestrator/session/place.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/worker.h"

/* The run's failure. */

/* Delivers reports that were held, cancels the starting of workers, and starts the grace period. */
static bool settle_failure(struct session *session)
{
    if (session->failure.category == 0 || session->failure_is_settled)
        return false;
    session->failure_is_settled = true;
    for (size_t i = 0; i < session->plan->group_count; i++)
        session_report_group(session, i);
    session_stop_starting(session);
    session->grace_deadline_ms = clock_monotonic_ms() + session->limits.cancel_grace_ms;
    return true;
}

/* Failed workers. */

/* The worker that failed first: its failure may be the cause of the others'. */
static struct session_worker *first_failed(const struct session *session)
{
    struct session_worker *first = NULL;

    for (size_t i = 0; i < session->worker_count; i++) {
        struct session_worker *worker = &session->workers[i];
        if (worker->phase == WORKER_FAILED && (first == NULL || worker->failure_number < first->failure_number))
            first = worker;
    }
    return first;
}

/* Waits for all failed workers at the same time. One that was never started, or whose adapter cannot wait for it, is lost at once. */
static void await_ends(struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++) {
        struct session_worker *worker = &session->workers[i];
        if (worker->phase != WORKER_FAILED || worker->end_is_known || worker->place->phase == PLACE_AWAITING)
            continue;
        if (worker->never_started || !place_await_failed(worker->place)) {
            worker->end = (struct osiris_worker_exit){.state = OSIRIS_WORKER_LOST};
            worker->end_is_known = true;
        }
    }
}

static void release_groups(const struct session_worker *worker)
{
    struct session *session = worker->place->session;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (worker_has_group(worker, i))
            schedule_release_group(session->schedule, i);
}

static void settle_worker(struct session_worker *worker)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_move(&error, &worker->failure);
    worker->phase = WORKER_LOST;
    if (!worker->never_started)
        worker_explain_end(worker, &error);
    worker_log_free(worker->log);
    worker->log = NULL;
    session_lose_worker(worker, &error);
    worker_drop_requests(worker);
    release_groups(worker);
}

static bool settle_workers(struct session *session)
{
    bool settled = false;

    await_ends(session);
    for (struct session_worker *worker; (worker = first_failed(session)) != NULL && worker->end_is_known; settled = true)
        settle_worker(worker);
    return settled;
}

/* Groups. */

static bool settle_group(struct session *session, size_t number)
{
    struct session_group *group = &session->groups[number];
    enum group_state state = schedule_group_state(session->schedule, number);
    bool commits = schedule_group_commits(session->schedule, number);

    if (group->pending > 0 || (!commits && state != GROUP_RETRACTING && state != GROUP_ABORTING))
        return false;
    if (!commits) {
        session_end_home(session, number);
        schedule_group_aborted(session->schedule, number);
    } else if (group->refused ? session_retract_home(session, number) : session_publish_home(session, number)) {
        return true; /* and then comes back here */
    } else if (state == GROUP_COMMITTING && !group->refused && session_group_has_phases(session, number)) {
        schedule_group_prepared(session->schedule, number);
        session_send_publish(session, number);
    } else {
        if (!group->refused)
            session_end_home(session, number);
        session_report_group(session, number);
        schedule_group_committed(session->schedule, number, !group->refused);
    }
    return true;
}

/* Advances groups whose workers have all answered. */
static bool settle_groups(struct session *session)
{
    bool settled = false;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (!schedule_group_is_held(session->schedule, i))
            settled = settle_group(session, i) || settled;
    return settled;
}

bool session_settle(struct session *session)
{
    bool settled = settle_workers(session);

    settled = settle_groups(session) || settled;
    return settle_failure(session) || settled;
}

/* Resuming. */

static bool may_restart(const struct session *session)
{
    return !schedule_is_stopping(session->schedule) && !schedule_finished(session->schedule);
}

/* Nothing of the group is under way. */
static bool rests(const struct session *session, size_t group)
{
    enum group_state state = schedule_group_state(session->schedule, group);

    return state == GROUP_WAITING || state == GROUP_COMMITTED || state == GROUP_FAILED || state == GROUP_PAUSED ||
           (state == GROUP_RUNNING && !schedule_group_has_begun(session->schedule, group));
}

/* Only when none of its groups is active any more. */
static bool is_to_restart(const struct session_worker *worker)
{
    const struct session *session = worker->place->session;

    if (worker->phase != WORKER_LOST || worker->place->adapter == NULL)
        return false;
    for (size_t i = 0; i < session->plan->group_count; i++)
        if (!rests(session, i) && worker_has_group(worker, i))
            return false;
    return true;
}

static void restart_workers(struct session *session)
{
    for (size_t i = 0; i < session->worker_count && may_restart(session); i++) {
        struct session_place *place = session->workers[i].place;
        if (is_to_restart(&session->workers[i]) && clock_monotonic_ms() >= place->restart_ms)
            place_restart(place);
    }
}

/* At first all workers have to be there: what cannot be started is found out before anything runs. Later a group needs its own. */
static bool is_ready(const struct session *session, size_t group)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (session->workers[i].phase != WORKER_RUNNING &&
            (!session->has_begun || worker_has_group(&session->workers[i], group)))
            return false;
    return true;
}

void session_resume(struct session *session)
{
    int64_t now = clock_monotonic_ms();

    restart_workers(session);
    for (size_t i = 0; i < session->plan->group_count; i++) {
        bool ready = is_ready(session, i);
        session->has_begun = session->has_begun || ready;
        schedule_set_ready(session->schedule, i, ready);
        /* What the last attempt has left at home goes first. */
        if (ready && schedule_group_state(session->schedule, i) == GROUP_PAUSED && now >= session->groups[i].resume_ms &&
            session->groups[i].files == 0)
            session_resume_group(session, i);
    }
}

int64_t session_next_resumption(const struct session *session)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (schedule_group_state(session->schedule, i) == GROUP_PAUSED && is_ready(session, i) && session->groups[i].files == 0)
            next = clock_earlier(next, session->groups[i].resume_ms);
    for (size_t i = 0; i < session->worker_count && may_restart(session); i++)
        if (is_to_restart(&session->workers[i]))
            next = clock_earlier(next, session->workers[i].place->restart_ms);
    return next;
}
