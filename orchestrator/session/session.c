/* One run of a compiled pipeline: set-up and tear-down; see session.h. */
#include "orchestrator/session/session.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "core/base/clock.h"
#include "orchestrator/base/ending-signals.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/output/litter.h"
#include "orchestrator/adapter/guard.h"
#include "orchestrator/session/artifacts.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/loop.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/orphans.h"
#include "orchestrator/session/place.h"
#include "orchestrator/session/records.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/state.h"
#include "orchestrator/session/streams.h"

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

/* Reports of adapters. */

static void on_adapter_log(void *context, int level, const char *source, const char *message)
{
    session_log(context, level, source, message);
}

static void on_adapter_event(void *context, const char *name, json_object *fields)
{
    session_foreign_event(context, "adapter", name, fields);
}

static void on_adapter_metric(void *context, const char *name, double value, const char *unit)
{
    session_foreign_metric(context, "adapter", name, value, unit, NULL);
}

/* Set-up. */

static void make_step(struct session *session, size_t index)
{
    const struct session_options *options = session->options;
    struct session_step *step = &session->steps[index];

    step->plan = &session->plan->steps[index];
    step->id = step->plan->id;
    step->component = step->plan->component;
    step->driver = registry_find(options->registry, step->plan->driver, NULL);
    step->bounds_its_waits =
        step->driver != NULL && json_member_boolean(step->driver->spec, "x-bounded-waits", false);
    step->config = json_member(options->compiled->configs, step->id);
    step->record = json_object_new_object();
    json_add_string(step->record, "status", "skipped");
    json_add_string(step->record, "component", step->component);
    json_add(session->result->steps, step->id, step->record);
    if (step->plan->retry.max_attempts > 1)
        session->groups[step->plan->group].may_repeat = true;
}

/* Allocations here are sized by the pipeline and may not fail (memory_insist). */
static int set_up(struct session *session, struct osiris_error *error)
{
    const struct session_options *options = session->options;

    session->plan = options->compiled->plan;
    session->schedule = schedule_new(session->plan);
    if (options->max_steps > 0)
        schedule_bound_steps(session->schedule, options->max_steps);
    session->steps = calloc(session->plan->step_count + 1, sizeof *session->steps);
    session->groups = calloc(session->plan->group_count + 1, sizeof *session->groups);
    session->result->steps = json_object_new_object();
    session->result->steps_total = session->plan->step_count;
    for (size_t i = 0; i < session->plan->group_count; i++)
        session->groups[i].attempt = 1;
    for (size_t i = 0; i < session->plan->step_count; i++)
        make_step(session, i);
    session_make_places(session);
    session_make_edges(session);
    return session_seed_jitter(session, error);
}

#ifdef OSIRIS_SANITIZED
/* A sanitizer's options are part of the build under test, not of the user's environment. */
static const char *const sanitizer_variables[] = {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
                                                  "TSAN_OPTIONS"};
#define SANITIZER_VARIABLES (sizeof sanitizer_variables / sizeof sanitizer_variables[0])
#else
#define SANITIZER_VARIABLES 0
#endif

/* The environment of the worker's process is empty. Variables that the user passes on are sent in `prepare`. */
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

/* Running. */

static int run_places(struct session *session, struct osiris_error *error)
{
    struct osiris_error failure = OSIRIS_ERROR_INIT;

    session_loop(session);
    osiris_error_move(&failure, &session->failure);
    if (failure.category == 0 && !schedule_succeeded(session->schedule))
        osiris_error_set(&failure, OSIRIS_ERROR_INTERNAL, "the run ended before its steps");
    if (failure.category == 0) {
        session->result->signal_number = 0;
        return 0;
    }
    osiris_error_move(error, &failure);
    return -1;
}

static int run(struct session *session, struct osiris_error *error)
{
    const struct session_options *options = session->options;
    int64_t started_ns = clock_monotonic_ns();

    rundir_own_metric(options->rundir, METRIC_STEPS_TOTAL, (double)session->plan->step_count, NULL, NULL);
    orphans_adopt(&session->adoption);
    int result = session_record_steps(session, error);
    if (result == 0) {
        session_note_artifacts(session);
        result = run_places(session, error);
    }
    session_free_home(session);
    session_free_places(session);
    /* Even a run that has succeeded fails then, because it is unknown what such an adapter has left behind. */
    if (result == 0)
        result = adapter_guard_check(error);
    session_end_orphans(session);
    /* Removes what killed workers could not remove themselves. */
    litter_remove(rundir_temp_path(options->rundir), options->run_id);
    orphans_release(&session->adoption);
    rundir_own_metric(options->rundir, METRIC_STEPS_COMPLETED, (double)session->result->steps_completed, NULL, NULL);
    rundir_own_metric(options->rundir, METRIC_EXECUTION_DURATION, (double)(clock_monotonic_ns() - started_ns) / 1e9, "seconds",
                  NULL);
    return result;
}

static void clear_session(struct session *session)
{
    for (size_t i = 0; session->groups != NULL && i < session->plan->group_count; i++) {
        osiris_error_clear(&session->groups[i].cause);
        json_object_put(session->groups[i].published);
    }
    for (size_t i = 0; session->steps != NULL && i < session->plan->step_count; i++) {
        osiris_error_clear(&session->steps[i].held);
        osiris_error_clear(&session->steps[i].overdue);
        json_object_put(session->steps[i].metrics);
        json_object_put(session->steps[i].artifacts);
    }
    json_object_put(session->artifacts);
    schedule_free(session->schedule);
    free(session->steps);
    free(session->groups);
    free(session->edges);
    session_free_places(session);
    osiris_error_clear(&session->failure);
    cleanup_close_value(&session->signal_fd);
}

/* Call it with the signals that end osiris blocked. */
static int run_watched(struct session *session, const sigset_t *signals, struct osiris_error *error)
{
    char *environment[SANITIZER_VARIABLES + 1];

    session->signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (session->signal_fd < 0)
        return osiris_error_set_errno(error, errno, "cannot watch for signals");
    fill_environment(environment);
    session->environment = environment;
    memory_insist();
    int result = set_up(session, error);
    memory_insist_no_more();
    if (result == 0)
        result = run(session, error);
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    return result;
}

int session_run(const struct session_options *options, struct session_result *result,
                struct osiris_error *error)
{
    struct session session = {
        .options = options,
        .result = result,
        .limits = options->limits,
        .signal_fd = -1,
        .sink = {.log = on_adapter_log, .event = on_adapter_event, .metric = on_adapter_metric, .context = &session},
    };
    sigset_t signals, saved;

    *result = (struct session_result){0};
    fill_limits(&session.limits);
    if (options->timeout_ms > 0)
        session.run_deadline_ms = clock_monotonic_ms() + options->timeout_ms;
    ending_signals(&signals);
    if (pthread_sigmask(SIG_BLOCK, &signals, &saved) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "cannot block signals");
    int outcome = run_watched(&session, &signals, error);
    clear_session(&session);
    (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return outcome;
}
