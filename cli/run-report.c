/* A run's result, for people and for programs; see run-report.h. */
#include "cli/run-report.h"

#include <string.h>

#include "cli/report.h"
#include "cli/summary.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/oml/pipeline-option.h"

/* Where the step, or the option at fault, is defined in its file. */
static struct source_location where_is(const struct run_report *report,
                                       const struct osiris_error *error)
{
    const struct pipeline *pipeline = report->build->pipeline;

    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct pipeline_step *step = &pipeline->steps[i];
        if (strcmp(step->id, error->step_id) != 0)
            continue;
        return error->option == NULL ? step->where : pipeline_option_location(step, error->option);
    }
    return (struct source_location){0};
}

/* step "write-orders" (csv.writer) at orders.yaml:14:5:  */
static char *position_of(const struct run_report *report, const struct osiris_error *error)
{
    const struct plan *plan = report->build->compiled->plan;
    size_t step = plan_find_step(plan, error->step_id);

    if (error->step_id == NULL)
        return strdup("");
    if (step == PLAN_NONE)
        return memory_format("step \"%s\": ", error->step_id);
    const struct source_location where = where_is(report, error);
    return memory_format("step \"%s\" (%s) at %s:%u:%u: ", error->step_id, plan->steps[step].component,
                         report->pipeline_path, where.line, where.column);
}

static json_object *duration_json(const struct run_report *report)
{
    json_object *duration = json_object_new_object();

    json_add_number(duration, "total", report->total_ms / 1000);
    json_add_number(duration, "compile", report->compile_ms / 1000);
    return duration;
}

static void print_json(const struct run_report *report, const char *status,
                       const struct osiris_error *error)
{
    _cleanup_json_ json_object *object = json_object_new_object();
    bool failed = error->category != 0;

    json_add_string(object, "status", status);
    json_add_string(object, "phase", "execution");
    json_add_string(object, "message", failed ? error->message : "the run has succeeded");
    if (report->run_dir != NULL) {
        json_add_string(object, "session_id", report->run_id);
        json_add_string(object, "session_dir", report->run_dir);
        json_add_string(object, "artifacts_dir", report->artifacts_dir);
    }
    json_add_string(object, "execution_type", report->adapter);
    json_add(object, "duration", duration_json(report));
    json_add(object, "steps",
             report->steps == NULL ? json_object_new_object() : json_object_get(report->steps));
    if (failed)
        json_add(object, "error", osiris_error_to_json(error));
    if (json_array_count(report->warnings) > 0)
        json_add(object, "warnings", json_object_get(report->warnings));
    if (report->build->diagnostics.count > 0)
        json_add(object, "diagnostics", diagnostics_to_json(&report->build->diagnostics));
    report_json(redactor_record(report->redactor, object));
}

void run_report_result(const struct run_report *report, const char *status, const struct osiris_error *error)
{
    if (report->json) {
        print_json(report, status, error);
        return;
    }
    if (error->category != 0) {
        _cleanup_free_ char *where = position_of(report, error);
        report_error(error, where);
    }
    summary_print(report->uses_stdout ? stderr : stdout, report->steps, status, report->total_ms,
                  report->compile_ms, report->run_dir);
}

int run_report_plan(const struct run_report *report)
{
    const struct plan *plan = report->build->compiled->plan;

    if (!report->json) {
        summary_print_plan(plan);
        return EXIT_CODE_SUCCESS;
    }
    json_object *object = json_object_new_object();
    json_add_string(object, "status", "success");
    json_add_string(object, "phase", "dry_run");
    json_add_string(object, "message", "compiled; nothing was run");
    json_add_string(object, "execution_type", report->adapter);
    json_add(object, "duration", duration_json(report));
    json_add(object, "plan", json_object_get(plan->json));
    json_add(object, "diagnostics", diagnostics_to_json(&report->build->diagnostics));
    report_json(object);
    return EXIT_CODE_SUCCESS;
}
