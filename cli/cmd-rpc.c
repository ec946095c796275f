/* osiris rpc: shows traces of the protocol. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "core/base/json-text.h"
#include "orchestrator/base/terminal.h"
#include "orchestrator/records/trace.h"

/* dump */

/* With --json there is one object or none, so everything is read before anything is printed. */
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

    terminal_print(stdout, "%10.3f ms  %s\n", record->ms, line);
}

/* Printed record by record, because a trace is much larger in memory. */
static void print_record(const struct trace_record *record, bool first)
{
    printf("%s%s", first ? "\n" : ",\n",
           json_text(record->object,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL));
}

/* -1: it cannot be read to its end; what comes before the fault has been printed. */
static int print_trace(struct trace_reader *reader, bool json, struct osiris_error *error)
{
    struct trace_record record;
    bool first = true;
    int result;

    if (json)
        printf("{\"status\": \"success\", \"phase\": \"dump\", \"trace\": %s, \"frames\": [",
               json_text(
                   trace_reader_header(reader),
                   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL));
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
    .summary = "print the messages between osiris and its workers (recorded with OSIRIS_RPC_DEBUG)",
    .options = dump_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = dump,
};

static const struct command_entry *const rpc_commands[] = {&command_dump, NULL};

const struct command_entry command_rpc = {
    .name = "rpc",
    .summary = "inspect the protocol between osiris and its workers",
    .subcommands = rpc_commands,
};
