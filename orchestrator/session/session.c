/* One run of a compiled pipeline: set-up, poll loop, tear-down; see session.h. */
#include "orchestrator/session/session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "core/base/clock.h"
#include "core/base/ending-signals.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/output/litter.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "orchestrator/session/state.h"

#define FLUSH_INTERVAL_MS 250

static const struct session_limits default_limits = {
    .hello_ms = 10000,
    .prepare_ms = 60000,
    .heartbeat_interval_ms = 5000,
    .heartbeat_timeout_ms = 15000,
    .cancel_grace_ms = 10000,
    .commit_ms = 600000,
    .exit_ms = 5000,
    .resume_ms = 60000,
    .silence_ms = 300000,
    .queue_bytes = 1 << 20,
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
    fill_limit(&limits->commit_ms, default_limits.commit_ms);
    fill_limit(&limits->exit_ms, default_limits.exit_ms);
    fill_limit(&limits->resume_ms, default_limits.resume_ms);
    if (limits->silence_ms == 0)
        limits->silence_ms = default_limits.silence_ms;
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
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++)
        session_tell_group(session, i);
    session_stop_starting(session);
    if (session->grace_deadline_ms == 0)
        session->grace_deadline_ms = clock_monotonic_ms() + session->limits.cancel_grace_ms;
}

/* Time. */

static int poll_timeout(const struct session *session)
{
    int64_t now = clock_monotonic_ms();
    int64_t next = session_next_deadline(session);

    if (next > now + FLUSH_INTERVAL_MS)
        next = now + FLUSH_INTERVAL_MS;
    return next <= now ? 0 : (int)(next - now);
}

/* Signals: the first cancels, the second kills. Not a second SIGHUP: of a terminal that closes kernel and shell both tell. */

static void cancel(struct session *session, int signal_number)
{
    const struct session_options *options = session->options;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    const char *name = sigabbrev_np(signal_number);

    session->result->signal_number = signal_number;
    session_cancel_adapters(session);
    osiris_error_set(&error, OSIRIS_ERROR_CANCELLED, "cancelled by SIG%s", name);
    session_fail(session, &error);
    if (options->observer != NULL && options->observer->cancelling != NULL)
        options->observer->cancelling(options->observer_context, signal_number);
    session_cancel_all(session);
}

static void read_signals(struct session *session)
{
    struct signalfd_siginfo info;

    while (read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        for (int count = signal_tally_take(&session->signals, &info); count > 0; count--) {
            if (session->result->signal_number == 0)
                cancel(session, (int)info.ssi_signo);
            else if (info.ssi_signo != SIGHUP)
                session_break_all(session, OSIRIS_ERROR_CANCELLED, "killed by a second signal");
        }
    }
}

/* The loop. */

static void start_step(struct session *session, size_t index)
{
    const struct session_options *options = session->options;
    struct session_step *step = &session->steps[index];
    json_object *fields = json_object_new_object();

    json_add_string(fields, "step_id", step->id);
    json_add_string(fields, "driver",
                    json_member_string(schedule_step(session->schedule, index), "driver", NULL));
    json_add_integer(fields, "attempt",
                     session->groups[schedule_step_group(session->schedule, index)].attempt);
    session_event(session, "step_start", fields);
    rundir_note(options->rundir, step->id, "started (%s), attempt %lld", step->component,
                (long long)session->groups[schedule_step_group(session->schedule, index)].attempt);
    if (options->observer != NULL && options->observer->step_started != NULL)
        options->observer->step_started(options->observer_context, step->id, step->component);
    place_send_step(&session->places[step->place], index);
}

static bool any_is_getting_ready(const struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase == PLACE_GREETING ||
            session->places[i].phase == PLACE_PREPARING)
            return true;
    return false;
}

static void clean_up(struct session *session)
{
    if (!session->cleaning)
        session_event(session, "cleanup_start", NULL);
    session->cleaning = true;
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        if (place->phase != PLACE_RUNNING)
            continue;
        place_send_cleanup(place);
        if (place->phase == PLACE_BROKEN)
            continue;
        place->phase = PLACE_CLEANING;
        place->phase_deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
    }
}

static void advance(struct session *session)
{
    size_t index;

    if (!session->cleaning)
        session_resume_groups(session);
    while (!session->cleaning) {
        switch (schedule_next(session->schedule, &index)) {
        case SCHEDULE_START_STEP:
            start_step(session, index);
            break;
        case SCHEDULE_COMMIT:
            session_send_commit(session, index);
            break;
        case SCHEDULE_ABORT:
            session_send_abort(session, index);
            break;
        case SCHEDULE_PAUSE:
            session_pause_group(session, index);
            break;
        case SCHEDULE_NOTHING:
            if (schedule_finished(session->schedule) && !any_is_getting_ready(session))
                clean_up(session);
            return;
        }
    }
}

static bool is_over(const struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (!place_is_over(&session->places[i]))
            return false;
    /* Lost workers may be replaced. */
    return schedule_is_stopping(session->schedule) || schedule_finished(session->schedule);
}

#define FDS_A_PLACE 4

static nfds_t fill_fds(const struct session *session, struct pollfd *fds)
{
    nfds_t count = 0;

    fds[count++] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < session->place_count; i++) {
        const struct session_place *place = &session->places[i];
        const struct worker_log *log = place->worker_log;
        bool there = place_is_there(place);
        fds[count++] = (struct pollfd){.fd = there ? channel_fd(place->channel) : -1,
                                       .events = there ? channel_poll_events(place->channel) : 0};
        fds[count++] =
            (struct pollfd){.fd = there ? channel_wake_fd(place->channel) : -1, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = log == NULL ? -1 : worker_log_fd(log), .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = adapter_thread_fd(place->adapter), .events = POLLIN};
    }
    return count;
}

static int wait_for_others(struct session *session, struct pollfd *fds)
{
    int timeout_ms = poll_timeout(session);

    pause_expect(&session->watch, timeout_ms);
    int ready = poll(fds, fill_fds(session, fds), timeout_ms);
    int reason = errno;
    session_make_up_for_pause(session);
    errno = reason;
    return ready;
}

static void serve(struct session *session, const struct pollfd *fds)
{
    if (fds[0].revents != 0)
        read_signals(session);
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        const struct pollfd *own = &fds[1 + FDS_A_PLACE * i];
        if (own[2].revents != 0)
            worker_log_read(place->worker_log);
        if (own[3].revents != 0)
            place_take_adapter(place);
        else if ((own[0].revents != 0 || own[1].revents != 0) && place_is_there(place))
            place_receive(place, own[0].revents);
    }
}

/* Also while so much comes that the loop never rests. */
static void flush_records(struct session *session)
{
    int64_t now = clock_monotonic_ms();

    if (now < session->next_flush_ms)
        return;
    rundir_flush(session->options->rundir);
    session->next_flush_ms = now + FLUSH_INTERVAL_MS;
}

static void loop(struct session *session)
{
    struct pollfd *fds = calloc(1 + FDS_A_PLACE * session->place_count, sizeof *fds);

    while (!is_over(session)) {
        advance(session);
        if (is_over(session))
            break;
        int ready = wait_for_others(session, fds);
        if (ready < 0 && errno != EINTR) {
            session_break_all(session, OSIRIS_ERROR_INTERNAL, "cannot poll");
            break;
        }
        if (ready > 0)
            serve(session, fds);
        session_pass_credits(session);
        session_check_deadlines(session);
        flush_records(session);
    }
    free(fds);
}

/* Set-up. */

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
    session_metric(context, name, value, unit, NULL);
}

static int make_steps(struct session *session, struct osiris_error *error)
{
    session->step_count = schedule_step_count(session->schedule);
    session->steps = calloc(session->step_count + 1, sizeof *session->steps);
    session->groups = calloc(schedule_group_count(session->schedule) + 1, sizeof *session->groups);
    session->result->steps = json_object_new_object();
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
    }
    session_read_attempts(session);
    return session_seed_jitter(session, error);
}

static void phase_event(struct session *session, const char *event)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "adapter", session->options->adapter);
    session_event(session, event, fields);
}

static void execution_error(struct session *session, const struct osiris_error *error)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "adapter", session->options->adapter);
    json_add_string(fields, "error", error->message);
    json_add_string(fields, "error_type", session_error_type(error));
    session_event(session, "adapter_execution_error", fields);
}

/* Rows of the writers, or, if none has written any, those that were read. */
static int64_t total_rows(const struct session *session)
{
    int64_t written = 0, read = 0;

    for (size_t i = 0; i < session->step_count; i++) {
        const char *kind = json_member_string(schedule_step(session->schedule, i), "kind", "");
        if (strcmp(kind, "writer") == 0)
            written += session->steps[i].rows;
        else if (strcmp(kind, "extractor") == 0)
            read += session->steps[i].rows;
    }
    return written > 0 ? written : read;
}

static void cleanup_complete(struct session *session)
{
    json_object *fields = json_object_new_object();

    json_add_integer(fields, "steps_executed", (int64_t)session->result->steps_completed);
    json_add_integer(fields, "total_rows", total_rows(session));
    session_event(session, "cleanup_complete", fields);
}

static int converse(struct session *session, struct osiris_error *error)
{
    int64_t started_ns = clock_monotonic_ns();
    json_object *fields = json_object_new_object();
    int result = 0;

    session_execute(session);
    loop(session);
    cleanup_complete(session);
    for (size_t i = 0; i < session->place_count; i++) {
        place_end_worker(&session->places[i]);
        session_tell_dropped(&session->places[i]);
    }
    /* A signal or a timeout that came too late for everything not to be published has stopped nothing. */
    if (schedule_succeeded(session->schedule) &&
        (session->failure.category == OSIRIS_ERROR_CANCELLED || session->timed_out ||
         session->late_commit)) {
        osiris_error_clear(&session->failure);
        session->result->signal_number = 0;
    }
    if (!schedule_succeeded(session->schedule) || session->failure.category != 0) {
        osiris_error_move(error, &session->failure);
        result = -1;
    }
    json_add_string(fields, "adapter", session->options->adapter);
    json_add_boolean(fields, "success", result == 0);
    session_event(session, "adapter_execute_complete", fields);
    if (result < 0)
        execution_error(session, error);
    rundir_metric(session->options->rundir, "adapter_execution_duration",
                  (double)(clock_monotonic_ns() - started_ns) / 1e9, "seconds", NULL);
    return result;
}

/* Adapters prepare what they need, all at the same time. */
static int prepare_places(struct session *session, struct osiris_error *error)
{
    struct pollfd *fds = calloc(1 + FDS_A_PLACE * session->place_count, sizeof *fds);
    int result = 0;

    for (size_t i = 0; result == 0 && i < session->place_count; i++)
        result = place_make_adapter(&session->places[i], error);
    for (size_t i = 0; result == 0 && i < session->place_count; i++)
        place_begin(&session->places[i], ADAPTER_PREPARE);
    while (result == 0 && session_is_preparing(session)) {
        int ready = wait_for_others(session, fds);
        if (ready > 0)
            serve(session, fds);
        session_check_deadlines(session);
    }
    free(fds);
    for (size_t i = 0; result == 0 && i < session->place_count; i++)
        place_take_adapter(&session->places[i]);
    if (result == 0 && session->failure.category != 0) {
        osiris_error_move(error, &session->failure);
        result = -1;
    }
    return result;
}

static int collect(struct session *session, int result, struct osiris_error *error)
{
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        _cleanup_error_ struct osiris_error collecting = OSIRIS_ERROR_INIT;
        if (place->adapter == NULL || adapter_thread_collect(place->adapter, &collecting) == 0)
            continue;
        session_log(session, OSIRIS_ERROR, place->name, collecting.message);
        if (result == 0)
            osiris_error_move(error, &collecting);
        result = -1;
    }
    session_sweep_artifacts(session);
    return result;
}

static int with_places(struct session *session, struct osiris_error *error)
{
    phase_event(session, "adapter_prepare_start");
    if (prepare_places(session, error) < 0) {
        execution_error(session, error);
        return -1;
    }
    phase_event(session, "adapter_prepare_complete");
    phase_event(session, "adapter_execute_start");
    int result = converse(session, error);
    phase_event(session, "adapter_collect_start");
    result = collect(session, result, error);
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
        if (value != NULL)
            environment[count++] = memory_format("%s=%s", sanitizer_variables[i], value);
    }
#endif
    environment[count] = NULL;
}

/* What a worker that was killed could not remove itself. */
static void remove_temp_dir(const struct session *session)
{
    _cleanup_free_ char *path = session_temp_dir(session);

    litter_remove(path, session->options->run_id);
}

static int run_places(struct session *session, struct osiris_error *error)
{
    char *environment[SANITIZER_VARIABLES + 1];

    session->sink = (struct adapter_sink){
        .log = on_adapter_log,
        .event = on_adapter_event,
        .metric = on_adapter_metric,
        .context = session,
    };
    fill_environment(environment);
    session->environment = environment;
    memory_insist();
    session_make_places(session);
    int result = session_make_edges(session, error);
    memory_insist_no_more();
    if (result == 0)
        result = with_places(session, error);
    json_object_put(session->artifacts);
    session_free_places(session);
    /* Whatever became of the run: what such an adapter has left nobody knows. */
    if (result == 0)
        result = adapter_guard_check(error);
    session_end_orphans(session);
    remove_temp_dir(session);
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    return result;
}

static void free_session(struct session *session)
{
    size_t groups = session->groups == NULL ? 0 : schedule_group_count(session->schedule);

    for (size_t i = 0; i < groups; i++)
        osiris_error_clear(&session->groups[i].cause);
    for (size_t i = 0; session->steps != NULL && i < session->step_count; i++) {
        osiris_error_clear(&session->steps[i].held);
        osiris_error_clear(&session->steps[i].overdue);
        json_object_put(session->steps[i].metrics);
        json_object_put(session->steps[i].artifacts);
    }
    schedule_free(session->schedule);
    free(session->steps);
    free(session->groups);
    free(session->edges);
    osiris_error_clear(&session->failure);
    cleanup_close_value(&session->signal_fd);
}

/* Sized by the pipeline, as its compilation was: for that there is memory (memory.h). */
static int set_up(struct session *session, struct osiris_error *error)
{
    const struct session_options *options = session->options;

    memory_insist();
    session->schedule = schedule_new(options->compiled->plan, error);
    if (session->schedule != NULL && options->max_steps > 0)
        schedule_bound_steps(session->schedule, options->max_steps);
    int result = session->schedule == NULL ? -1 : make_steps(session, error);
    memory_insist_no_more();
    return result;
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
    if (options->timeout_ms > 0)
        session.run_deadline_ms = clock_monotonic_ms() + options->timeout_ms;
    ending_signals(&signals);
    if (pthread_sigmask(SIG_BLOCK, &signals, &saved) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "cannot block signals");
    session.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (session.signal_fd < 0)
        osiris_error_set_errno(error, errno, "cannot watch for signals");
    else if (set_up(&session, error) == 0) {
        rundir_metric(options->rundir, "steps_total", (double)session.step_count, NULL, NULL);
        orphans_adopt(&session.adoption);
        outcome = session_record_steps(&session, error) < 0 ? -1 : run_places(&session, error);
        orphans_release(&session.adoption);
        rundir_metric(options->rundir, "steps_completed", (double)result->steps_completed, NULL,
                      NULL);
        rundir_metric(options->rundir, "execution_duration",
                      (double)(clock_monotonic_ns() - started_ns) / 1e9, "seconds", NULL);
    }
    free_session(&session);
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return outcome;
}
