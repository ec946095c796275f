/* How a run began and ended; see run-records.h. */
#include <config.h>

#include "cli/run-records.h"

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/records/own-names.h"

double run_records_elapsed_ms(const struct run_records *records)
{
    return (double)(clock_monotonic_ns() - records->started_ns) / 1e6;
}

static json_object *status_of(const struct run_records *records, const char *status,
                              json_object *steps)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "run_id", records->run_id);
    json_add_string(object, "pipeline_slug", records->compiled->slug);
    json_add_string(object, "profile", records->compiled->profile);
    json_add_string(object, "manifest_hash", records->compiled->manifest_hash);
    json_add_string(object, "execution_type", records->adapter);
    json_add_string(object, "status", status);
    json_add_string(object, "started_at", records->started);
    json_add(object, "steps", steps == NULL ? json_object_new_object() : json_object_get(steps));
    return object;
}

static json_object *final_status(const struct run_records *records, const char *status,
                                 double total_ms, json_object *steps,
                                 const struct osiris_error *error)
{
    char now[CLOCK_TIMESTAMP_SIZE];
    json_object *object = status_of(records, status, steps);

    clock_timestamp(now);
    json_add_string(object, "ended_at", now);
    json_add_number(object, "duration_ms", total_ms);
    if (error != NULL)
        json_add(object, "error", osiris_error_to_json(error));
    return object;
}

static json_object *index_line(const struct run_records *records, const char *status,
                               double total_ms)
{
    json_object *line = json_object_new_object();
    _cleanup_free_ char *run_dir = rundir_shown(records->rundir, rundir_path(records->rundir));
    _cleanup_free_ char *manifest =
        records->build_dir == NULL ? NULL : memory_format("%s/manifest.yaml", records->build_dir);

    json_add_string(line, "run_id", records->run_id);
    json_add_string(line, "pipeline_slug", records->compiled->slug);
    json_add(line, "profile",
             records->compiled->profile == NULL
                 ? NULL
                 : json_string(records->compiled->profile));
    json_add_string(line, "manifest_hash", records->compiled->manifest_hash);
    json_add_string(line, "manifest_short", records->compiled->manifest_short);
    json_add_string(line, "run_ts", records->started);
    json_add_string(line, "status", status);
    json_add_integer(line, "duration_ms", (int64_t)total_ms);
    json_add_string(line, "run_logs_path", run_dir);
    json_add_string(line, "build_manifest_path", manifest);
    json_add(line, "tags", json_object_new_array());
    return line;
}

/* While the run is running. */
static void note_running(const struct run_records *records)
{
    json_object *status = status_of(records, "running", NULL);
    json_object *line = index_line(records, "running", 0);

    json_add_integer(status, "pid", getpid());
    json_add_integer(line, "started_ms", clock_realtime_ms());
    rundir_begin(records->rundir, status, line);
}

static json_object *timed_fields(const char *time)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "ts", time);
    return fields;
}

static void start_event(const struct run_records *records)
{
    json_object *fields = timed_fields(records->started);
    const char *profile = records->compiled->profile;

    json_add_string(fields, "pipeline", records->pipeline_path);
    json_add_string(fields, "file_type", "oml");
    json_add(fields, "profile", profile == NULL ? NULL : json_string(profile));
    json_add(fields, "params", redactor_json(records->redactor, records->pipeline->params));
    rundir_own_event(records->rundir, EVENT_RUN_START, fields);
    rundir_note(records->rundir, NULL, "run of %s starts: osiris %s, process %lld, adapter %s%s%s",
                records->pipeline_path, PACKAGE_VERSION, (long long)getpid(), records->adapter,
                profile == NULL ? "" : ", profile ", profile == NULL ? "" : profile);
}

/* Compiling has resolved all connections. */
static void connection_events(const struct run_records *records)
{
    json_object_object_foreach(records->compiled->aliases, step_id, entry)
    {
        rundir_note(records->rundir, step_id, "uses connection @%s.%s",
                    json_member_string(entry, "family", "?"), json_member_string(entry, "alias", "?"));
        for (int complete = 0; complete < 2; complete++) {
            json_object *fields = timed_fields(records->compiled_at);
            json_add_string(fields, "step_id", step_id);
            json_add_string(fields, "family", json_member_string(entry, "family", NULL));
            json_add_string(fields, "alias", json_member_string(entry, "alias", NULL));
            if (complete)
                json_add_boolean(fields, "ok", true);
            rundir_own_event(records->rundir,
                         complete ? EVENT_CONNECTION_RESOLVE_COMPLETE : EVENT_CONNECTION_RESOLVE_START, fields);
        }
    }
}

static void compile_events(const struct run_records *records)
{
    json_object *start = timed_fields(records->started);
    json_object *complete = timed_fields(records->compiled_at);

    json_add_string(start, "pipeline", records->pipeline_path);
    rundir_own_event(records->rundir, EVENT_COMPILE_START, start);
    connection_events(records);
    json_add_string(complete, "pipeline", records->pipeline_path);
    json_add_string(complete, "manifest_hash", records->compiled->manifest_hash);
    json_add_number(complete, "duration", records->compile_ms / 1000);
    rundir_own_event(records->rundir, EVENT_COMPILE_COMPLETE, complete);
    rundir_note(records->rundir, NULL, "compiled in %.1f ms, manifest %s", records->compile_ms,
                records->compiled->manifest_short);
    rundir_own_metric(records->rundir, METRIC_COMPILATION_DURATION, records->compile_ms / 1000, "seconds",
                  NULL);
}

void run_records_begin(const struct run_records *records)
{
    json_object *selected = json_object_new_object();

    note_running(records);
    start_event(records);
    compile_events(records);
    json_add_string(selected, "adapter", records->adapter);
    rundir_own_event(records->rundir, EVENT_ADAPTER_SELECTED, selected);
    rundir_flush(records->rundir);
}

void run_records_compile_error(const struct run_records *records,
                               const struct osiris_error *error)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "pipeline", records->pipeline_path);
    json_add_string(fields, "error", error->message);
    json_add(fields, "detail", osiris_error_to_json(error));
    rundir_own_event(records->rundir, EVENT_COMPILE_ERROR, fields);
}

static void end_events(const struct run_records *records, double total_ms,
                       const struct osiris_error *error)
{
    json_object *fields = json_object_new_object();

    if (error == NULL) {
        json_add_number(fields, "total_duration", total_ms / 1000);
        rundir_own_event(records->rundir, EVENT_RUN_COMPLETE, fields);
    } else {
        json_add_string(fields, "phase", "execution");
        json_add_string(fields, "error", error->message);
        json_add_number(fields, "duration", total_ms / 1000);
        json_add(fields, "detail", osiris_error_to_json(error));
        rundir_own_event(records->rundir, EVENT_RUN_ERROR, fields);
        rundir_log(records->rundir, OSIRIS_ERROR, error->step_id, error->message);
    }
    rundir_own_metric(records->rundir, METRIC_TOTAL_DURATION, total_ms / 1000, "seconds", NULL);
}

int run_records_end(const struct run_records *records, const char *status, json_object *steps,
                    const struct osiris_error *error, struct osiris_error *records_error)
{
    double total_ms = run_records_elapsed_ms(records);

    end_events(records, total_ms, error);
    rundir_note(records->rundir, NULL, "run ends after %.1f ms: %s", total_ms, status);
    return rundir_finish(records->rundir, final_status(records, status, total_ms, steps, error),
                         index_line(records, status, total_ms), records_error);
}
