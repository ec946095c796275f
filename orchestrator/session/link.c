/* The link to a place's worker: heartbeats, silence, and how one that broke is made again; see state.h. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "orchestrator/session/state.h"

#define QUIET_MS 500 /* so long after a worker's last word it is looked whether it lives */
#define LONGEST_PAUSE_MS 200 /* between two attempts; the first comes at once */

static void link_event(struct session_place *place, const char *event, int64_t down_ms)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", place->name);
    if (down_ms >= 0)
        json_add_integer(fields, "down_ms", down_ms);
    session_event(place->session, event, fields);
}

/* A link that breaks again and again may do so for as long as it carries something each way in between, or holds for as
 * long as silence may last; else all its losses count as one. */
static void judge_loss(struct session_place *place, int64_t now)
{
    struct session_link *link = &place->link;
    struct channel_progress progress;

    channel_get_progress(place->channel, &progress);
    bool in = progress.received > link->progress.received;
    bool out = progress.acknowledged > link->progress.acknowledged || !progress.outstanding;
    bool held = link->up_since_ms >= link->attempt_ms &&
                now - link->up_since_ms >= place->session->limits.heartbeat_timeout_ms;
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

static void link_went_down(struct session_place *place, int64_t now)
{
    place->link.down_since_ms = now;
    session_log(place->session, OSIRIS_WARNING, "worker",
                "the link to the worker is lost; making it again");
    link_event(place, "link_lost", -1);
}

/* Nobody could be heard meanwhile, and what was waited for could not come. */
static void link_is_up(struct session_place *place, int64_t now)
{
    int64_t down_ms = now - place->link.down_since_ms;

    place->link.down_since_ms = 0;
    place->link.up_since_ms = place->last_heard_ms = now;
    if (place->phase_deadline_ms != 0)
        place->phase_deadline_ms += down_ms;
    for (size_t i = 0; i < place->request_count; i++)
        if (place->requests[i].deadline_ms != 0)
            place->requests[i].deadline_ms += down_ms;
    link_event(place, "link_resumed", down_ms);
}

static void attempt(struct session_place *place, int64_t now)
{
    struct session_link *link = &place->link;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct osiris_worker_exit end;
    struct osiris_channel made;

    adapter_thread_worker_exit(place->adapter, 0, &end);
    if (end.state == OSIRIS_WORKER_EXITED || end.state == OSIRIS_WORKER_SIGNALLED) {
        place_break_with(place, OSIRIS_ERROR_INTERNAL, "it closed its channel");
        return;
    }
    link->pause_ms = link->pause_ms == 0 ? 1 : 2 * link->pause_ms;
    if (link->pause_ms > LONGEST_PAUSE_MS)
        link->pause_ms = LONGEST_PAUSE_MS;
    link->attempt_ms = now;
    link->next_attempt_ms = now + link->pause_ms;
    if (adapter_thread_reconnect(place->adapter, &made, &error) == 0 &&
        channel_reconnect(place->channel, made.socket, &error) == 0) {
        place->last_sent_ms = now;
        link->judged = false;
    } else {
        session_log(place->session, OSIRIS_DEBUG, "worker",
                    error.message == NULL ? "cannot connect again" : error.message);
    }
}

/* The link is lost, or a new one waits for the worker's greeting. */
static void make_link_again(struct session_place *place, int64_t now)
{
    const struct session_limits *limits = &place->session->limits;
    struct session_link *link = &place->link;
    char text[96];

    if (link->down_since_ms == 0)
        link_went_down(place, now);
    if (!channel_is_lost(place->channel) &&
        now >= link->attempt_ms + limits->heartbeat_timeout_ms)
        channel_drop_link(place->channel);
    /* It may have been up for a moment since anybody looked. */
    if (channel_is_lost(place->channel) && !link->judged)
        judge_loss(place, now);
    if (now >= link->trouble_since_ms + limits->resume_ms) {
        snprintf(text, sizeof text, "the link could not be made again within %lld ms",
                 (long long)limits->resume_ms);
        place_break_with(place, OSIRIS_ERROR_CONNECTION, text);
        return;
    }
    if (channel_is_lost(place->channel) && now >= link->next_attempt_ms)
        attempt(place, now);
}

/* A link can die without a sign: where another can be had, that is tried before the worker is taken for dead. */
static void give_worker_up(struct session_place *place, const char *sign, int64_t now)
{
    char text[96];

    snprintf(text, sizeof text, "%s; %s", sign,
             channel_is_resumable(place->channel) ? "the link is given up" : "it was killed");
    if (channel_is_resumable(place->channel)) {
        session_log(place->session, OSIRIS_WARNING, "worker", text);
        channel_drop_link(place->channel);
        make_link_again(place, now);
        return;
    }
    place_kill(place);
    place_break_with(place, OSIRIS_ERROR_INTERNAL, text);
}

/* The end of its channel tells it, unless a process that a driver has left holds on to that. */
static bool worker_is_dead(const struct session_place *place, int64_t now)
{
    struct osiris_worker_exit end;

    if (place->remote || now < place->last_heard_ms + QUIET_MS)
        return false;
    adapter_thread_worker_exit(place->adapter, 0, &end);
    return end.state == OSIRIS_WORKER_EXITED || end.state == OSIRIS_WORKER_SIGNALLED;
}

/* When the first answer that has a bound of its own is late. */
static int64_t answer_deadline(const struct session_place *place)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < place->request_count; i++)
        if (place->requests[i].deadline_ms != 0)
            first = clock_earlier(first, place->requests[i].deadline_ms);
    return first;
}

/* When a worker that takes nothing of what waits for it is left, however alive it says it is. */
static int64_t stuck_deadline(const struct session_place *place)
{
    int64_t since = channel_stuck_since(place->channel);

    return since == 0 ? INT64_MAX : since + place->session->limits.heartbeat_timeout_ms;
}

void place_check_deadlines(struct session_place *place)
{
    const struct session_limits *limits = &place->session->limits;
    int64_t now = clock_monotonic_ms();

    if (!place_is_there(place))
        return;
    if (!channel_is_up(place->channel)) {
        make_link_again(place, now);
        return;
    }
    if (place->link.down_since_ms != 0)
        link_is_up(place, now);
    if (place->phase_deadline_ms != 0 && now >= place->phase_deadline_ms) {
        place_kill(place);
        place_break_with(place, OSIRIS_ERROR_TIMEOUT,
                         place->phase == PLACE_CLEANING ? "it did not clean up in time"
                                                        : "it did not become ready in time");
    } else if (worker_is_dead(place, now)) {
        place_break_with(place, OSIRIS_ERROR_INTERNAL, "it is dead");
    } else if (now >= answer_deadline(place)) {
        place_kill(place);
        place_break_with(place, OSIRIS_ERROR_TIMEOUT, "it did not commit in time");
    } else if (now >= place->last_heard_ms + limits->heartbeat_timeout_ms) {
        give_worker_up(place, "no heartbeat came", now);
    } else if (now >= stuck_deadline(place)) {
        give_worker_up(place, "it reads nothing", now);
    } else if (now >= place->last_sent_ms + limits->heartbeat_interval_ms) {
        place_send_heartbeat(place);
    }
}

int64_t place_next_deadline(const struct session_place *place)
{
    const struct session_limits *limits = &place->session->limits;
    const struct session_link *link = &place->link;
    int64_t next;

    if (!place_is_there(place))
        return INT64_MAX;
    if (channel_is_up(place->channel)) {
        next = clock_earlier(place->last_sent_ms + limits->heartbeat_interval_ms,
                       place->last_heard_ms + limits->heartbeat_timeout_ms);
        next = clock_earlier(next, answer_deadline(place));
        next = clock_earlier(next, stuck_deadline(place));
        return place->phase_deadline_ms == 0 ? next : clock_earlier(next, place->phase_deadline_ms);
    }
    if (link->down_since_ms == 0)
        return 0;
    next = channel_is_lost(place->channel) ? link->next_attempt_ms
                                           : link->attempt_ms + limits->heartbeat_timeout_ms;
    return clock_earlier(next, link->trouble_since_ms + limits->resume_ms);
}
