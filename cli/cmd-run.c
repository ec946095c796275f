/* osiris run: compiles a pipeline and runs it through an execution adapter. */
#include <config.h>

#include <signal.h>
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/place-bundle.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/rpc-debug.h"
#include "cli/run-options.h"
#include "cli/run-records.h"
#include "cli/run-report.h"
#include "cli/supervise.h"
#include "core/base/clock.h"
#include "orchestrator/base/ending-signals.h"
#include "core/base/json-access.h"
#include "core/base/memory.h"
#include "orchestrator/registry/paths.h"
#include "orchestrator/records/run-index.h"
#include "orchestrator/session/session.h"
#include "orchestrator/base/terminal.h"

#define LIVE_HEARTBEAT_MS 200

struct run {
    const struct arguments *arguments;
    struct run_options options;
    struct build build;
    struct redactor *redactor;
    struct rundir *rundir;
    struct run_records records;
    struct session_result result;
    struct trace_writer *trace; /* or NULL */
    json_object *warnings; /* of the session */
    char *build_dir;
    char *pipeline_path, *run_dir, *artifacts_dir; /* as shown to people */
    char run_id[CLOCK_ULID_SIZE];
    bool writes_stdout; /* a step has the path "-" */
};

static void run_clear(struct run *run)
{
    (void)trace_writer_close(run->trace, NULL);
    rundir_free(run->rundir);
    redactor_free(run->redactor);
    build_clear(&run->build);
    run_options_clear(&run->options);
    json_object_put(run->result.steps);
    json_object_put(run->warnings);
    free(run->build_dir);
    free(run->pipeline_path);
    free(run->run_dir);
    free(run->artifacts_dir);
}

/* Secrets. */

static void add_secrets(struct run *run, json_object *secrets)
{
    for (size_t i = 0; i < json_array_count(secrets); i++)
        redactor_add(run->redactor, json_object_get_string(json_object_array_get_idx(secrets, i)));
}

static void fill_redactor(struct run *run)
{
    run->redactor = redactor_new();
    add_secrets(run, run->build.compiled->secrets);
    add_secrets(run, run->build.secrets);
    json_object_object_foreach(run->options.environment, name, value)
    {
        if (redact_key_is_secret(name))
            redactor_add(run->redactor, json_object_get_string(value));
    }
}

/* Paths that the user has named, as they may be shown and recorded. */
static void show_paths(struct run *run)
{
    const char *path = run->build.pipeline->path;

    run->pipeline_path = redactor_text(run->redactor, path, strlen(path));
    run->run_dir = rundir_shown(run->rundir, rundir_path(run->rundir));
    run->artifacts_dir = rundir_shown(run->rundir, rundir_artifacts_path(run->rundir));
}

/* Reporting. */

static struct run_report report_of(const struct run *run)
{
    return (struct run_report){
        .json = run->arguments->json,
        .uses_stdout = run->writes_stdout,
        .build = &run->build,
        .redactor = run->redactor,
        .run_id = run->run_id,
        .pipeline_path = run->pipeline_path,
        .run_dir = run->run_dir,
        .artifacts_dir = run->artifacts_dir,
        .adapter = run->options.adapter,
        .total_ms = run_records_elapsed_ms(&run->records),
        .compile_ms = run->records.compile_ms,
        .steps = run->result.steps,
        .warnings = run->warnings,
    };
}

/* Running. */

/* From the first record to the last, signals that would end osiris are blocked; the session treats them as a cancel. Otherwise a
 * signal that arrives early or late would leave records without an end. */
static void hold_signals(sigset_t *held, sigset_t *saved)
{
    ending_signals(held);
    (void)pthread_sigmask(SIG_BLOCK, held, saved);
}

/* Signals that came too late for the session have cancelled nothing. */
static void release_signals(const sigset_t *held, const sigset_t *saved)
{
    const struct timespec no_time = {0};

    while (sigtimedwait(held, NULL, &no_time) > 0)
        ;
    (void)pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* Reports runs that ended without completing their records. */
static void end_interrupted(const struct run *run)
{
    _cleanup_json_ json_object *lines = run_index_end_interrupted(".");

    for (size_t i = 0; i < json_array_count(lines) && !run->arguments->json; i++) {
        json_object *line = json_object_array_get_idx(lines, i);
        terminal_print(stderr, "osiris: an earlier run was interrupted; its records have been completed: %s\n",
                json_member_string(line, "run_logs_path", "?"));
    }
}

static int open_records(struct run *run, struct osiris_error *error)
{
    const struct rundir_options options = {
        .base_dir = ".",
        .run_dir = arguments_value(run->arguments, "out"),
        .slug = run->build.compiled->slug,
        .profile = run->build.compiled->profile,
        .run_id = run->run_id,
        .manifest_short = run->build.compiled->manifest_short,
        .redactor = run->redactor,
    };

    run->rundir = rundir_open(&options, error);
    if (run->rundir == NULL) {
        redactor_error(run->redactor, error);
        return -1;
    }
    show_paths(run);
    run->records.rundir = run->rundir;
    run->records.redactor = run->redactor;
    run->records.pipeline_path = run->pipeline_path;
    run->records.compiled = run->build.compiled;
    run->records.pipeline = run->build.pipeline;
    run->records.run_id = run->run_id;
    run->records.adapter = run->options.adapter;
    run_records_begin(&run->records);
    return 0;
}

static int open_trace(struct run *run, struct osiris_error *error)
{
    _cleanup_free_ char *path = rpc_debug_path(rundir_path(run->rundir), run->run_id);

    if (path == NULL)
        return 0;
    const struct trace_options options = {
        .path = path,
        .run_id = run->run_id,
        .version = PACKAGE_VERSION,
        .pipeline = run->build.pipeline->path,
        .profile = run->build.compiled->profile,
        .redactor = run->redactor,
    };
    run->trace = trace_writer_open(&options, error);
    if (run->trace == NULL) {
        redactor_error(run->redactor, error);
        return -1;
    }
    const char *run_dir = rundir_path(run->rundir);
    _cleanup_free_ char *shown = strncmp(path, run_dir, strlen(run_dir)) == 0
                                     ? rundir_shown(run->rundir, path)
                                     : redactor_text(run->redactor, path, strlen(path));
    if (!run->arguments->json)
        terminal_print(stderr, "osiris: the protocol is traced in %s\n", shown);
    return 0;
}

static void close_trace(struct run *run)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (trace_writer_close(run->trace, &error) < 0) {
        redactor_error(run->redactor, &error);
        terminal_print(stderr, "osiris: the trace is not complete: %s\n", error.message);
    }
    run->trace = NULL;
}

static int run_session(struct run *run, struct osiris_error *error)
{
    run->warnings = json_object_new_array();
    const struct progress_options progress_options = {
        .plan = run->build.compiled->plan,
        .verbose = arguments_flag(run->arguments, "verbose"),
        .quiet = run->arguments->json,
        .warnings = run->warnings,
    };
    _cleanup_progress_ struct progress *progress = progress_new(&progress_options);

    /* Progress arrives with the heartbeat, so a live display needs short intervals. */
    if (progress_is_live(progress) && run->options.limits.heartbeat_interval_ms == 0)
        run->options.limits.heartbeat_interval_ms = LIVE_HEARTBEAT_MS;
    const struct session_options options = {
        .compiled = run->build.compiled,
        .registry = run->build.registry,
        .rundir = run->rundir,
        .redactor = run->redactor,
        .run_id = run->run_id,
        .adapter = run->options.adapter,
        .places = run->build.places,
        .environment = run->options.environment,
        .worker_path = paths_worker(),
        .adapter_path = paths_adapter_path(),
        .adapter_dir = paths_adapter_dir(),
        .version = PACKAGE_VERSION,
#ifdef HAVE_BUNDLE
        .make_bundle = place_bundle_make,
#endif
        .gives_stdout = run->writes_stdout,
        .limits = run->options.limits,
        .trace = run->trace,
        .timeout_ms = run->options.timeout_ms,
        .max_steps = run->options.max_steps,
        .retry_seed = run->options.retry_seed,
        .observer = &progress_observer,
        .observer_context = progress,
    };
    memory_insist_no_more();
    int result = session_run(&options, &run->result, error);
    memory_insist();
    progress_end(progress);
    return result;
}

static int exit_code(const struct run *run, bool failed)
{
    if (run->result.signal_number != 0)
        return 128 + run->result.signal_number;
    return failed ? EXIT_CODE_FAILED : EXIT_CODE_SUCCESS;
}

static int run_compiled(struct run *run)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_error_ struct osiris_error records_error = OSIRIS_ERROR_INIT;
    sigset_t held, saved;
    bool failed = true;

    hold_signals(&held, &saved);
    end_interrupted(run);
    if (open_records(run, &error) < 0) {
        bool refused = error.category == OSIRIS_ERROR_CONFIG;
        (void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
        return report_failure(run->arguments->json, refused ? "usage" : "execution", &error,
                              &run->build.diagnostics,
                              refused ? EXIT_CODE_USAGE : EXIT_CODE_FAILED);
    }
    if (compiled_write(run->build.compiled, ".", &run->build_dir, &error) < 0) {
        redactor_error(run->redactor, &error);
        run_records_compile_error(&run->records, &error);
    } else {
        run->records.build_dir = run->build_dir;
        failed = open_trace(run, &error) < 0 || run_session(run, &error) < 0;
        close_trace(run);
    }
    if (failed && error.category == 0)
        osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "the run failed for an unknown reason");
    const char *status = !failed                           ? "success"
                         : run->result.signal_number != 0 ? "cancelled"
                                                          : "failed";
    if (run_records_end(&run->records, status, run->result.steps, failed ? &error : NULL,
                        &records_error) < 0) {
        redactor_error(run->redactor, &records_error);
        terminal_print(stderr, "osiris: the run's records are not complete: %s\n", records_error.message);
    }
    release_signals(&held, &saved);
    supervise_begin_report();
    const struct run_report report = report_of(run);
    run_report_result(&report, status, &error);
    return exit_code(run, failed);
}

/* Under supervision. */

/* Prints where the records are, which say now that the run was interrupted. */
static void find_records(struct run *run)
{
    _cleanup_json_ json_object *lines = run_index_end_interrupted(".");

    for (size_t i = 0; i < json_array_count(lines); i++) {
        json_object *line = json_object_array_get_idx(lines, i);
        const char *path = json_member_string(line, "run_logs_path", NULL);
        if (path == NULL || run->run_dir != NULL || strcmp(json_member_string(line, "run_id", ""), run->run_id) != 0)
            continue;
        run->run_dir = memory_format("%s", path);
        run->artifacts_dir = memory_format("%s/artifacts", path);
    }
}

/* The process of the run has ended without leaving an exit code: reports and records what it could not. */
static int end_for_child(struct run *run, const struct supervised_end *end, const struct osiris_error *error)
{
    if (end->has_reported) {
        report_error(error, "");
    } else {
        find_records(run);
        const struct run_report report = report_of(run);
        run_report_result(&report, "failed", error);
    }
    if (end->signal == 0)
        return EXIT_CODE_FAILED;
    /* As it would have ended this process: what came too early or too late to cancel. */
    (void)fflush(NULL);
    (void)signal(end->signal, SIG_DFL);
    (void)raise(end->signal);
    return 128 + end->signal;
}

static int run_supervised(struct run *run)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct supervision supervision;
    struct supervised_end end;
    pid_t child = supervise_start(&supervision, &error);

    if (child < 0)
        return report_failure(run->arguments->json, "execution", &error, &run->build.diagnostics, EXIT_CODE_FAILED);
    if (child == 0)
        return run_compiled(run);
    return supervise_wait(&supervision, &end, &error) == 0 ? end.code : end_for_child(run, &end, &error);
}

static int compile(struct run *run, struct osiris_error *error)
{
    run->records.started_ns = clock_monotonic_ns();
    clock_timestamp(run->records.started);
    int result = build_pipeline(&run->build, run->arguments, run->options.adapter, error);
    run->records.compile_ms = run_records_elapsed_ms(&run->records);
    clock_timestamp(run->records.compiled_at);
    return result;
}

/* Standard output. */

/* Returns the number of steps that write to it; *first is the first of them. */
static size_t count_stdout_steps(const struct compiled *compiled, const char **first)
{
    size_t count = 0;

    for (size_t i = 0; i < compiled->plan->step_count; i++)
        if (compiled->plan->steps[i].gives_stdout && count++ == 0)
            *first = compiled->plan->steps[i].id;
    return count;
}

/* Only one table may go there, and nothing else. */
static int check_stdout(struct run *run, struct osiris_error *error)
{
    const char *first = NULL;
    size_t count = count_stdout_steps(run->build.compiled, &first);

    run->writes_stdout = count > 0;
    if (count > 1) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "%zu steps write to standard output (path: \"-\"); the first is \"%s\"", count,
                         first);
        osiris_error_hint(error, "keep one and give the others their own path");
        return -1;
    }
    if (count > 0 && run->arguments->json) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "step \"%s\" writes to standard output, which --json needs for its result", first);
        osiris_error_hint(error, "omit --json, or give the step another path");
        return -1;
    }
    if (count > 0 && !run->arguments->has_stdout) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "step \"%s\" writes to standard output, which is closed or not open for writing", first);
        osiris_error_hint(error, "open standard output, or give the step another path");
        return -1;
    }
    return 0;
}

static int execute(const struct arguments *arguments)
{
    _cleanup_(run_clear) struct run run = {.arguments = arguments};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (run_options_read(&run.options, arguments, &error) < 0)
        return report_failure(arguments->json, "usage", &error, NULL, EXIT_CODE_USAGE);
    if (compile(&run, &error) < 0)
        return report_failure(arguments->json, "compile", &error, &run.build.diagnostics,
                              EXIT_CODE_USAGE);
    if (check_stdout(&run, &error) < 0)
        return report_failure(arguments->json, "usage", &error, &run.build.diagnostics,
                              EXIT_CODE_USAGE);
    if (!arguments->json)
        diagnostics_print(&run.build.diagnostics, stderr, report_color());
    if (arguments_flag(arguments, "dry-run")) {
        const struct run_report report = report_of(&run);
        return run_report_plan(&report);
    }
    fill_redactor(&run);
    if (clock_ulid(run.run_id) < 0 && osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "cannot make a run id") < 0)
        return report_failure(arguments->json, "execution", &error, &run.build.diagnostics,
                              EXIT_CODE_FAILED);
    return build_has_own_adapters(&run.build) ? run_compiled(&run) : run_supervised(&run);
}

static const struct option_entry options[] = {
    {"adapter", 0, "NAME", "where the steps run [local]", false},
    {"target", 0, "NAME", "the same as --adapter", false},
    BUILD_OPTIONS,
    {"pass-env", 0, "NAME", "pass this environment variable to the steps", true},
    {"timeout", 0, "TIME", "stop the run if it takes longer: seconds, or 500ms, 30s, 5m, 2h, 1d", false},
    {"max-steps", 0, "N", "the maximum number of steps that run at the same time [16]", false},
    {"out", 0, "DIR", "write the run's records to DIR instead of run_logs/", false},
    {"dry-run", 0, NULL, "compile and show the plan; run nothing", true},
    {"json", 0, NULL, "print one JSON object on stdout and nothing else", true},
    {"verbose", 'v', NULL, "show every log line", true},
    {0},
};

const struct command_entry command_run = {
    .name = "run",
    .operands = "PIPELINE",
    .summary = "compile a pipeline and run it",
    .options = options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute,
};
