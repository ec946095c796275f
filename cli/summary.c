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

static void print_plan_step(size_t number, json_object *step)
{
    json_object *inputs = json_member(step, "inputs");
    json_object *after = json_member(step, "after");

    terminal_print(stdout, "%zu. %s  %s (%s), group %s\n", number, json_member_string(step, "id", "?"),
           json_member_string(step, "component", "?"), json_member_string(step, "kind", "?"),
           json_object_get_string(json_member(step, "group")));
    for (size_t i = 0; i < json_array_count(inputs); i++) {
        json_object *input = json_object_array_get_idx(inputs, i);
        terminal_print(stdout, "     %s from %s.%s\n", json_member_string(input, "name", "?"),
               json_member_string(input, "from", "?"), json_member_string(input, "output", "?"));
    }
    json_object *connections = json_member(step, "connections");
    if (connections != NULL)
        printf("     takes %lld of %s, which allows %lld at a time\n", (long long)json_member_integer(connections, "count", 0),
               json_member_string(connections, "of", "?"), (long long)json_member_integer(connections, "max", 0));
    for (size_t i = 0; i < json_array_count(after); i++)
        terminal_print(stdout, "     after %s\n", json_object_get_string(json_object_array_get_idx(after, i)));
}

void summary_print_plan(json_object *plan)
{
    json_object *steps = json_member(plan, "steps");

    terminal_print(stdout, "pipeline %s: %zu step%s, nothing is run\n", json_member_string(plan, "pipeline", "?"),
           json_array_count(steps), json_array_count(steps) == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_count(steps); i++)
        print_plan_step(i + 1, json_object_array_get_idx(steps, i));
}
