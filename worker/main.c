/*
 * osiris-worker: runs the steps of one pipeline for an orchestrator at the other end of a channel
 * (docs/protocol.md). The main thread runs this file's poll loop; step threads run drivers.
 *
 *     osiris-worker --channel-fd N      a connected stream socket
 *     osiris-worker --listen-fd N       a listening one: the channel comes over it, and comes again if it breaks
 *     … --stdout-fd M                   behind either: the command's standard output, for the path "-"
 *     osiris-worker --describe FILE…    what plug-ins are, as JSON
 *     osiris-worker --validate          what drivers say of configs, both as JSON
 */
#include <malloc.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/channel.h"
#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/wire-batch.h"
#include "worker/describe.h"
#include "worker/door.h"
#include "worker/lifecycle.h"
#include "worker/run.h"
#include "worker/validate.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define STOP_TIMEOUT_MS 2000
#define GREETING_MS 60000       /* a worker waits so long for its orchestrator's hello, */
#define RESUME_TIMEOUT_MS 60000 /* and so long for the link on which one that got lost comes again */
#define LONGEST_TIMEOUT_MS 86400000
#define BODIES_A_POLL 8 /* taken in before the loop looks at what else there is */
#define LONGEST_ID 128

struct worker {
    struct channel *channel; /* NULL: nobody has come to the door yet */
    struct door *door;       /* or NULL: it has no other link than its first */
    int signal_fd;
    int stdout_fd; /* or -1 */
    json_object *ids; /* of all requests that came: its keys; borrowed */
    bool greeted;
    bool cleaned; /* cleanup was answered: the end of the channel is expected */
    struct run *run; /* NULL before prepare and after cleanup */
    int64_t heartbeat_interval_ms, heartbeat_timeout_ms; /* 0 until hello */
    int64_t last_sent_ms, last_heard_ms;
    int64_t greeting_deadline_ms;
    int64_t resume_timeout_ms;
    int64_t lost_since_ms; /* 0: the link is there */
    int64_t refused_stream; /* of which came what ends the session; 0: it is something else */
};

/* A time that can be added to any other. */
static int64_t bounded_ms(json_object *params, const char *key)
{
    int64_t value = json_member_integer(params, key, 0);

    return value < 0 ? 0 : value < LONGEST_TIMEOUT_MS ? value : LONGEST_TIMEOUT_MS;
}

/* Methods. Each answers its request; the error, if it sets one, is the answer. */

/* Whether the link may be made again. The channel has been prepared for it with what came first (begin_session). */
static bool agree_on_resumption(struct worker *worker, json_object *params)
{
    int64_t timeout = bounded_ms(params, "resume_timeout_ms");

    if (!channel_is_resumable(worker->channel))
        return false;
    if (timeout == 0)
        channel_forbid_resumption(worker->channel);
    worker->resume_timeout_ms = timeout;
    return timeout > 0;
}

static int on_hello(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    int64_t protocol = json_member_integer(params, "protocol", -1);
    char now[CLOCK_TIMESTAMP_SIZE];

    if (protocol != CHANNEL_PROTOCOL_VERSION)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "the orchestrator speaks protocol %lld, this worker speaks %d",
                                (long long)protocol, CHANNEL_PROTOCOL_VERSION);
    if (worker->greeted)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "hello was said before");
    if (channel_is_resumable(worker->channel) && !channel_knows(worker->channel, params))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "hello names another session than its link");
    worker->heartbeat_interval_ms = bounded_ms(params, "heartbeat_interval_ms");
    worker->heartbeat_timeout_ms = bounded_ms(params, "heartbeat_timeout_ms");
    worker->greeted = true;
    json_object *result = json_object_new_object();
    clock_timestamp(now);
    json_add_integer(result, "protocol", CHANNEL_PROTOCOL_VERSION);
    json_add_integer(result, "pid", getpid());
    json_add_string(result, "version", PACKAGE_VERSION);
    json_add_string(result, "clock", now);
    json_add(result, "compression", wire_codecs());
    json_add_boolean(result, "resume", agree_on_resumption(worker, params));
    answer_result(worker->channel, id, result);
    return 0;
}

static int on_prepare(struct worker *worker, const char *id, json_object *params,
                      struct osiris_error *error)
{
    if (worker->run != NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare was requested before");
    if (worker->cleaned)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare came after cleanup");
    worker->run = run_new(worker->channel, params, worker->stdout_fd, error);
    if (worker->run == NULL)
        return -1;
    answer_result(worker->channel, id, run_describe(worker->run));
    return 0;
}

static int on_execute_step(struct worker *worker, const char *id, json_object *params,
                           struct osiris_error *error)
{
    const char *step_id = json_member_string(params, "step_id", "");
    struct step *step = run_find_step(worker->run, step_id);

    if (step == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "execute_step: there is no step \"%.64s\"", step_id);
    if (!json_object_is_type(json_member(params, "config"), json_type_object))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: config is no map");
    return step_start(step, params, id, error);
}

/* Both methods mean all of these steps, or none. */
static int check_step_ids(json_object *params, const char *method, struct osiris_error *error)
{
    json_object *step_ids = json_member(params, "step_ids");
    bool right = json_object_is_type(step_ids, json_type_array);

    for (size_t i = 0; i < json_array_count(step_ids); i++)
        right = right && json_object_is_type(json_object_array_get_idx(step_ids, i), json_type_string);
    return right ? 0
                 : osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "%s: step_ids are no list of texts", method);
}

static int on_commit(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    const char *phase = json_member_string(params, "phase", NULL);
    enum commit_phase wanted = COMMIT_BOTH;

    if (check_step_ids(params, "commit", error) < 0)
        return -1;
    if (json_member(params, "phase") != NULL) {
        if (phase == NULL || (strcmp(phase, "commit") != 0 && strcmp(phase, "publish") != 0))
            return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "commit: there is no such phase");
        wanted = strcmp(phase, "commit") == 0 ? COMMIT_ONLY : COMMIT_PUBLISH;
    }
    decide_commit(worker->run, id, json_member(params, "step_ids"), wanted);
    return 0;
}

static int on_abort(struct worker *worker, const char *id, json_object *params,
                    struct osiris_error *error)
{
    if (check_step_ids(params, "abort", error) < 0)
        return -1;
    decide_abort(worker->run, id, json_member(params, "step_ids"),
                 json_member_string(params, "because", NULL));
    return 0;
}

static int on_cancel(struct worker *worker, const char *id, json_object *params,
                     struct osiris_error *error)
{
    json_object *step_ids = json_member(params, "step_ids");

    if (step_ids != NULL && check_step_ids(params, "cancel", error) < 0)
        return -1;
    if (step_ids == NULL)
        run_cancel(worker->run, -1, NULL);
    for (size_t i = 0; i < json_array_count(step_ids); i++) {
        struct step *step = run_find_step(
            worker->run, json_object_get_string(json_object_array_get_idx(step_ids, i)));
        if (step == NULL)
            continue;
        /* Its neighbours cannot go on without it, and shall know why. */
        atomic_store(&step->cancelled, true);
        run_cancel(worker->run, step->group, step);
        step_cancel(step);
    }
    answer_result(worker->channel, id, NULL);
    return 0;
}

static int on_ping(struct worker *worker, const char *id, json_object *params,
                   struct osiris_error *error)
{
    (void)params;
    (void)error;
    answer_result(worker->channel, id, NULL);
    return 0;
}

static int on_cleanup(struct worker *worker, const char *id, json_object *params,
                      struct osiris_error *error)
{
    (void)params;
    if (worker->run != NULL && !run_stop(worker->run, STOP_TIMEOUT_MS))
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "steps do not stop");
    run_free(worker->run);
    worker->run = NULL;
    lifecycle_end_children();
    worker->cleaned = true;
    answer_result(worker->channel, id, NULL);
    return 0;
}

static const struct method {
    const char *name;
    bool before_hello, before_prepare;
    int (*handle)(struct worker *worker, const char *id, json_object *params,
                  struct osiris_error *error);
} methods[] = {
    {"hello", true, true, on_hello},
    {"prepare", false, true, on_prepare},
    {"execute_step", false, false, on_execute_step},
    {"commit", false, false, on_commit},
    {"abort", false, false, on_abort},
    {"cancel", false, false, on_cancel},
    {"ping", false, true, on_ping},
    {"cleanup", false, true, on_cleanup},
};

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

static int dispatch(struct worker *worker, const char *id, const char *name, json_object *params,
                    struct osiris_error *error)
{
    const struct method *method = find_method(name);

    if (method == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "there is no method \"%.64s\"",
                                name);
    if (!worker->greeted && !method->before_hello)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s came before hello", name);
    if (worker->run == NULL && !method->before_prepare)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s came before prepare", name);
    return method->handle(worker, id, params, error);
}

static bool has(json_object *message, const char *key)
{
    return json_object_object_get_ex(message, key, NULL);
}

/* Whether it may be answered at all: it has an id, which no other request has had, and a method. */
static int check_request(struct worker *worker, json_object *message, struct osiris_error *violation)
{
    const char *id = json_member_string(message, "id", "");

    if (id[0] == '\0' || strlen(id) > LONGEST_ID || json_member_string(message, "method", NULL) == NULL)
        return osiris_error_set(violation, OSIRIS_ERROR_INTERNAL,
                                "the peer violates the protocol: a request has no id or no method");
    if (has(worker->ids, id))
        return osiris_error_set(violation, OSIRIS_ERROR_INTERNAL,
                                "the peer violates the protocol: the id \"%s\" was used before", id);
    if (json_object_object_add(worker->ids, id, NULL) < 0)
        return osiris_error_set_errno(violation, ENOMEM, "cannot take a request in");
    return 0;
}

/* What is wrong with a stream, its producer has done; that there is no memory for it, nobody. */
static void note_refusal(struct worker *worker, json_object *message, const struct osiris_error *error)
{
    if (error->category == OSIRIS_ERROR_INTERNAL)
        worker->refused_stream = json_member_integer(json_member(message, "data"), "stream", 0);
}

/* -1: the message violates the protocol. */
static int handle(struct worker *worker, json_object *message, size_t body_length,
                  struct osiris_error *violation)
{
    const char *id = json_member_string(message, "id", NULL);
    const char *method = json_member_string(message, "method", NULL);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!has(message, "id") && !has(message, "method")) {
        /* Heartbeats have told what they had to by coming; unknown types are ignored. */
        int result = run_take_stream_message(worker->run, message, body_length, violation);
        if (result < 0)
            note_refusal(worker, message, violation);
        return result < 0 ? -1 : 0;
    }
    if (check_request(worker, message, violation) < 0)
        return -1;
    /* Also of a step that is not there: the numbers were said. */
    if (worker->run != NULL && strcmp(method, "execute_step") == 0 &&
        run_claim_streams(worker->run, json_member(message, "params"), violation) < 0)
        return -1;
    if (dispatch(worker, id, method, json_member(message, "params"), &error) < 0)
        answer_error(worker->channel, id, &error);
    return 0;
}

/* channel_place. */
static void *find_room(void *context, json_object *message, size_t length,
                       struct osiris_error *error)
{
    struct worker *worker = context;
    void *room = run_stream_room(worker->run, message, length, error);

    if (room == NULL)
        note_refusal(worker, message, error);
    return room;
}

/* Time. */

static void send_heartbeat(struct worker *worker)
{
    json_object *data = json_object_new_object();
    json_object *steps = json_object_new_array();

    for (size_t i = 0; worker->run != NULL && i < worker->run->step_count; i++) {
        struct step *step = &worker->run->steps[i];
        pthread_mutex_lock(&worker->run->steps_lock);
        bool running = step->phase == STEP_RUNNING;
        pthread_mutex_unlock(&worker->run->steps_lock);
        int64_t silent_ms;
        const char *function = signs_look(step, &silent_ms);
        if (!running && function == NULL)
            continue;
        json_object *entry = json_object_new_object();
        json_add_string(entry, "step_id", step->id);
        json_add_integer(entry, "rows", atomic_load(&step->rows));
        json_add_integer(entry, "bytes", atomic_load(&step->bytes));
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

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int poll_timeout(const struct worker *worker)
{
    int64_t now = clock_monotonic_ms();
    int64_t next = now + 10000;

    if (worker->door != NULL)
        next = earlier(next, door_next_deadline(worker->door));
    if (!worker->greeted)
        next = earlier(next, worker->greeting_deadline_ms);
    if (worker->lost_since_ms != 0) {
        next = earlier(next, worker->lost_since_ms + worker->resume_timeout_ms);
    } else if (worker->heartbeat_interval_ms > 0) {
        next = earlier(next, worker->last_sent_ms + worker->heartbeat_interval_ms);
        next = earlier(next, worker->last_heard_ms + worker->heartbeat_timeout_ms);
    }
    return next <= now ? 0 : (int)(next - now);
}

/* The loop. Returns 0 at a clean end, -1 with the error set when the orchestrator is gone. */

/* The peer may not hear it any more; it is its fault. */
static void say_violation(const struct worker *worker, const struct osiris_error *violation)
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
                run_wake_reader(worker->run);
                if (channel_was_heard(worker->channel))
                    worker->last_heard_ms = clock_monotonic_ms();
                return pumped < 0 ? -1 : 0;
            }
            pumped = channel_pump_ready(worker->channel, POLLIN, end, error);
            continue;
        }
        if (message == NULL || handle(worker, message, body_length, &violation) < 0) {
            say_violation(worker, &violation);
            osiris_error_clear(error);
            osiris_error_move(error, &violation);
            return -1;
        }
    }
}

/* The door: who comes first begins the session, afterwards only its own orchestrator gets in. */

/* A worker that was never spoken to takes the session of who resumes it, too: then hello was lost with its link. */
static int begin_session(struct worker *worker, struct door_visitor *visitor,
                         struct osiris_error *error)
{
    bool resumes = visitor->sequence == 0;
    json_object *data = json_member(visitor->message, resumes ? "data" : "params");
    const char *session = json_member_string(data, "session", "");
    const char *token = json_member_string(data, "token", "");
    bool may_resume = session[0] != '\0' && token[0] != '\0';
    bool is_right =
        resumes ? strcmp(json_member_string(visitor->message, "type", ""), "resume") == 0 &&
                      may_resume && json_member_integer(data, "received", -1) == 0
                : strcmp(json_member_string(visitor->message, "method", ""), "hello") == 0;

    if (!is_right)
        return 0;
    worker->channel = channel_new(steal_fd(&visitor->fd), error);
    if (worker->channel == NULL ||
        (may_resume && channel_allow_resumption(worker->channel, session, token, false, error) < 0))
        return -1;
    channel_set_place(worker->channel, find_room, worker);
    worker->greeting_deadline_ms = clock_monotonic_ms() + GREETING_MS;
    worker->resume_timeout_ms = RESUME_TIMEOUT_MS;
    return resumes ? channel_take_greeting(worker->channel, visitor->message, error)
                   : channel_take_first(worker->channel, steal_pointer(&visitor->message), error);
}

/* The old link may be there still, as far as this side can see: its other end knows better. */
static int resume_session(struct worker *worker, struct door_visitor *visitor,
                          struct osiris_error *error)
{
    if (visitor->sequence != 0 || !channel_is_resumable(worker->channel) ||
        strcmp(json_member_string(visitor->message, "type", ""), "resume") != 0 ||
        !channel_knows(worker->channel, json_member(visitor->message, "data")))
        return 0;
    return channel_reconnect(worker->channel, steal_fd(&visitor->fd), error) < 0
               ? -1
               : channel_take_greeting(worker->channel, visitor->message, error);
}

/* Whoever is not welcome is shown out without a word. True: there may be something to receive. */
static int answer_door(struct worker *worker, bool *opened, struct osiris_error *error)
{
    struct door_visitor visitor;
    int result = 0;

    *opened = false;
    while (result == 0 && door_next(worker->door, &visitor)) {
        result = worker->channel == NULL ? begin_session(worker, &visitor, error)
                                         : resume_session(worker, &visitor, error);
        if (visitor.fd < 0) {
            *opened = true;
            worker->last_heard_ms = clock_monotonic_ms();
        }
        cleanup_close_value(&visitor.fd);
        json_object_put(visitor.message);
    }
    if (result < 0 && worker->channel != NULL)
        say_violation(worker, error);
    return result;
}

/* A link that may be made again is given up when nothing comes: it may have died without a sign. */
static int check_silence(struct worker *worker, struct osiris_error *error)
{
    int64_t now = clock_monotonic_ms();

    if (worker->heartbeat_timeout_ms > 0 &&
        now >= worker->last_heard_ms + worker->heartbeat_timeout_ms) {
        osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "the orchestrator has been silent for %lld ms",
                         (long long)(now - worker->last_heard_ms));
        if (!channel_is_resumable(worker->channel))
            return -1;
        fprintf(stderr, "osiris-worker: %s; its link is given up\n",
                error->message == NULL ? "?" : error->message);
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

    if (!worker->greeted && now >= worker->greeting_deadline_ms)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "no orchestrator has said hello within %d ms",
                                GREETING_MS);
    if (worker->channel == NULL)
        return 0;
    if (!channel_is_lost(worker->channel)) {
        worker->lost_since_ms = 0;
        return check_silence(worker, error);
    }
    if (worker->lost_since_ms == 0)
        worker->lost_since_ms = now;
    /* The orchestrator has all that it asked for, and has left. */
    *end = worker->cleaned && channel_is_settled(worker->channel);
    if (!*end && now >= worker->lost_since_ms + worker->resume_timeout_ms)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                "the orchestrator has not come back within %lld ms",
                                (long long)worker->resume_timeout_ms);
    return 0;
}

#define OWN_POLL_FDS 3

static nfds_t fill_fds(const struct worker *worker, struct pollfd *fds)
{
    struct channel *channel = worker->channel;

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

static int loop(struct worker *worker, struct osiris_error *error)
{
    bool end = false;

    while (!end) {
        struct pollfd fds[OWN_POLL_FDS + DOOR_POLL_FDS];
        bool opened = false;
        int ready = poll(fds, fill_fds(worker, fds), poll_timeout(worker));
        if (ready < 0 && errno != EINTR)
            return osiris_error_set_errno(error, errno, "cannot poll");
        if (ready > 0 && fds[0].revents != 0)
            return worker->cleaned ? 0
                                   : osiris_error_set(error, OSIRIS_ERROR_CANCELLED,
                                                      "told to stop by a signal");
        if (worker->door != NULL && answer_door(worker, &opened, error) < 0)
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

/* The orchestrator is gone: nothing of the run may stay. */
static void stop_alone(struct worker *worker, const struct osiris_error *error)
{
    fprintf(stderr, "osiris-worker: %s; stopping\n",
            error->message == NULL ? "?" : error->message);
    if (worker->channel != NULL)
        channel_shutdown(worker->channel);
    if (worker->run != NULL) {
        if (run_stop(worker->run, STOP_TIMEOUT_MS))
            run_free(worker->run);
        else
            run_remove_temp_dir(worker->run);
    }
    lifecycle_kill_group();
}

/* A giant value's buffers go back to the system when they are freed. By default the allocator takes the first one
 * that is freed for the usual size, and keeps as much from then on. Batches' usual buffers are below.
 * Each arena keeps free memory of its own, and by default there are eight a core: a driver with many threads fills them all,
 * though what it allocates is few and large buffers. */
static void bound_free_memory(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
    (void)mallopt(M_ARENA_MAX, 4);
#endif
}

static int begin(struct worker *worker, int given_fd, bool listens, struct osiris_error *error)
{
    int fd = lifecycle_begin(given_fd, error);

    if (fd < 0)
        return -1;
    if (listens)
        worker->door = door_new(fd, error);
    else
        worker->channel = channel_new(fd, error);
    if (worker->door == NULL && worker->channel == NULL)
        return -1;
    if (worker->channel != NULL)
        channel_set_place(worker->channel, find_room, worker);
    worker->signal_fd = lifecycle_signal_fd(error);
    worker->last_heard_ms = worker->last_sent_ms = clock_monotonic_ms();
    worker->greeting_deadline_ms = worker->last_heard_ms + GREETING_MS;
    return worker->signal_fd < 0 ? -1 : 0;
}

static int work(int given_fd, bool listens, int stdout_fd)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *ids = json_object_new_object();
    struct worker worker = {.ids = ids, .signal_fd = -1, .stdout_fd = stdout_fd};

    bound_free_memory();
    if (ids == NULL)
        osiris_error_set_errno(&error, ENOMEM, "cannot start");
    if (ids == NULL || begin(&worker, given_fd, listens, &error) < 0) {
        fprintf(stderr, "osiris-worker: %s\n", error.message == NULL ? "?" : error.message);
        return 1;
    }
    if (loop(&worker, &error) < 0)
        stop_alone(&worker, &error);
    channel_free(worker.channel);
    door_free(worker.door);
    (void)close(worker.signal_fd);
    return 0;
}

static int usage(void)
{
    fputs("usage: osiris-worker --channel-fd N [--stdout-fd M]\n"
          "       osiris-worker --listen-fd N [--stdout-fd M]\n"
          "       osiris-worker --describe FILE...\n"
          "       osiris-worker --validate\n"
          "       osiris-worker --version\n"
          "Runs the steps of a pipeline. It is started by osiris.\n",
          stderr);
    return 2;
}

/* A descriptor's number; -1: it is none. */
static int descriptor(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    return end != text && *end == '\0' && number >= 0 && number <= 1 << 20 ? (int)number : -1;
}

int main(int argc, char **argv)
{
    int given_fd = -1, stdout_fd = -1;

    if (argc >= 2 && strcmp(argv[1], "--describe") == 0)
        return worker_describe(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "--validate") == 0)
        return worker_validate();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("osiris-worker " PACKAGE_VERSION);
        return 0;
    }
    bool listens = argc >= 3 && strcmp(argv[1], "--listen-fd") == 0;
    if ((argc == 3 || argc == 5) && (listens || strcmp(argv[1], "--channel-fd") == 0))
        given_fd = descriptor(argv[2]);
    if (argc == 5)
        stdout_fd = strcmp(argv[3], "--stdout-fd") == 0 ? descriptor(argv[4]) : -1;
    if (given_fd < 0 || (argc == 5 && (stdout_fd < 3 || stdout_fd == given_fd ||
                                       fcntl(stdout_fd, F_SETFD, FD_CLOEXEC) < 0)))
        return usage();
    return work(given_fd, listens, stdout_fd);
}
