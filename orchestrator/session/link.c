/* The link to a worker; see link.h. */
#include "orchestrator/session/link.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/worker.h"

#define QUIET_MS 500 /* silence after which it is checked whether the worker's process still runs */
#define LONGEST_PAUSE_MS 200 /* between two attempts; the first is made at once */

static void link_event(struct session_worker *worker, enum own_event event, int64_t down_ms)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", worker->place->name);
    if (down_ms >= 0)
        json_add_integer(fields, "down_ms", down_ms);
    session_event(worker->place->session, event, fields);
}

/* A link may break repeatedly as long as data passes in both directions in between, or the link stays up for the heartbeat timeout.
 * Otherwise all the losses count as one, which began with the first. */
static void judge_loss(struct session_worker *worker, int64_t now)
{
    struct session_link *link = &worker->link;
    struct channel_progress progress;

    channel_get_progress(worker->channel, &progress);
    bool in = progress.received > link->progress.received;
    bool out = progress.acknowledged > link->progress.acknowledged || !progress.outstanding;
    bool held = link->up_since_ms >= link->attempt_ms &&
                now - link->up_since_ms >= worker->place->session->limits.heartbeat_timeout_ms;
    link->progress = progress;
    link->moved_in = link->moved_in || in || held;
    link->moved_out = link->moved_out || out || held;
    if (in || out || held)
        link->pause_ms = 0;
    if (link->trouble_since_ms == 0 || (link->moved_in && link->moved_out)) {
        link->trouble_since_ms = now;
        link->moved_in = link->moved_out = false;
    }
    link->next_attempt_ms = now + link->pause_ms;
    link->judged = true;
}

static void link_went_down(struct session_worker *worker, int64_t now)
{
    worker->link.down_since_ms = now;
    session_log(worker->place->session, OSIRIS_WARNING, "worker",
                "the link to the worker is lost; reconnecting");
    link_event(worker, EVENT_LINK_LOST, -1);
}

/* Nothing could arrive while the link was down, so deadlines are extended by that time. */
static void link_is_up(struct session_worker *worker, int64_t now)
{
    int64_t down_ms = now - worker->link.down_since_ms;

    worker->link.down_since_ms = 0;
    worker->link.up_since_ms = worker->last_received_ms = now;
    if (worker->phase_deadline_ms != 0)
        worker->phase_deadline_ms += down_ms;
    for (size_t i = 0; i < worker->request_count; i++)
        if (worker->requests[i].deadline_ms != 0)
            worker->requests[i].deadline_ms += down_ms;
    link_event(worker, EVENT_LINK_RESUMED, down_ms);
}

/* The adapter may take long, so its thread does it. */
static void attempt(struct session_worker *worker, int64_t now)
{
    struct session_link *link = &worker->link;
    struct session_place *place = worker->place;

    link->pause_ms = link->pause_ms == 0 ? 1 : 2 * link->pause_ms;
    if (link->pause_ms > LONGEST_PAUSE_MS)
        link->pause_ms = LONGEST_PAUSE_MS;
    link->attempt_ms = now;
    place->phase = PLACE_RECONNECTING;
    adapter_thread_begin(place->adapter, ADAPTER_RECONNECT, NULL);
}

void worker_finish_reconnect(struct session_worker *worker, struct adapter_outcome *outcome)
{
    struct session_link *link = &worker->link;
    int64_t now = clock_monotonic_ms();
    int32_t state = outcome->end.exit.state;

    worker->place->phase = PLACE_STARTED;
    worker->place->deadline_ms = 0;
    if (!worker_is_reachable(worker))
        return;
    link->attempt_ms = now;
    link->next_attempt_ms = now + link->pause_ms;
    if (outcome->result < 0 && state != OSIRIS_WORKER_RUNNING) {
        worker_fail_with(worker, OSIRIS_ERROR_INTERNAL,
                         state == OSIRIS_WORKER_LOST ? "its place is gone or does not respond" : "it closed its channel");
        return;
    }
    if (outcome->result == 0 && channel_reconnect_over(worker->channel, adapter_channel_take_link(&outcome->channel), &outcome->error) == 0) {
        worker->last_sent_ms = now;
        link->judged = false;
    } else {
        session_log(worker->place->session, OSIRIS_DEBUG, "worker",
                    outcome->error.message == NULL ? "cannot reconnect" : outcome->error.message);
    }
}

/* The link is lost, or the worker has not greeted over a new one yet. */
static void restore_link(struct session_worker *worker, int64_t now)
{
    const struct session_limits *limits = &worker->place->session->limits;
    struct session_link *link = &worker->link;
    char text[96];

    if (link->down_since_ms == 0)
        link_went_down(worker, now);
    if (!channel_is_lost(worker->channel) &&
        now >= link->attempt_ms + limits->heartbeat_timeout_ms)
        channel_drop_link(worker->channel);
    /* It may have been up for a moment since the last check. */
    if (channel_is_lost(worker->channel) && !link->judged)
        judge_loss(worker, now);
    if (now >= link->trouble_since_ms + limits->resume_ms) {
        snprintf(text, sizeof text, "the link could not be re-established within %lld ms",
                 (long long)limits->resume_ms);
        worker_fail_with(worker, OSIRIS_ERROR_CONNECTION, text);
        return;
    }
    if (channel_is_lost(worker->channel) && now >= link->next_attempt_ms && worker->place->phase == PLACE_STARTED)
        attempt(worker, now);
}

/* A link can be lost without notice. If it can be replaced, that is tried before the worker counts as lost. */
static void handle_silence(struct session_worker *worker, const char *sign, int64_t now)
{
    char text[96];

    snprintf(text, sizeof text, "%s; %s", sign,
             channel_is_resumable(worker->channel) ? "the link is dropped" : "it was killed");
    if (channel_is_resumable(worker->channel)) {
        session_log(worker->place->session, OSIRIS_WARNING, "worker", text);
        channel_drop_link(worker->channel);
        restore_link(worker, now);
        return;
    }
    worker_kill(worker);
    worker_fail_with(worker, OSIRIS_ERROR_INTERNAL, text);
}

/* The worker is late. If nothing has arrived, that may be the link's fault: then it is replaced, and the time begins anew, once. During
 * cleanup, what has arrived may have been heartbeats of a worker that has not received the request. */
static void end_phase(struct session_worker *worker, int64_t now)
{
    const char *what = worker->phase == WORKER_CLEANING ? "it did not clean up in time" : "it did not become ready in time";

    if (channel_is_resumable(worker->channel) && !worker->phase_was_extended &&
        (worker->phase == WORKER_CLEANING || !worker->heard_in_phase)) {
        worker->phase_was_extended = true;
        worker->phase_deadline_ms = now + worker->phase_bound_ms;
        handle_silence(worker, what, now);
        return;
    }
    worker_kill(worker);
    worker_fail_with(worker, OSIRIS_ERROR_TIMEOUT, what);
}

/* The end of the channel would show it, but a process that a driver has left may keep the channel open. */
static bool worker_is_dead(const struct session_worker *worker, int64_t now)
{
    struct osiris_worker_exit end;

    if (worker->remote || now < worker->last_received_ms + QUIET_MS)
        return false;
    adapter_thread_worker_exit(worker->place->adapter, &end);
    return end.state == OSIRIS_WORKER_EXITED || end.state == OSIRIS_WORKER_SIGNALLED;
}

/* The earliest deadline of a request that has one. */
static int64_t answer_deadline(const struct session_worker *worker)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < worker->request_count; i++)
        if (worker->requests[i].deadline_ms != 0)
            first = clock_earlier(first, worker->requests[i].deadline_ms);
    return first;
}

/* When a worker that reads nothing counts as lost, even if it sends heartbeats. */
static int64_t stuck_deadline(const struct session_worker *worker)
{
    int64_t since = channel_stuck_since(worker->channel);

    return since == 0 ? INT64_MAX : since + worker->place->session->limits.heartbeat_timeout_ms;
}

void worker_check_deadlines(struct session_worker *worker)
{
    const struct session_limits *limits = &worker->place->session->limits;
    int64_t now = clock_monotonic_ms();

    if (!worker_is_reachable(worker))
        return;
    if (!channel_is_up(worker->channel)) {
        restore_link(worker, now);
        return;
    }
    if (worker->link.down_since_ms != 0)
        link_is_up(worker, now);
    if (worker->phase_deadline_ms != 0 && now >= worker->phase_deadline_ms) {
        end_phase(worker, now);
    } else if (worker_is_dead(worker, now)) {
        worker_fail_with(worker, OSIRIS_ERROR_INTERNAL, "its process has ended");
    } else if (now >= answer_deadline(worker)) {
        worker_kill(worker);
        worker_fail_with(worker, OSIRIS_ERROR_TIMEOUT, "it did not commit in time");
    } else if (now >= worker->last_received_ms + limits->heartbeat_timeout_ms) {
        handle_silence(worker, "it sent no heartbeat", now);
    } else if (now >= stuck_deadline(worker)) {
        handle_silence(worker, "it does not read", now);
    } else if (now >= worker->last_sent_ms + limits->heartbeat_interval_ms) {
        worker_send_heartbeat(worker);
    }
}

int64_t worker_next_deadline(const struct session_worker *worker)
{
    const struct session_limits *limits = &worker->place->session->limits;
    const struct session_link *link = &worker->link;
    int64_t next;

    if (!worker_is_reachable(worker))
        return INT64_MAX;
    if (channel_is_up(worker->channel)) {
        next = clock_earlier(worker->last_sent_ms + limits->heartbeat_interval_ms,
                       worker->last_received_ms + limits->heartbeat_timeout_ms);
        next = clock_earlier(next, answer_deadline(worker));
        next = clock_earlier(next, stuck_deadline(worker));
        return worker->phase_deadline_ms == 0 ? next : clock_earlier(next, worker->phase_deadline_ms);
    }
    if (link->down_since_ms == 0)
        return 0;
    if (!channel_is_lost(worker->channel))
        next = link->attempt_ms + limits->heartbeat_timeout_ms;
    else
        next = worker->place->phase == PLACE_STARTED ? link->next_attempt_ms : INT64_MAX;
    return clock_earlier(next, link->trouble_since_ms + limits->resume_ms);
}
