/*
 * How places come to have a worker, at first and when the last one is lost. What an adapter does for that takes its time, and
 * goes on beside the session's loop, on the adapter's own thread (orchestrator/adapter/thread.h): prepare, then execute; before another
 * worker, leave. See state.h.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "orchestrator/session/state.h"

static int make_session_secret(char text[SESSION_SECRET_SIZE])
{
    unsigned char bytes[(SESSION_SECRET_SIZE - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int place_make_adapter(struct session_place *place, struct osiris_error *error)
{
    const struct session_options *options = place->session->options;
    const struct adapter_host_options host_options = {
        .name = place->adapter_name,
        .options = place->adapter_options,
        .adapter_path = options->adapter_path,
        .adapter_dir = options->adapter_dir,
        .run_id = options->run_id,
        .redactor = options->redactor,
        .sink = &place->session->sink,
        .context = &place->context,
    };

    place->adapter = adapter_thread_new(&host_options, error);
    return place->adapter == NULL ? -1 : 0;
}

void place_begin(struct session_place *place, enum adapter_task task)
{
    place->phase = PLACE_OPENING;
    adapter_thread_begin(place->adapter, task, (int)place->session->limits.exit_ms);
}

/* Talking to the worker that was started. */

static int open_channel(struct session_place *place, const struct osiris_channel *made,
                        struct osiris_error *error)
{
    place->remote = (made->flags & OSIRIS_CHANNEL_REMOTE) != 0;
    place->session->has_remote = place->session->has_remote || place->remote;
    place->worker_log = worker_log_new(made->diagnostics, place->session->options->redactor, place_take_line, place);
    int reason = errno;
    place->channel = channel_new(made->socket, error);
    if (place->channel == NULL)
        return -1;
    if (place->worker_log == NULL)
        return osiris_error_set_errno(error, reason, "cannot talk to the worker");
    channel_set_place(place->channel, place_body_room, place);
    place_trace(place);
    if (make_session_secret(place->session_id) < 0 || make_session_secret(place->token) < 0)
        return osiris_error_set_errno(error, errno, "cannot talk to the worker");
    if (adapter_thread_can_reconnect(place->adapter))
        channel_allow_resumption(place->channel, place->session_id, place->token, true);
    return 0;
}

static int greet(struct session_place *place, const struct osiris_channel *made,
                 struct osiris_error *error)
{
    if (open_channel(place, made, error) < 0)
        return -1;
    place->phase = PLACE_GREETING;
    place->takes_body = false;
    place->last_heard_ms = place->last_sent_ms = clock_monotonic_ms();
    place->phase_deadline_ms = place->last_heard_ms + place->session->limits.hello_ms;
    /* One round trip instead of two: the worker takes them in order. */
    place_send_hello(place);
    place_send_prepare(place);
    return 0;
}

/* What the adapter has done. */

static bool is_wanted(const struct session_place *place)
{
    const struct schedule *schedule = place->session->schedule;

    return place->phase == PLACE_OPENING && !schedule_is_stopping(schedule) &&
           !schedule_finished(schedule);
}

static void fail(struct session_place *place, struct osiris_error *error)
{
    place->phase = PLACE_BROKEN;
    session_place_lost(place, error);
}

/* The worker of before is gone. */
static void has_left(struct session_place *place, struct adapter_outcome *outcome)
{
    if (place->worker_log != NULL)
        place_note_end(place, &outcome->end);
    /* Artifacts of groups that have committed. */
    if (outcome->result < 0)
        session_log(place->session, OSIRIS_WARNING, place->name, outcome->error.message);
    osiris_error_clear(&outcome->error);
    if (place->session->place_count == 1)
        session_end_orphans(place->session);
    json_object_put(place->codecs);
    place->codecs = NULL;
    place->killed = place->has_left = false;
    place->link = (struct session_link){0};
}

static void go_on(struct session_place *place, struct adapter_outcome *outcome)
{
    switch (outcome->task) {
    case ADAPTER_LEAVE:
        place_begin(place, ADAPTER_PREPARE);
        break;
    case ADAPTER_PREPARE:
        if (place->session->executing)
            place_begin(place, ADAPTER_EXECUTE);
        break;
    case ADAPTER_EXECUTE:
        /* They are the channel's, also if that cannot be made. */
        if (greet(place, &outcome->channel, &outcome->error) < 0)
            fail(place, &outcome->error);
        outcome->channel.socket = outcome->channel.diagnostics = -1;
        break;
    }
}

void place_take_adapter(struct session_place *place)
{
    struct adapter_outcome outcome;

    if (!adapter_thread_take(place->adapter, &outcome))
        return;
    if (outcome.task == ADAPTER_LEAVE)
        has_left(place, &outcome);
    if (outcome.result < 0 && place->phase == PLACE_OPENING && outcome.task != ADAPTER_LEAVE)
        fail(place, &outcome.error);
    else if (is_wanted(place))
        go_on(place, &outcome);
    else if (place->phase == PLACE_OPENING)
        place->phase = PLACE_BROKEN;
    /* Nobody talks to that worker; the adapter ends it when it is closed. */
    cleanup_close_value(&outcome.channel.socket);
    cleanup_close_value(&outcome.channel.diagnostics);
    osiris_error_clear(&outcome.error);
}

bool session_is_preparing(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase == PLACE_OPENING &&
            adapter_thread_is_busy(session->places[i].adapter))
            return true;
    return false;
}

void session_execute(struct session *session)
{
    session->executing = true;
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase == PLACE_OPENING)
            place_begin(&session->places[i], ADAPTER_EXECUTE);
}

void place_restart(struct session_place *place)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", place->name);
    session_event(place->session, "worker_restart", fields);
    channel_free(place->channel);
    place->channel = NULL;
    place_begin(place, ADAPTER_LEAVE);
}

/* Not starting. */

void session_stop_starting(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        /* What is being left may have something to bring home. */
        if (place->adapter != NULL && place->phase == PLACE_OPENING && place->channel == NULL &&
            place->worker_log == NULL)
            adapter_thread_cancel(place->adapter);
    }
}

void session_cancel_adapters(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].adapter != NULL)
            adapter_thread_cancel(session->places[i].adapter);
}

void place_settle(struct session_place *place)
{
    struct session *session = place->session;
    char text[160];

    if (place->adapter == NULL)
        return;
    if (adapter_thread_wait(place->adapter, (int)session->limits.exit_ms)) {
        place_take_adapter(place);
        return;
    }
    snprintf(text, sizeof text, "adapter \"%.64s\" does not return; what it has made is left behind",
             place->adapter_name);
    session_log(session, OSIRIS_WARNING, place->name, text);
    adapter_thread_free(place->adapter);
    place->adapter = NULL;
}
