/* One run of a compiled pipeline: set-up, poll loop, tear-down; see session.h. */
#include "core/session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "core/atomic-file.h"
#include "core/canonical-json.h"
#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/session-state.h"

#define FLUSH_INTERVAL_MS 250

static const struct session_limits default_limits = {
    .hello_ms = 10000,
    .prepare_ms = 60000,
    .heartbeat_interval_ms = 5000,
    .heartbeat_timeout_ms = 15000,
    .cancel_grace_ms = 10000,
    .exit_ms = 5000,
    .queue_bytes = 2 << 20,
    .spill_bytes = 8 << 20,
};

static void fill_limit(int64_t *limit, int64_t fallback)
{
    if (*limit <= 0)
        *limit = fallback;
}

static void fill_limits(struct session_limits *limits)
{
    fill_limit(&limits->hello_ms, default_limits.hello_ms);
    fill_limit(&limits->prepare_ms, default_limits.prepare_ms);
    fill_limit(&limits->heartbeat_interval_ms, default_limits.heartbeat_interval_ms);
    fill_limit(&limits->heartbeat_timeout_ms, default_limits.heartbeat_timeout_ms);
    fill_limit(&limits->cancel_grace_ms, default_limits.cancel_grace_ms);
    fill_limit(&limits->exit_ms, default_limits.exit_ms);
    fill_limit(&limits->queue_bytes, default_limits.queue_bytes);
    fill_limit(&limits->spill_bytes, default_limits.spill_bytes);
}

/* Failing. */

void session_fail(struct session *session, struct osiris_error *error)
{
    if (session->failure.category == 0)
        osiris_error_move(&session->failure, error);
    osiris_error_clear(error);
    schedule_stop(session->schedule);
    if (session->grace_deadline_ms == 0)
        session->grace_deadline_ms = clock_monotonic_ms() + session->limits.cancel_grace_ms;
}

/* "step \"a\" (x.extractor) and step \"b\" (y.writer)" */
static char *running_steps(const struct session *session)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);
    size_t found = 0;

    for (size_t i = 0; i < session->step_count; i++) {
        if (schedule_step_state(session->schedule, i) != STEP_REQUESTED)
            continue;
        buffer_append_format(&text, "%sstep \"%s\" (%s)", found++ > 0 ? " and " : "",
                             session->steps[i].id, session->steps[i].component);
    }
    if (found == 0)
        buffer_append_text(&text, "no step");
    return buffer_steal(&text);
}

static void describe_end(const struct session *session, const struct osiris_worker_exit *end,
                         struct osiris_error *error)
{
    _cleanup_free_ char *running = running_steps(session);
    const char *steps = running == NULL ? "" : running;
    const char *name;

    if (session->killed) {
        osiris_error_prefix(error, "the worker was killed while %s was running", steps);
    } else if (end->state == OSIRIS_WORKER_SIGNALLED) {
        name = sigabbrev_np(end->code);
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the worker was killed by SIG%s while %s was running",
                         name == NULL ? "?" : name, steps);
    } else if (end->state == OSIRIS_WORKER_EXITED) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the worker exited with status %d while %s was running", end->code,
                         steps);
    } else if (error->message == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the worker is gone while %s was running",
                         steps);
    } else {
        osiris_error_prefix(error, "lost the worker while %s was running", steps);
    }
}

/* The step to blame if there is only one that can be. */
static void blame_only_step(const struct session *session, struct osiris_error *error)
{
    size_t found = (size_t)-1;

    for (size_t i = 0; i < session->step_count; i++)
        if (schedule_step_state(session->schedule, i) == STEP_REQUESTED) {
            if (found != (size_t)-1)
                return;
            found = i;
        }
    if (found == (size_t)-1)
        return;
    error->step_id = strdup(session->steps[found].id);
    error->component = strdup(session->steps[found].component);
}

void session_break(struct session *session, struct osiris_error *error)
{
    struct osiris_worker_exit end;

    if (session->phase == SESSION_BROKEN) {
        osiris_error_clear(error);
        return;
    }
    session->phase = SESSION_BROKEN;
    channel_shutdown(session->channel);
    /* A worker that has just died is not always a zombie yet when its socket has closed. */
    adapter_host_worker_exit(session->adapter, session->killed ? 2000 : 1000, &end);
    if (end.state == OSIRIS_WORKER_RUNNING) {
        adapter_host_terminate(session->adapter, OSIRIS_TERMINATE_KILL);
        session->killed = true;
    }
    worker_log_drain(session->worker_log);
    describe_end(session, &end, error);
    _cleanup_free_ char *words = worker_log_last_words(session->worker_log);
    if (words != NULL && words[0] != '\0')
        osiris_error_hint(error, "its last words: %s", words);
    free(error->type);
    error->type = strdup("WorkerCrashError");
    error->retryable = true;
    blame_only_step(session, error);
    for (size_t i = 0; i < session->step_count; i++)
        if (schedule_step_state(session->schedule, i) == STEP_REQUESTED) {
            session_step_ended(session, i, NULL, error);
            schedule_step_ended(session->schedule, i, false);
        }
    session_fail(session, error);
}

static void break_with(struct session *session, int category, const char *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, category, "%s", message);
    session_break(session, &error);
}

/* Time. */

static void kill_worker(struct session *session)
{
    session->killed = true;
    adapter_host_terminate(session->adapter, OSIRIS_TERMINATE_KILL);
}

static void check_deadlines(struct session *session)
{
    int64_t now = clock_monotonic_ms();

    if (session->grace_deadline_ms != 0 && now >= session->grace_deadline_ms) {
        session_log(session, OSIRIS_WARNING, "worker",
                    "the worker does not stop within its grace time; it is killed");
        kill_worker(session);
        break_with(session, OSIRIS_ERROR_TIMEOUT, "it did not stop in time and was killed");
    } else if (session->phase_deadline_ms != 0 && now >= session->phase_deadline_ms) {
        kill_worker(session);
        break_with(session, OSIRIS_ERROR_TIMEOUT,
                   session->phase == SESSION_CLEANING
                       ? "it did not clean up in time"
                       : "it did not become ready in time");
    } else if (now >= session->last_heard_ms + session->limits.heartbeat_timeout_ms) {
        kill_worker(session);
        break_with(session, OSIRIS_ERROR_TIMEOUT, "no heartbeat came; it was killed");
    } else if (now >= session->last_sent_ms + session->limits.heartbeat_interval_ms) {
        session_send_heartbeat(session);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return b != 0 && b < a ? b : a;
}

static int poll_timeout(const struct session *session)
{
    int64_t now = clock_monotonic_ms();
    int64_t next = session->last_sent_ms + session->limits.heartbeat_interval_ms;

    next = earlier(next, session->last_heard_ms + session->limits.heartbeat_timeout_ms);
    next = earlier(next, session->phase_deadline_ms);
    next = earlier(next, session->grace_deadline_ms);
    next = earlier(next, now + FLUSH_INTERVAL_MS);
    return next <= now ? 0 : (int)(next - now);
}

/* Signals: the first cancels, the second kills. */

static void cancel(struct session *session, int signal_number)
{
    const struct session_options *options = session->options;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    const char *name = sigabbrev_np(signal_number);

    session->result->signal_number = signal_number;
    osiris_error_set(&error, OSIRIS_ERROR_CANCELLED, "cancelled by SIG%s", name);
    session_fail(session, &error);
    if (options->observer != NULL && options->observer->cancelling != NULL)
        options->observer->cancelling(options->observer_context, signal_number);
    if (session->phase == SESSION_RUNNING)
        session_send_cancel(session);
}

static void read_signals(struct session *session)
{
    struct signalfd_siginfo info;

    while (read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (session->result->signal_number == 0) {
            cancel(session, (int)info.ssi_signo);
        } else {
            kill_worker(session);
            break_with(session, OSIRIS_ERROR_CANCELLED, "killed by a second signal");
        }
    }
}

/* The loop. */

static void advance(struct session *session)
{
    size_t index;

    while (session->phase == SESSION_RUNNING) {
        switch (schedule_next(session->schedule, &index)) {
        case SCHEDULE_START_STEP: {
            const struct session_options *options = session->options;
            struct session_step *step = &session->steps[index];
            json_object *fields = json_object_new_object();
            json_add_string(fields, "step_id", step->id);
            json_add_string(fields, "driver",
                            json_member_string(schedule_step(session->schedule, index), "driver",
                                               NULL));
            session_event(session, "step_start", fields);
            if (options->observer != NULL && options->observer->step_started != NULL)
                options->observer->step_started(options->observer_context, step->id,
                                                step->component);
            session_send_step(session, index);
            break;
        }
        case SCHEDULE_COMMIT:
            session_send_commit(session, index);
            break;
        case SCHEDULE_ABORT:
            session_send_abort(session, index);
            break;
        case SCHEDULE_NOTHING:
            if (!schedule_finished(session->schedule))
                return;
            session_event(session, "cleanup_start", NULL);
            session_send_cleanup(session);
            if (session->phase != SESSION_BROKEN) {
                session->phase = SESSION_CLEANING;
                session->phase_deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
            }
            return;
        }
    }
}

static void receive(struct session *session)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool end = false;
    int pumped = channel_pump(session->channel, &end, &error);

    /* What came before the end or the fault still counts. */
    while (session->phase < SESSION_ENDED) {
        struct osiris_error violation = OSIRIS_ERROR_INIT;
        _cleanup_json_ json_object *message = channel_receive(session->channel, &violation);
        if (message != NULL) {
            session_handle(session, message);
            continue;
        }
        if (violation.category != 0) {
            osiris_error_clear(&error);
            session_break(session, &violation);
            return;
        }
        break;
    }
    if (session->phase >= SESSION_ENDED)
        osiris_error_clear(&error);
    else if (pumped < 0)
        session_break(session, &error);
    else if (end)
        break_with(session, OSIRIS_ERROR_INTERNAL, "it closed its channel");
}

static void loop(struct session *session)
{
    while (session->phase < SESSION_ENDED) {
        advance(session);
        if (session->phase >= SESSION_ENDED)
            return;
        struct pollfd fds[] = {
            {.fd = channel_fd(session->channel),
             .events = channel_poll_events(session->channel)},
            {.fd = channel_wake_fd(session->channel), .events = POLLIN},
            {.fd = worker_log_fd(session->worker_log), .events = POLLIN},
            {.fd = session->signal_fd, .events = POLLIN},
        };
        int ready = poll(fds, sizeof fds / sizeof fds[0], poll_timeout(session));
        if (ready < 0 && errno != EINTR) {
            break_with(session, OSIRIS_ERROR_INTERNAL, "cannot poll");
            return;
        }
        if (ready > 0 && fds[3].revents != 0)
            read_signals(session);
        if (ready > 0 && fds[2].revents != 0)
            worker_log_read(session->worker_log);
        if (ready > 0 && (fds[0].revents != 0 || fds[1].revents != 0) &&
            session->phase < SESSION_ENDED)
            receive(session);
        if (session->phase < SESSION_ENDED)
            check_deadlines(session);
        if (ready == 0)
            rundir_flush(session->options->rundir);
    }
}

/* Set-up. */

static void on_worker_line(void *context, const char *text)
{
    session_log(context, OSIRIS_DEBUG, "worker", text);
}

static void on_adapter_log(void *context, int level, const char *source, const char *message)
{
    session_log(context, level, source, message);
}

static void on_adapter_event(void *context, const char *name, json_object *fields)
{
    session_event(context, name, fields);
}

static void on_adapter_metric(void *context, const char *name, double value, const char *unit)
{
    const struct session *session = context;

    rundir_metric(session->options->rundir, name, value, unit, NULL);
}

static bool on_adapter_cancelled(void *context)
{
    struct session *session = context;

    return session->result->signal_number != 0;
}

static int make_steps(struct session *session, struct osiris_error *error)
{
    session->step_count = schedule_step_count(session->schedule);
    session->steps = calloc(session->step_count + 1, sizeof *session->steps);
    session->result->steps = json_object_new_object();
    if (session->steps == NULL || session->result->steps == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot run");
    session->result->steps_total = session->step_count;
    for (size_t i = 0; i < session->step_count; i++) {
        json_object *plan_step = schedule_step(session->schedule, i);
        struct session_step *step = &session->steps[i];
        step->id = json_member_string(plan_step, "id", "");
        step->component = json_member_string(plan_step, "component", "");
        step->record = json_object_new_object();
        json_add_string(step->record, "status", "skipped");
        json_add_string(step->record, "component", step->component);
        json_add(session->result->steps, step->id, step->record);
        if (json_member(session->result->steps, step->id) != step->record)
            return osiris_error_set_errno(error, ENOMEM, "cannot run");
    }
    return 0;
}

/* The files of the drivers that the plan names, each once; NULL-terminated, strings borrowed. */
static const char **driver_paths(const struct session *session)
{
    const char **paths = calloc(session->step_count + 1, sizeof *paths);
    size_t count = 0;

    for (size_t i = 0; paths != NULL && i < session->step_count; i++) {
        const char *driver =
            json_member_string(schedule_step(session->schedule, i), "driver", "");
        const struct component *component =
            registry_find(session->options->registry, driver, NULL);
        size_t known = 0;
        while (component != NULL && known < count && strcmp(paths[known], component->file) != 0)
            known++;
        if (component != NULL && known == count)
            paths[count++] = component->file;
    }
    return paths;
}

static int connect_worker(struct session *session, struct osiris_error *error)
{
    struct osiris_channel made;

    if (adapter_host_execute(session->adapter, &made, error) < 0)
        return -1;
    session->worker_log = worker_log_new(made.diagnostics, on_worker_line, session);
    session->channel = channel_new(made.socket, error);
    if (session->worker_log == NULL && session->channel != NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot talk to the worker");
    if (session->worker_log == NULL || session->channel == NULL)
        return -1;
    session->last_heard_ms = session->last_sent_ms = clock_monotonic_ms();
    session->phase_deadline_ms = session->last_heard_ms + session->limits.hello_ms;
    return 0;
}

/* Tear-down. */

static void end_worker(struct session *session)
{
    struct osiris_worker_exit end;
    int64_t started_ms = clock_monotonic_ms();

    channel_free(session->channel);
    session->channel = NULL;
    adapter_host_worker_exit(session->adapter, (int)session->limits.exit_ms, &end);
    if (end.state == OSIRIS_WORKER_RUNNING) {
        char text[96];
        snprintf(text, sizeof text, "the worker did not end within %lld ms; it is killed",
                 (long long)(clock_monotonic_ms() - started_ms));
        session_log(session, OSIRIS_WARNING, "worker", text);
        kill_worker(session);
        adapter_host_worker_exit(session->adapter, (int)session->limits.exit_ms, &end);
    }
    worker_log_drain(session->worker_log);
    worker_log_free(session->worker_log);
    session->worker_log = NULL;
    if (end.state != OSIRIS_WORKER_RUNNING)
        rundir_metric(session->options->rundir, "adapter_exit_code",
                      end.state == OSIRIS_WORKER_SIGNALLED ? 128 + end.code : end.code, NULL,
                      NULL);
}

static void phase_event(struct session *session, const char *event)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "adapter", session->options->adapter);
    session_event(session, event, fields);
}

static int converse(struct session *session, struct osiris_error *error)
{
    int64_t started_ns = clock_monotonic_ns();
    json_object *fields = json_object_new_object();
    int result = connect_worker(session, error);

    if (result == 0) {
        session->phase = SESSION_GREETING;
        /* One round trip instead of two: the worker takes them in order. */
        session_send_hello(session);
        session_send_prepare(session);
        loop(session);
        session_event(session, "cleanup_complete", NULL);
        end_worker(session);
        /* A signal that came when everything was published already has cancelled nothing. */
        if (schedule_succeeded(session->schedule) &&
            session->failure.category == OSIRIS_ERROR_CANCELLED) {
            osiris_error_clear(&session->failure);
            session->result->signal_number = 0;
        }
        if (!schedule_succeeded(session->schedule) || session->failure.category != 0) {
            osiris_error_move(error, &session->failure);
            result = -1;
        }
    }
    json_add_boolean(fields, "success", result == 0);
    session_event(session, "adapter_execute_complete", fields);
    rundir_metric(session->options->rundir, "adapter_execution_duration",
                  (double)(clock_monotonic_ns() - started_ns) / 1e9, "seconds", NULL);
    return result;
}

static int with_adapter(struct session *session, struct osiris_error *error)
{
    int result;

    phase_event(session, "adapter_prepare_start");
    if (adapter_host_prepare(session->adapter, error) < 0)
        return -1;
    phase_event(session, "adapter_prepare_complete");
    phase_event(session, "adapter_execute_start");
    result = converse(session, error);

    struct osiris_error collecting = OSIRIS_ERROR_INIT;
    phase_event(session, "adapter_collect_start");
    if (adapter_host_collect(session->adapter, &collecting) < 0) {
        session_log(session, OSIRIS_ERROR, session->options->adapter, collecting.message);
        if (result == 0)
            osiris_error_move(error, &collecting);
        result = -1;
    }
    osiris_error_clear(&collecting);
    phase_event(session, "adapter_collect_complete");
    return result;
}

#ifdef OSIRIS_SANITIZED
/* A sanitizer's options are part of the build under test, not of the user's environment. */
static const char *const sanitizer_variables[] = {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
                                                  "TSAN_OPTIONS"};
#define SANITIZER_VARIABLES (sizeof sanitizer_variables / sizeof sanitizer_variables[0])
#else
#define SANITIZER_VARIABLES 0
#endif

/* What the worker's process starts with: nothing. What the user lets through travels in `prepare`. */
static void fill_environment(char *environment[SANITIZER_VARIABLES + 1])
{
    size_t count = 0;

#ifdef OSIRIS_SANITIZED
    for (size_t i = 0; i < SANITIZER_VARIABLES; i++) {
        const char *value = getenv(sanitizer_variables[i]);
        if (value != NULL &&
            asprintf(&environment[count], "%s=%s", sanitizer_variables[i], value) >= 0)
            count++;
    }
#endif
    environment[count] = NULL;
}

static int run_adapter(struct session *session, struct osiris_error *error)
{
    const struct session_options *options = session->options;
    char *environment[SANITIZER_VARIABLES + 1];
    _cleanup_free_ const char **drivers = driver_paths(session);
    const struct adapter_sink sink = {
        .log = on_adapter_log,
        .event = on_adapter_event,
        .metric = on_adapter_metric,
        .cancelled = on_adapter_cancelled,
        .context = session,
    };

    if (drivers == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot run");
    fill_environment(environment);
    const struct osiris_adapter_context context = {
        .struct_size = sizeof context,
        .manifest = json_object_to_json_string_ext(options->compiled->manifest,
                                                   JSON_C_TO_STRING_PLAIN),
        .worker_path = options->worker_path,
        .driver_paths = drivers,
        .environment = (const char *const *)environment,
        .run_dir = rundir_path(options->rundir),
        .artifacts_dir = rundir_artifacts_path(options->rundir),
    };
    const struct adapter_host_options host_options = {
        .name = options->adapter,
        .options = options->adapter_options,
        .adapter_path = options->adapter_path,
        .adapter_dir = options->adapter_dir,
        .run_id = options->run_id,
        .sink = &sink,
        .context = &context,
    };
    int result = -1;
    session->adapter = adapter_host_open(&host_options, error);
    if (session->adapter != NULL) {
        result = with_adapter(session, error);
        adapter_host_close(session->adapter);
        session->adapter = NULL;
    }
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    return result;
}

static void record_inputs(struct session *session)
{
    for (size_t i = 0; i < session->step_count; i++) {
        json_object *inputs = json_member(schedule_step(session->schedule, i), "inputs");
        for (size_t j = 0; j < json_array_count(inputs); j++) {
            json_object *input = json_object_array_get_idx(inputs, j);
            json_object *fields = json_object_new_object();
            json_add_string(fields, "step_id", session->steps[i].id);
            json_add_string(fields, "from_step", json_member_string(input, "from", NULL));
            json_add_string(fields, "key", json_member_string(input, "name", NULL));
            json_add_boolean(fields, "from_memory", true);
            session_event(session, "inputs_resolved", fields);
        }
    }
}

/* artifacts/<step>/cleaned_config.json: what the step is run with, less its secrets. */
static int write_config(struct session *session, const struct session_step *step,
                        struct osiris_error *error)
{
    const struct session_options *options = session->options;
    _cleanup_free_ char *folder = NULL, *path = NULL;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(64u << 20);
    _cleanup_json_ json_object *clean =
        redactor_json(options->redactor, json_member(options->compiled->configs, step->id));

    canonical_json(clean, &text);
    buffer_append_char(&text, '\n');
    if (text.failed ||
        asprintf(&folder, "%s/%s", rundir_artifacts_path(options->rundir), step->id) < 0 ||
        asprintf(&path, "%s/cleaned_config.json", folder) < 0)
        return osiris_error_set_errno(error, ENOMEM, "cannot record the config of \"%s\"",
                                      step->id);
    if (make_directories(folder, 0755, error) < 0 ||
        atomic_file_write(path, text.data, text.length, 0644, error) < 0)
        return -1;
    json_object *fields = json_object_new_object();
    json_add_string(fields, "step_id", step->id);
    json_add_string(fields, "artifact_type", "cleaned_config");
    json_add_string(fields, "path", path);
    session_event(session, "artifact_created", fields);
    return 0;
}

static int write_configs(struct session *session, struct osiris_error *error)
{
    for (size_t i = 0; i < session->step_count; i++)
        if (write_config(session, &session->steps[i], error) < 0)
            return -1;
    return 0;
}

static void free_session(struct session *session)
{
    channel_free(session->channel);
    worker_log_free(session->worker_log);
    schedule_free(session->schedule);
    free(session->steps);
    free(session->requests);
    osiris_error_clear(&session->failure);
    cleanup_close_value(&session->signal_fd);
}

int session_run(const struct session_options *options, struct session_result *result,
                struct osiris_error *error)
{
    struct session session = {.options = options,
                              .result = result,
                              .limits = options->limits,
                              .signal_fd = -1};
    sigset_t signals, saved;
    int64_t started_ns = clock_monotonic_ns();
    int outcome = -1;

    *result = (struct session_result){0};
    fill_limits(&session.limits);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &signals, &saved) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "cannot block signals");
    session.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    session.schedule = schedule_new(options->compiled->plan, error);
    if (session.signal_fd < 0)
        osiris_error_set_errno(error, errno, "cannot watch for signals");
    else if (session.schedule != NULL && make_steps(&session, error) == 0) {
        rundir_metric(options->rundir, "steps_total", (double)session.step_count, NULL, NULL);
        record_inputs(&session);
        outcome = write_configs(&session, error) < 0 ? -1 : run_adapter(&session, error);
        rundir_metric(options->rundir, "steps_completed", (double)result->steps_completed, NULL,
                      NULL);
        rundir_metric(options->rundir, "execution_duration",
                      (double)(clock_monotonic_ns() - started_ns) / 1e9, "seconds", NULL);
    }
    free_session(&session);
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return outcome;
}
