/* Playing a trace to a fresh worker; see replay.h. */
#include "core/replay.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "core/adapter-host.h"
#include "core/channel.h"
#include "core/clock.h"
#include "core/ending-signals.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/remove-tree.h"
#include "core/replay-internal.h"
#include "core/worker-log.h"

#define SILENCE_MS 15000 /* where the trace's hello does not say */
#define EXIT_MS 5000

struct replay {
    const struct replay_options *options;
    struct adapter_sink sink;
    struct osiris_adapter_context context;
    struct adapter_host *adapter;
    struct channel *channel;
    struct worker_log *worker_log;
    int signal_fd;
    char *folder, *temp_dir, *artifacts_dir;
    json_object *asked;   /* {id: request as it was sent}, not answered yet */
    json_object *answers; /* {id: message} that have come, not compared yet */
    int64_t interval_ms, silence_ms, last_sent_ms, last_heard_ms;
};

/* The worker. */

static void ignore_log(void *context, int level, const char *source, const char *message)
{
    (void)context;
    (void)level;
    (void)source;
    (void)message;
}

static void ignore_event(void *context, const char *name, json_object *fields)
{
    (void)context;
    (void)name;
    json_object_put(fields);
}

static void ignore_metric(void *context, const char *name, double value, const char *unit)
{
    (void)context;
    (void)name;
    (void)value;
    (void)unit;
}

static bool never_cancelled(void *context)
{
    (void)context;
    return false;
}

static void on_worker_line(void *context, const char *text)
{
    const struct replay_options *options = context;
    _cleanup_free_ char *clean = redactor_text(options->redactor, text, strlen(text));

    if (clean != NULL && options->log != NULL)
        options->log(options->context, clean);
}

static int make_folders(struct replay *replay, struct osiris_error *error)
{
    const char *parent = getenv("TMPDIR");

    if (asprintf(&replay->folder, "%s/osiris-replay-XXXXXX",
                 parent == NULL || parent[0] != '/' ? "/tmp" : parent) < 0) {
        replay->folder = NULL;
        return osiris_error_set_errno(error, ENOMEM, "cannot replay");
    }
    if (mkdtemp(replay->folder) == NULL) {
        osiris_error_set_errno(error, errno, "cannot make the folder \"%s\"", replay->folder);
        free(steal_pointer(&replay->folder));
        return -1;
    }
    if (asprintf(&replay->temp_dir, "%s/tmp", replay->folder) < 0)
        replay->temp_dir = NULL;
    if (asprintf(&replay->artifacts_dir, "%s/artifacts", replay->folder) < 0)
        replay->artifacts_dir = NULL;
    return replay->temp_dir == NULL || replay->artifacts_dir == NULL
               ? osiris_error_set_errno(error, ENOMEM, "cannot replay")
               : 0;
}

static int start_worker(struct replay *replay, struct osiris_error *error)
{
    static const char *const nothing[] = {NULL};
    const struct replay_options *options = replay->options;
    struct osiris_channel made;

    replay->sink = (struct adapter_sink){.log = ignore_log,
                                         .event = ignore_event,
                                         .metric = ignore_metric,
                                         .cancelled = never_cancelled};
    replay->context = (struct osiris_adapter_context){.struct_size = sizeof replay->context,
                                                      .manifest = "{}",
                                                      .worker_path = options->worker_path,
                                                      .driver_paths = nothing,
                                                      .environment = nothing,
                                                      .run_dir = replay->folder,
                                                      .artifacts_dir = replay->artifacts_dir};
    const struct adapter_host_options host = {.name = "local",
                                              .adapter_path = options->adapter_path,
                                              .adapter_dir = options->adapter_dir,
                                              .run_id = "replay",
                                              .sink = &replay->sink,
                                              .context = &replay->context};
    replay->adapter = adapter_host_open(&host, error);
    if (replay->adapter == NULL || adapter_host_prepare(replay->adapter, error) < 0 ||
        adapter_host_execute(replay->adapter, &made, error) < 0)
        return -1;
    replay->worker_log = worker_log_new(made.diagnostics, on_worker_line, (void *)options);
    replay->channel = channel_new(made.socket, error);
    if (replay->worker_log == NULL && replay->channel != NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot talk to the worker");
    return replay->worker_log == NULL || replay->channel == NULL ? -1 : 0;
}

static void end_worker(struct replay *replay)
{
    struct osiris_worker_exit end;

    channel_free(replay->channel);
    if (replay->adapter != NULL) {
        adapter_host_worker_exit(replay->adapter, EXIT_MS, &end);
        adapter_host_terminate(replay->adapter, OSIRIS_TERMINATE_KILL);
    }
    if (replay->worker_log != NULL)
        worker_log_drain(replay->worker_log);
    worker_log_free(replay->worker_log);
    adapter_host_close(replay->adapter);
    if (replay->folder != NULL)
        remove_tree(replay->folder);
    json_object_put(replay->asked);
    json_object_put(replay->answers);
    cleanup_close_value(&replay->signal_fd);
    free(replay->temp_dir);
    free(replay->artifacts_dir);
    free(replay->folder);
}

/* What is sent instead of what was. */

/* This link is the only one. */
static void renew_hello(struct replay *replay, json_object *params)
{
    json_object_object_del(params, "session");
    json_object_object_del(params, "token");
    json_add_integer(params, "resume_timeout_ms", 0);
    json_add_string(params, "version", replay->options->version);
    replay->interval_ms = json_member_integer(params, "heartbeat_interval_ms", 0);
    replay->silence_ms = json_member_integer(params, "heartbeat_timeout_ms", SILENCE_MS);
}

static int renew_environment(json_object *environment, struct osiris_error *error)
{
    _cleanup_json_ json_object *names = NULL;

    if (json_object_deep_copy(environment, &names, NULL) < 0)
        return environment == NULL ? 0 : osiris_error_set_errno(error, ENOMEM, "cannot replay");
    json_object_object_foreach(names, name, masked)
    {
        const char *value = getenv(name);
        (void)masked;
        if (value == NULL)
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                    "the run passed the environment variable %.64s to its steps; set it",
                                    name);
        json_add_string(environment, name, value);
    }
    return 0;
}

static int renew_prepare(struct replay *replay, json_object *params, struct osiris_error *error)
{
    const struct replay_options *options = replay->options;

    json_add_string(params, "artifacts_dir", replay->artifacts_dir);
    json_add_string(params, "temp_dir", replay->temp_dir);
    if (options->plan != NULL) {
        _cleanup_json_ json_object *plan = redactor_json(options->redactor, options->plan);
        if (!json_object_equal(plan, json_member(params, "plan")))
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                    "the pipeline is not what it was when it was traced: the "
                                    "plans differ");
        json_add(params, "plan", json_object_get(options->plan));
        json_add(params, "connections", json_object_get(options->connections));
        json_add(params, "secrets", json_object_get(options->secrets));
    }
    return renew_environment(json_member(params, "environment"), error);
}

static void renew_step(const struct replay *replay, json_object *params)
{
    const char *step_id = json_member_string(params, "step_id", "");
    json_object *config = json_member(replay->options->configs, step_id);

    if (config != NULL && trace_is_masked(json_member(params, "config")))
        json_add(params, "config", json_object_get(config));
}

static int renew(struct replay *replay, json_object *message, struct osiris_error *error)
{
    const char *method = json_member_string(message, "method", "");
    json_object *params = json_member(message, "params");

    if (strcmp(method, "hello") == 0)
        renew_hello(replay, params);
    else if (strcmp(method, "prepare") == 0)
        return renew_prepare(replay, params, error);
    else if (strcmp(method, "execute_step") == 0)
        renew_step(replay, params);
    return 0;
}

/* Asking, waiting, comparing. */

/* Heartbeats are sent anew, acks are the channel's. */
static int send_request(struct replay *replay, json_object *message, struct osiris_error *error)
{
    const char *id = json_member_string(message, "id", NULL);

    if (id == NULL || json_member_string(message, "method", NULL) == NULL)
        return 0;
    if (renew(replay, message, error) < 0)
        return -1;
    if (channel_send(replay->channel, message, false, error) < 0)
        return osiris_error_prefix(error, "%.64s %.64s cannot be asked", id,
                                   json_member_string(message, "method", ""));
    json_add(replay->asked, id, json_object_get(message));
    replay->last_sent_ms = clock_monotonic_ms();
    return 0;
}

static int send_heartbeat(struct replay *replay, struct osiris_error *error)
{
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_string(message, "type", "heartbeat");
    json_add(message, "data", json_object_new_object());
    replay->last_sent_ms = clock_monotonic_ms();
    return channel_send(replay->channel, message, false, error);
}

static int take_messages(struct replay *replay, struct osiris_error *error)
{
    bool end = false;
    int pumped = channel_pump(replay->channel, &end, error);

    for (;;) {
        _cleanup_error_ struct osiris_error violation = OSIRIS_ERROR_INIT;
        _cleanup_json_ json_object *message = channel_receive(replay->channel, &violation);
        if (message == NULL && violation.category != 0) {
            osiris_error_clear(error);
            osiris_error_move(error, &violation);
            return -1;
        }
        if (message == NULL)
            break;
        const char *id = json_member_string(message, "id", NULL);
        if (id != NULL && json_member(replay->asked, id) != NULL)
            json_add(replay->answers, id, json_object_get(message));
    }
    if (channel_was_heard(replay->channel))
        replay->last_heard_ms = clock_monotonic_ms();
    if (pumped < 0)
        return -1;
    return end ? osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the worker closed its channel") : 0;
}

static int poll_once(struct replay *replay, struct osiris_error *error)
{
    struct pollfd fds[] = {
        {.fd = channel_fd(replay->channel), .events = channel_poll_events(replay->channel)},
        {.fd = channel_wake_fd(replay->channel), .events = POLLIN},
        {.fd = worker_log_fd(replay->worker_log), .events = POLLIN},
        {.fd = replay->signal_fd, .events = POLLIN},
    };
    int64_t now = clock_monotonic_ms(), next = replay->last_heard_ms + replay->silence_ms;

    if (now >= next)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "the worker has been silent for %lld ms",
                                (long long)(now - replay->last_heard_ms));
    if (replay->interval_ms > 0 && now >= replay->last_sent_ms + replay->interval_ms &&
        send_heartbeat(replay, error) < 0)
        return -1;
    if (replay->interval_ms > 0 && replay->last_sent_ms + replay->interval_ms < next)
        next = replay->last_sent_ms + replay->interval_ms;
    if (poll(fds, sizeof fds / sizeof fds[0], next > now ? (int)(next - now) : 0) < 0)
        return errno == EINTR ? 0 : osiris_error_set_errno(error, errno, "cannot poll");
    if (fds[3].revents != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped by a signal");
    if (fds[2].revents != 0)
        worker_log_read(replay->worker_log);
    return fds[0].revents != 0 || fds[1].revents != 0 ? take_messages(replay, error) : 0;
}

static int await_answer(struct replay *replay, json_object *expected, struct osiris_error *error)
{
    const struct replay_options *options = replay->options;
    const char *id = json_member_string(expected, "id", NULL);
    json_object *asked = id == NULL ? NULL : json_member(replay->asked, id);

    if (asked == NULL)
        return 0;
    while (json_member(replay->answers, id) == NULL)
        if (poll_once(replay, error) < 0)
            return osiris_error_prefix(error, "%.64s %.64s is not answered", id,
                                       json_member_string(asked, "method", ""));
    _cleanup_json_ json_object *got =
        redactor_json(options->redactor, json_member(replay->answers, id));
    _cleanup_json_ json_object *differences = replay_compare(expected, got);
    if (got == NULL || differences == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot compare");
    options->compared(options->context, id, json_member_string(asked, "method", ""),
                      json_member_string(json_member(asked, "params"), "step_id", NULL),
                      differences);
    json_object_object_del(replay->answers, id);
    json_object_object_del(replay->asked, id);
    return 0;
}

static int play(struct replay *replay, struct osiris_error *error)
{
    struct trace_record record;
    int result, played = 0;

    while (played == 0 && (result = trace_reader_next(replay->options->trace, &record, error)) > 0) {
        if (!record.is_end && strcmp(record.place, replay->options->place) == 0)
            played = record.from_osiris ? send_request(replay, record.message, error)
                                        : await_answer(replay, record.message, error);
        trace_record_clear(&record);
    }
    return played < 0 ? -1 : result;
}

/* So that a signal leaves nothing behind. */
static int watch_signals(struct replay *replay, sigset_t *saved, struct osiris_error *error)
{
    sigset_t signals;

    ending_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, saved);
    replay->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return replay->signal_fd < 0 ? osiris_error_set_errno(error, errno, "cannot watch for signals")
                                 : 0;
}

int replay_run(const struct replay_options *options, struct osiris_error *error)
{
    struct replay replay = {.options = options, .signal_fd = -1, .silence_ms = SILENCE_MS};
    sigset_t saved;
    int result = watch_signals(&replay, &saved, error);

    replay.asked = json_object_new_object();
    replay.answers = json_object_new_object();
    if (result == 0 && (replay.asked == NULL || replay.answers == NULL))
        result = osiris_error_set_errno(error, ENOMEM, "cannot replay");
    if (result == 0)
        result = make_folders(&replay, error);
    if (result == 0)
        result = start_worker(&replay, error);
    replay.last_sent_ms = replay.last_heard_ms = clock_monotonic_ms();
    if (result == 0)
        result = play(&replay, error);
    end_worker(&replay);
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return result;
}
