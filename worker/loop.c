/* The worker's poll loop: its links to the orchestrator, messages, and deadlines; see worker.h. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "worker/answer.h"
#include "worker/stream-messages.h"
#include "worker/worker.h"

#define RESUME_TIMEOUT_MS 60000 /* a worker waits so long for the link on which one that got lost comes again */
#define BODIES_A_POLL 8 /* received before the loop handles other events */

/* The function that the driver is in. An interrupt that has not returned is more informative than the function it interrupts. */
static const char *read_signs(struct step *step, int64_t *silent_ms)
{
    int64_t interrupt_ms;
    const char *interrupt = signs_read(&step->opening.signs, &step->main.interrupt_signs, &interrupt_ms);
    const char *function = signs_read(&step->signs, &step->main.signs, silent_ms);

    if (interrupt == NULL)
        return function;
    *silent_ms = interrupt_ms;
    return interrupt;
}

static void send_heartbeat(struct worker *worker)
{
    json_object *data = json_object_new_object();
    json_object *steps = json_object_new_array();

    for (size_t i = 0; worker->run != NULL && i < worker->run->step_count; i++) {
        struct step *step = &worker->run->steps[i];
        pthread_mutex_lock(&worker->run->steps_lock);
        bool running = step->fate.phase == STEP_RUNNING;
        pthread_mutex_unlock(&worker->run->steps_lock);
        int64_t silent_ms;
        const char *function = read_signs(step, &silent_ms);
        if (!running && function == NULL)
            continue;
        json_object *entry = json_object_new_object();
        json_add_string(entry, "step_id", step->plan.id);
        json_add_integer(entry, "rows", atomic_load(&step->progress.rows));
        json_add_integer(entry, "bytes", atomic_load(&step->progress.bytes));
        if (function != NULL) {
            json_add_string(entry, "function", function);
            json_add_integer(entry, "silent_ms", silent_ms);
        }
        json_append(steps, entry);
    }
    json_add(data, "steps", steps);
    answer_message(worker->channel, "heartbeat", data, false);
    worker->last_sent_ms = clock_monotonic_ms();
}

/* This process did not run: the peers get a new period. The drivers did not run either. */
static void extend_deadlines(struct worker *worker, int64_t now)
{
    int64_t pause = pause_take(&worker->watch, now);

    if (pause == 0)
        return;
    worker->last_received_ms = now;
    worker->greeting_deadline_ms = now + WORKER_GREETING_MS;
    if (worker->lost_since_ms != 0)
        worker->lost_since_ms = now;
    if (worker->door != NULL)
        door_extend_deadlines(worker->door);
    for (size_t i = 0; worker->run != NULL && i < worker->run->step_count; i++) {
        signs_skip_pause(&worker->run->steps[i].main.signs, pause);
        signs_skip_pause(&worker->run->steps[i].main.interrupt_signs, pause);
    }
}

static int poll_timeout(const struct worker *worker, int64_t now)
{
    int64_t next = now + 10000;

    if (worker->door != NULL)
        next = clock_earlier(next, door_next_deadline(worker->door));
    if (!worker->greeted)
        next = clock_earlier(next, worker->greeting_deadline_ms);
    if (worker->lost_since_ms != 0) {
        next = clock_earlier(next, worker->lost_since_ms + worker->resume_timeout_ms);
    } else if (worker->heartbeat_interval_ms > 0) {
        next = clock_earlier(next, worker->last_sent_ms + worker->heartbeat_interval_ms);
        next = clock_earlier(next, worker->last_received_ms + worker->heartbeat_timeout_ms);
    }
    return next <= now ? 0 : (int)(next - now);
}

/* Receiving. */

/* The peer may not receive it any more. */
static void report_violation(const struct worker *worker, const struct osiris_error *violation)
{
    json_object *data = osiris_error_to_json(violation);

    if (worker->refused_stream != 0)
        json_add_integer(data, "stream", worker->refused_stream);
    answer_message(worker->channel, "error", data, false);
}

static int receive(struct worker *worker, short revents, bool *end, struct osiris_error *error)
{
    int pumped = channel_pump_ready(worker->channel, revents, end, error);

    for (int bodies = 1;;) {
        struct osiris_error violation = OSIRIS_ERROR_INIT;
        size_t body_length = 0;
        _cleanup_json_ json_object *message =
            channel_receive_body(worker->channel, &body_length, &violation);
        if (message == NULL && violation.category == 0) {
            if (pumped <= 0 || *end || bodies++ == BODIES_A_POLL || !channel_goes_on(worker->channel)) {
                streams_wake_reader(worker->run);
                if (channel_was_active(worker->channel))
                    worker->last_received_ms = clock_monotonic_ms();
                return pumped < 0 ? -1 : 0;
            }
            pumped = channel_pump_ready(worker->channel, POLLIN, end, error);
            continue;
        }
        if (message == NULL || worker_handle(worker, message, body_length, &violation) < 0) {
            report_violation(worker, &violation);
            osiris_error_clear(error);
            osiris_error_move(error, &violation);
            return -1;
        }
    }
}

/* New links: the first one begins the session; afterwards only its own orchestrator is accepted. */

/* A resume may also begin the session: then the hello was lost with its link. */
static int begin_session(struct worker *worker, struct door_visitor *visitor,
                         struct osiris_error *error)
{
    struct greeting greeting;
    bool resumes = visitor->sequence == 0;

    greeting_read(&greeting, visitor->message);
    bool may_resume = greeting.session[0] != '\0' && greeting.token[0] != '\0';
    if (resumes ? !greeting.resumes || !may_resume || greeting.received != 0 : !greeting.says_hello)
        return 0;
    worker->channel = channel_new(steal_fd(&visitor->fd), error);
    if (worker->channel == NULL)
        return -1;
    if (may_resume)
        channel_allow_resumption(worker->channel, greeting.session, greeting.token, false);
    channel_set_destination(worker->channel, worker_find_room, worker);
    worker->greeting_deadline_ms = clock_monotonic_ms() + WORKER_GREETING_MS;
    worker->resume_timeout_ms = RESUME_TIMEOUT_MS;
    if (resumes)
        return channel_take_greeting(worker->channel, visitor->message, error);
    channel_take_first(worker->channel, steal_pointer(&visitor->message));
    return 0;
}

/* This side may not have noticed yet that the old link is lost; the other side has. */
static int resume_session(struct worker *worker, struct door_visitor *visitor,
                          struct osiris_error *error)
{
    struct greeting greeting;

    greeting_read(&greeting, visitor->message);
    if (visitor->sequence != 0 || !channel_is_resumable(worker->channel) || !greeting.resumes ||
        !channel_knows(worker->channel, greeting.data))
        return 0;
    return channel_reconnect(worker->channel, steal_fd(&visitor->fd), error) < 0
               ? -1
               : channel_take_greeting(worker->channel, visitor->message, error);
}

/* A connection that is not accepted is closed. *opened: there may be something to receive. */
static int accept_links(struct worker *worker, bool *opened, struct osiris_error *error)
{
    struct door_visitor visitor;
    int result = 0;

    *opened = false;
    while (result == 0 && door_next(worker->door, &visitor)) {
        result = worker->channel == NULL ? begin_session(worker, &visitor, error)
                                         : resume_session(worker, &visitor, error);
        if (visitor.fd < 0) {
            *opened = true;
            worker->last_received_ms = clock_monotonic_ms();
        }
        cleanup_close_value(&visitor.fd);
        json_object_put(visitor.message);
    }
    if (result < 0 && worker->channel != NULL)
        report_violation(worker, error);
    return result;
}

/* A link that may be made again is dropped when nothing arrives: it may be lost without a sign. An orchestrator that was stopped
 * may continue; its end would also end the link. */
static int check_silence(struct worker *worker, int64_t now, struct osiris_error *error)
{
    bool silent = worker->heartbeat_timeout_ms > 0 &&
                  now >= worker->last_received_ms + worker->heartbeat_timeout_ms;

    if (silent && channel_has_paused_peer(worker->channel)) {
        worker->last_received_ms = now;
        silent = false;
    }
    if (silent) {
        osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "the orchestrator has been silent for %lld ms",
                         (long long)(now - worker->last_received_ms));
        if (!channel_is_resumable(worker->channel))
            return -1;
        fprintf(stderr, "osiris-worker: %s; its link is dropped\n", error->message);
        osiris_error_clear(error);
        channel_drop_link(worker->channel);
    } else if (worker->heartbeat_interval_ms > 0 && !worker->cleaned &&
               now >= worker->last_sent_ms + worker->heartbeat_interval_ms) {
        send_heartbeat(worker);
    }
    return 0;
}

static int check_time(struct worker *worker, bool *end, struct osiris_error *error)
{
    int64_t now = clock_monotonic_ms();

    extend_deadlines(worker, now);
    if (!worker->greeted && now >= worker->greeting_deadline_ms)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "no orchestrator has sent hello within %d ms",
                                WORKER_GREETING_MS);
    if (worker->channel == NULL)
        return 0;
    /* The orchestrator has all that it requested. If it leaves first, a channel that cannot be resumed just ends. */
    *end = worker->cleaned && channel_is_resumable(worker->channel) && channel_is_settled(worker->channel);
    if (*end)
        return 0;
    if (!channel_is_lost(worker->channel)) {
        worker->lost_since_ms = 0;
        return check_silence(worker, now, error);
    }
    if (worker->lost_since_ms == 0)
        worker->lost_since_ms = now;
    if (now >= worker->lost_since_ms + worker->resume_timeout_ms)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                "the orchestrator has not reconnected within %lld ms",
                                (long long)worker->resume_timeout_ms);
    return 0;
}

/* The loop. */

#define OWN_POLL_FDS 3

static nfds_t fill_fds(struct worker *worker, struct pollfd *fds)
{
    struct channel *channel = worker->channel;

    atomic_store_explicit(&worker->stand_in.link_fd, channel == NULL ? -1 : channel_fd(channel), memory_order_relaxed);
    fds[0] = (struct pollfd){.fd = worker->signal_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = channel == NULL ? -1 : channel_fd(channel),
                             .events = channel == NULL ? 0 : channel_poll_events(channel)};
    fds[2] = (struct pollfd){.fd = channel == NULL ? -1 : channel_wake_fd(channel),
                             .events = POLLIN};
    if (worker->door == NULL)
        return OWN_POLL_FDS;
    door_fill_poll(worker->door, fds + OWN_POLL_FDS);
    return OWN_POLL_FDS + DOOR_POLL_FDS;
}

int worker_loop(struct worker *worker, struct osiris_error *error)
{
    bool end = false;

    while (!end) {
        struct pollfd fds[OWN_POLL_FDS + DOOR_POLL_FDS];
        bool opened = false;
        int64_t now = clock_monotonic_ms();
        int timeout_ms = poll_timeout(worker, now);
        pause_expect(&worker->watch, now, timeout_ms);
        int ready = poll(fds, fill_fds(worker, fds), timeout_ms);
        extend_deadlines(worker, clock_monotonic_ms());
        if (ready < 0 && errno != EINTR)
            return osiris_error_set_errno(error, errno, "cannot poll");
        if (ready > 0 && fds[0].revents != 0)
            return worker->cleaned ? 0
                                   : osiris_error_set(error, OSIRIS_ERROR_CANCELLED,
                                                      "stopped by a signal");
        if (worker->door != NULL && accept_links(worker, &opened, error) < 0)
            return -1;
        short revents = opened ? POLLIN | POLLOUT : fds[1].revents;
        if (worker->channel != NULL &&
            (opened || (ready > 0 && (fds[1].revents != 0 || fds[2].revents != 0))) &&
            receive(worker, revents, &end, error) < 0)
            return -1;
        if (!end && check_time(worker, &end, error) < 0)
            return -1;
    }
    if (worker->cleaned)
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_CONNECTION, "the orchestrator is gone");
}
