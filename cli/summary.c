/* A run's summary; see summary.h. */
#include "cli/summary.h"

#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "core/base/json-access.h"
#include "orchestrator/base/terminal.h"

static int name_width(json_object *steps)
{
    size_t width = strlen("step");

    json_object_object_foreach(steps, id, step)
    {
        (void)step;
        if (strlen(id) > width)
            width = strlen(id);
    }
    return (int)width;
}

static void print_step(FILE *file, const char *id, json_object *step, int width)
{
    char rows_text[REPORT_SIZE_LENGTH], rate_text[REPORT_SIZE_LENGTH],
        bytes_text[REPORT_SIZE_LENGTH], duration_text[REPORT_SIZE_LENGTH];
    int64_t rows = json_member_integer(step, "rows", 0);
    double duration_ms = json_member_number(step, "duration_ms", 0);

    terminal_print(file, "%-*s  %-9s  %14s  %10s  %11s  %14s\n", width, id,
           json_member_string(step, "status", "?"), report_count(rows, rows_text),
           report_bytes(json_member_integer(step, "bytes", 0), bytes_text),
           report_duration(duration_ms, duration_text),
           report_count(report_rate(rows, duration_ms), rate_text));
}

static void print_published(FILE *file, json_object *step)
{
    char bytes_text[REPORT_SIZE_LENGTH];
    json_object *published = json_member(step, "published");

    for (size_t i = 0; i < json_array_count(published); i++) {
        json_object *entry = json_object_array_get_idx(published, i);
        terminal_print(file, "published  %s (%s)\n", json_member_string(entry, "path", "?"),
                report_bytes(json_member_integer(entry, "bytes", 0), bytes_text));
    }
}

/* Only for steps that needed more than one. */
static void print_attempts(FILE *file, const char *id, json_object *step)
{
    int64_t attempts = json_member_integer(step, "attempts", 1);

    if (attempts > 1)
        terminal_print(file, "attempts   %s: %lld\n", id, (long long)attempts);
}

void summary_print(FILE *file, json_object *steps, const char *status, double total_ms, double compile_ms,
                   const char *run_dir)
{
    char total_text[REPORT_SIZE_LENGTH], compile_text[REPORT_SIZE_LENGTH];

    if (json_object_is_type(steps, json_type_object)) {
        int width = name_width(steps);
        terminal_print(file, "%-*s  %-9s  %14s  %10s  %11s  %14s\n", width, "step", "status", "rows", "bytes",
               "duration", "rows/s");
        json_object_object_foreach(steps, id, step)
            print_step(file, id, step, width);
        json_object_object_foreach(steps, again, finished)
        {
            (void)again;
            print_published(file, finished);
        }
        json_object_object_foreach(steps, tried, repeated)
            print_attempts(file, tried, repeated);
    }
    terminal_print(file, "%-9s  in %s (compiled in %s)\n", status, report_duration(total_ms, total_text),
           report_duration(compile_ms, compile_text));
    if (run_dir != NULL)
        terminal_print(file, "records    %s\n", run_dir);
}

static void print_plan_step(const struct plan *plan, size_t index)
{
    static const char *const kinds[] = {[PLAN_EXTRACTOR] = "extractor", [PLAN_PROCESSOR] = "processor", [PLAN_WRITER] = "writer"};
    const struct plan_step *step = &plan->steps[index];

    terminal_print(stdout, "%zu. %s  %s (%s), group %zu\n", index + 1, step->id, step->component, kinds[step->kind], step->group);
    for (size_t i = 0; i < step->input_count; i++)
        terminal_print(stdout, "     %s from %s.%s\n", step->inputs[i].name, step->inputs[i].from, step->inputs[i].output);
    if (step->connection != NULL)
        terminal_print(stdout, "     takes %lld of %s, which allows %lld at a time\n", (long long)step->connection_count,
                       step->connection, (long long)step->connection_maximum);
    for (size_t i = 0; i < step->after_count; i++)
        terminal_print(stdout, "     after %s\n", plan->steps[step->after[i]].id);
}

void summary_print_plan(const struct plan *plan)
{
    terminal_print(stdout, "pipeline %s: %zu step%s, nothing is run\n", plan->pipeline, plan->step_count,
                   plan->step_count == 1 ? "" : "s");
    for (size_t i = 0; i < plan->step_count; i++)
        print_plan_step(plan, i);
}
