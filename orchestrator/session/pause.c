/* Time during which osiris did not run; see pause.h. */
#include "orchestrator/session/pause.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "orchestrator/oml/duration.h"
#include "orchestrator/session/notes.h"

/* Moves the start of a period; 0: not set. */
static void postpone_start(int64_t *since_ms, int64_t pause, int64_t now)
{
    if (*since_ms != 0)
        *since_ms = *since_ms + pause < now ? *since_ms + pause : now;
}

/* Moves the end of a period, at most by a whole one; 0: not set. */
static void postpone_end(int64_t *deadline_ms, int64_t pause, int64_t now, int64_t period_ms)
{
    if (*deadline_ms != 0)
        *deadline_ms = *deadline_ms + pause < now + period_ms ? *deadline_ms + pause : now + period_ms;
}

static void extend_worker(struct session_worker *worker, int64_t pause, int64_t now)
{
    struct session_link *link = &worker->link;

    postpone_end(&worker->phase_deadline_ms, pause, now, worker->phase_bound_ms);
    for (size_t i = 0; i < worker->request_count; i++)
        postpone_end(&worker->requests[i].deadline_ms, pause, now, worker->place->session->limits.commit_ms);
    postpone_start(&link->down_since_ms, pause, now);
    postpone_start(&link->trouble_since_ms, pause, now);
    postpone_start(&link->attempt_ms, pause, now);
    postpone_start(&link->up_since_ms, pause, now);
    worker->last_received_ms = now;
    if (worker->channel != NULL)
        channel_restart_stuck(worker->channel);
}

static void extend_steps(struct session *session, int64_t pause, int64_t now)
{
    const struct session_limits *limits = &session->limits;

    for (size_t i = 0; i < session->plan->step_count; i++) {
        postpone_start(&session->steps[i].started_ms, pause, now);
        postpone_start(&session->steps[i].first_ms, pause, now);
    }
    for (size_t i = 0; i < session->plan->group_count; i++)
        postpone_end(&session->groups[i].stop_ms, pause, now, limits->cancel_grace_ms);
    for (size_t i = 0; i < session->plan->edge_count; i++)
        postpone_end(&session->edges[i].end_ms, pause, now, limits->heartbeat_timeout_ms);
}

static void report(struct session *session, int64_t pause)
{
    char text[128], duration[DURATION_TEXT_SIZE];

    snprintf(text, sizeof text, "osiris did not run for %s; that time does not count",
             duration_text(pause, duration));
    session_log(session, OSIRIS_INFO, NULL, text);
}

void session_extend_for_pause(struct session *session)
{
    int64_t now = clock_monotonic_ms(), pause = pause_take(&session->watch, now);

    if (pause == 0)
        return;
    postpone_end(&session->grace_deadline_ms, pause, now, session->limits.cancel_grace_ms);
    if (!session->timed_out)
        postpone_end(&session->run_deadline_ms, pause, now, session->options->timeout_ms);
    extend_steps(session, pause, now);
    for (size_t i = 0; i < session->place_count; i++)
        postpone_end(&session->places[i].deadline_ms, pause, now, session->limits.cancel_grace_ms);
    for (size_t i = 0; i < session->worker_count; i++)
        extend_worker(&session->workers[i], pause, now);
    if (pause >= 1000)
        report(session, pause);
}
