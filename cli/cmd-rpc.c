/* osiris rpc: shows traces of the protocol, and plays them to a worker. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/paths.h"
#include "core/replay.h"
#include "core/trace.h"

/* dump */

/* With --json there is one object, or none: everything is read before anything is printed. */
static int count_records(struct trace_reader *reader, struct osiris_error *error)
{
    struct trace_record record;
    int result;

    while ((result = trace_reader_next(reader, &record, error)) > 0)
        trace_record_clear(&record);
    trace_reader_rewind(reader);
    return result;
}

static void print_line(const struct trace_record *record)
{
    _cleanup_free_ char *line = trace_describe(record);

    printf("%10.3f ms  %s\n", record->ms, line == NULL ? "out of memory" : line);
}

/* Record by record: a trace is much larger in memory. */
static void print_record(const struct trace_record *record, bool first)
{
    printf("%s%s", first ? "\n" : ",\n",
           json_object_to_json_string_ext(record->object,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* -1: it cannot be read to its end; what comes before has been printed. */
static int print_trace(struct trace_reader *reader, bool json, struct osiris_error *error)
{
    struct trace_record record;
    bool first = true;
    int result;

    if (json)
        printf("{\"status\": \"success\", \"phase\": \"dump\", \"trace\": %s, \"frames\": [",
               json_object_to_json_string_ext(
                   trace_reader_header(reader),
                   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    while ((result = trace_reader_next(reader, &record, error)) > 0) {
        if (json)
            print_record(&record, first);
        else
            print_line(&record);
        first = false;
        trace_record_clear(&record);
    }
    if (json)
        puts("]}");
    return result;
}

static int dump(const struct arguments *arguments)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct trace_reader *reader = trace_reader_open(arguments->operands[0], &error);
    int result = reader == NULL ? -1 : arguments->json ? count_records(reader, &error) : 0;

    if (result == 0)
        result = print_trace(reader, arguments->json, &error);
    trace_reader_free(reader);
    return result == 0 ? EXIT_CODE_SUCCESS
                       : report_failure(arguments->json, "dump", &error, NULL, EXIT_CODE_FAILED);
}

static const struct option_entry dump_options[] = {
    {"json", 0, NULL, "print one JSON object, with whole messages", true},
    {0},
};

static const struct command_entry command_dump = {
    .name = "dump",
    .operands = "TRACE",
    .summary = "print what osiris and its workers said to each other (OSIRIS_RPC_DEBUG)",
    .options = dump_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = dump,
};

/* replay */

struct replay_command {
    const struct arguments *arguments;
    struct trace_reader *reader;
    struct replay_needs needs;
    struct build build;
    struct redactor *redactor;
    json_object *answers; /* for --json */
    size_t compared, differing;
};

static void replay_clear(struct replay_command *command)
{
    trace_reader_free(command->reader);
    free(command->needs.place);
    redactor_free(command->redactor);
    build_clear(&command->build);
    json_object_put(command->answers);
}

static void print_value(const char *what, json_object *value)
{
    const char *text =
        json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

    printf("      %-8s %.400s\n", what, text == NULL ? "out of memory" : text);
}

static void print_differences(json_object *differences)
{
    for (size_t i = 0; i < json_array_count(differences); i++) {
        json_object *difference = json_object_array_get_idx(differences, i);
        printf("    %s\n", json_member_string(difference, "path", ""));
        print_value("traced", json_member(difference, "expected"));
        print_value("now", json_member(difference, "got"));
    }
}

static void on_compared(void *context, const char *id, const char *method, const char *step_id,
                        json_object *differences)
{
    struct replay_command *command = context;
    size_t count = json_array_count(differences);
    json_object *answer;

    command->compared++;
    command->differing += count > 0;
    if (!command->arguments->json) {
        printf("%s %s%s%s%s: %s\n", id, method, step_id == NULL ? "" : " (",
               step_id == NULL ? "" : step_id, step_id == NULL ? "" : ")",
               count == 0 ? "the same" : "differs");
        print_differences(differences);
        return;
    }
    answer = json_object_new_object();
    json_add_string(answer, "id", id);
    json_add_string(answer, "method", method);
    json_add_string(answer, "step_id", step_id);
    json_add(answer, "differences", json_object_get(differences));
    json_append(command->answers, answer);
}

static void on_worker_line(void *context, const char *text)
{
    const struct replay_command *command = context;

    if (!command->arguments->json)
        fprintf(stderr, "worker: %s\n", text);
}

static int add_secrets(struct replay_command *command, struct osiris_error *error)
{
    json_object *secrets =
        command->build.compiled == NULL ? NULL : command->build.compiled->secrets;

    for (size_t i = 0; i < json_array_count(secrets); i++)
        if (redactor_add(command->redactor,
                         json_object_get_string(json_object_array_get_idx(secrets, i))) < 0)
            return osiris_error_set_errno(error, ENOMEM, "cannot keep secrets");
    return 0;
}

/* The secrets that the trace does not keep, from where the run had them: the pipeline and its connections, resolved again. */
static int find_secrets(struct replay_command *command, struct osiris_error *error)
{
    json_object *header = trace_reader_header(command->reader);
    const char *path = arguments_value(command->arguments, "pipeline");
    const char *profile = arguments_value(command->arguments, "profile");

    if (path == NULL)
        path = json_member_string(header, "pipeline", NULL);
    if (profile == NULL)
        profile = json_member_string(header, "profile", NULL);
    if (path == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "the trace does not keep the secrets that its steps were given");
        return osiris_error_hint(error, "name the pipeline with --pipeline to have them resolved again");
    }
    return build_pipeline_file(&command->build, path, profile, command->arguments, NULL, error);
}

static int prepare_replay(struct replay_command *command, struct osiris_error *error)
{
    command->reader = trace_reader_open(command->arguments->operands[0], error);
    command->redactor = redactor_new();
    command->answers = json_object_new_array();
    if (command->reader == NULL)
        return -1;
    if (command->redactor == NULL || command->answers == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot replay");
    if (replay_check(command->reader, arguments_value(command->arguments, "place"), &command->needs,
                     error) < 0)
        return -1;
    if (command->needs.secrets && find_secrets(command, error) < 0)
        return -1;
    return add_secrets(command, error);
}

static int run_replay(struct replay_command *command, struct osiris_error *error)
{
    const struct compiled *compiled = command->build.compiled;
    const char *worker = arguments_value(command->arguments, "worker");
    const struct replay_options options = {
        .trace = command->reader,
        .place = command->needs.place,
        .worker_path = worker == NULL ? paths_worker() : worker,
        .adapter_path = paths_adapter_path(),
        .adapter_dir = paths_adapter_dir(),
        .version = PACKAGE_VERSION,
        .plan = compiled == NULL ? NULL : compiled->plan,
        .configs = compiled == NULL ? NULL : compiled->configs,
        .connections = compiled == NULL ? NULL : compiled->connections,
        .secrets = compiled == NULL ? NULL : compiled->secrets,
        .redactor = command->redactor,
        .compared = on_compared,
        .log = on_worker_line,
        .context = command,
    };

    return replay_run(&options, error);
}

static int report_replay(const struct replay_command *command)
{
    bool same = command->differing == 0;

    if (command->arguments->json) {
        json_object *object = json_object_new_object();
        json_add_string(object, "status", same ? "success" : "failed");
        json_add_string(object, "phase", "replay");
        json_add_string(object, "message", same ? "the answers are the same" : "answers differ");
        json_add_string(object, "place", command->needs.place);
        json_add(object, "answers", json_object_get(command->answers));
        report_json(object);
    } else {
        printf("%zu answer%s compared, %zu differ%s\n", command->compared,
               command->compared == 1 ? "" : "s", command->differing,
               command->differing == 1 ? "s" : "");
    }
    return same ? EXIT_CODE_SUCCESS : EXIT_CODE_FAILED;
}

static int replay(const struct arguments *arguments)
{
    _cleanup_(replay_clear) struct replay_command command = {.arguments = arguments};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (prepare_replay(&command, &error) < 0)
        return report_failure(arguments->json, "replay", &error, &command.build.diagnostics,
                              EXIT_CODE_USAGE);
    if (run_replay(&command, &error) < 0)
        return report_failure(arguments->json, "replay", &error, NULL, EXIT_CODE_FAILED);
    return report_replay(&command);
}

static const struct option_entry replay_options[] = {
    {"worker", 0, "FILE", "play to this worker instead of the installed one", false},
    {"place", 0, "NAME", "play what was said to the worker of this place", false},
    {"pipeline", 0, "FILE", "the pipeline, for the secrets that a trace does not keep [as traced]",
     false},
    BUILD_OPTIONS,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct command_entry command_replay = {
    .name = "replay",
    .operands = "TRACE",
    .summary = "run a trace's steps again in a fresh worker, and compare its answers",
    .options = replay_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = replay,
};

static const struct command_entry *const rpc_commands[] = {&command_dump, &command_replay, NULL};

const struct command_entry command_rpc = {
    .name = "rpc",
    .summary = "look into the protocol between osiris and its workers",
    .subcommands = rpc_commands,
};
