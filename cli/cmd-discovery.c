/* osiris discovery: the tables behind a connection, and how a table would be split. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/inquiry.h"
#include "cli/report.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/redact.h"
#include "orchestrator/base/terminal.h"

/* Makes the config from the options. NULL: the error is set. */
static json_object *read_config(const struct arguments *arguments, struct osiris_error *error)
{
    const char *table = arguments_value(arguments, "table");
    const char *partition_on = arguments_value(arguments, "partition-on");
    const char *partitions = arguments_value(arguments, "partitions");
    const char *where = arguments_value(arguments, "where");
    json_object *config = json_object_new_object();
    char *end;

    json_add_string(config, "table", table);
    json_add_string(config, "partition_on", partition_on);
    json_add_string(config, "where", where);
    if (partitions == NULL)
        return config;
    errno = 0;
    long long count = strtoll(partitions, &end, 10);
    if (errno == 0 && end != partitions && *end == '\0' && count >= 1) {
        json_add_integer(config, "partitions", count);
        return config;
    }
    json_object_put(config);
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "--partitions %s is not a whole number from 1 on", partitions);
    return NULL;
}

/* Not every family has tables. */
static bool lacks_table(const struct inquiry *inquiry)
{
    json_object *schema = json_member(inquiry->component->spec, "configSchema");

    return strcmp(inquiry->verb, "plan") == 0 && json_member_string(inquiry->config, "table", NULL) == NULL &&
           json_member(json_member(schema, "properties"), "table") != NULL;
}

/* The answer, or NULL with *code set and the failure reported. */
static json_object *ask(const struct arguments *arguments, const char *verb, int *code)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_registry_ struct registry *registry = NULL;
    _cleanup_json_ json_object *config = NULL;
    json_object *answer = NULL;
    int signal_number = 0;

    *code = EXIT_CODE_USAGE;
    if (inquiry_check_reference(arguments->operands[0], &error) == 0)
        config = read_config(arguments, &error);
    if (config != NULL) {
        *code = EXIT_CODE_FAILED;
        registry = build_registry(arguments, &error);
    }
    struct inquiry inquiry = {
        .registry = registry, .connection = arguments->operands[0], .verb = verb, .config = config};
    if (registry != NULL)
        inquiry.component = inquiry_component(registry, inquiry.connection, &error);
    if (inquiry.component != NULL && lacks_table(&inquiry)) {
        *code = EXIT_CODE_USAGE;
        osiris_error_set(&error, OSIRIS_ERROR_CONFIG, "the table to split is missing");
        osiris_error_hint(&error, "name it with --table");
    } else if (inquiry.component != NULL)
        answer = inquiry_ask(&inquiry, &signal_number, &error);
    if (answer != NULL) {
        *code = EXIT_CODE_SUCCESS;
        return answer;
    }
    if (signal_number != 0)
        *code = 128 + signal_number;
    *code = report_failure(arguments->json, "discovery", &error, NULL, *code);
    return NULL;
}

/* run */

static void print_columns(json_object *columns)
{
    int width = 0;

    for (size_t i = 0; i < json_array_count(columns); i++) {
        int length = (int)strlen(
            json_member_string(json_object_array_get_idx(columns, i), "name", ""));
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < json_array_count(columns); i++) {
        json_object *column = json_object_array_get_idx(columns, i);
        terminal_print(stdout, "  %-*s  %s%s\n", width, json_member_string(column, "name", ""),
               json_member_string(column, "type", ""),
               json_member_boolean(column, "nullable", true) ? "" : ", not null");
    }
}

static void print_keys(json_object *keys)
{
    for (size_t i = 0; i < json_array_count(keys); i++) {
        json_object *key = json_object_array_get_idx(keys, i);
        json_object *columns = json_member(key, "columns");
        terminal_print(stdout, "  %s %s (", json_member_boolean(key, "unique", false) ? "unique" : "index",
               json_member_string(key, "name", ""));
        for (size_t j = 0; j < json_array_count(columns); j++) {
            const char *name = json_object_get_string(json_object_array_get_idx(columns, j));
            terminal_print(stdout, "%s%s", j > 0 ? ", " : "", name == NULL ? "an expression" : name);
        }
        puts(")");
    }
}

static void print_table(json_object *table)
{
    char count[REPORT_SIZE_LENGTH];
    json_object *rows = json_member(table, "rows_estimate");
    const char *error = json_member_string(table, "error", NULL);

    terminal_print(stdout, "%s (%s", json_member_string(table, "name", ""), json_member_string(table, "kind", ""));
    if (rows != NULL)
        terminal_print(stdout, ", about %s row%s", report_count(json_object_get_int64(rows), count), json_object_get_int64(rows) == 1 ? "" : "s");
    puts(")");
    if (error != NULL)
        terminal_print(stdout, "  cannot be read: %s\n", error);
    print_columns(json_member(table, "columns"));
    print_keys(json_member(table, "keys"));
}

static void print_discovery(json_object *answer)
{
    json_object *databases = json_member(answer, "databases");

    for (size_t i = 0; i < json_array_count(databases); i++) {
        json_object *database = json_object_array_get_idx(databases, i);
        json_object *tables = json_member(database, "tables");
        if (tables == NULL)
            terminal_print(stdout, "another database: %s\n", json_member_string(database, "name", ""));
        for (size_t j = 0; j < json_array_count(tables); j++)
            print_table(json_object_array_get_idx(tables, j));
        if (json_member_boolean(database, "truncated", false))
            terminal_print(stderr, "osiris: \"%s\" has more tables; name one with --table\n",
                    json_member_string(database, "name", ""));
    }
}

static int finish(const struct arguments *arguments, json_object *answer,
                  void (*print)(json_object *answer))
{
    if (arguments->json) {
        report_json(answer);
        return EXIT_CODE_SUCCESS;
    }
    print(answer);
    json_object_put(answer);
    return EXIT_CODE_SUCCESS;
}

static int execute_run(const struct arguments *arguments)
{
    int code;
    json_object *answer = ask(arguments, "discover", &code);

    return answer == NULL ? code : finish(arguments, answer, print_discovery);
}

/* plan */

/* The JSON is for programs as well as terminals: what a terminal would act on is escaped. */
static void print_config(json_object *config)
{
    const char *at = json_text(config, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
    const char *end = at + strlen(at);

    while (at < end) {
        bool harmless;
        size_t bytes = terminal_character(at, end, &harmless);
        const unsigned char *c = (const unsigned char *)at;
        if (harmless)
            fwrite(at, 1, bytes, stdout);
        else
            printf("\\u%04x", bytes == 2 ? (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu)
                            : bytes == 3 ? (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu)
                                         : c[0]);
        at += bytes;
    }
    putchar('\n');
}

static void print_plan(json_object *answer)
{
    json_object *partitions = json_member(answer, "partitions");
    const char *column = json_member_string(answer, "partition_on", NULL);

    if (column != NULL)
        terminal_print(stderr, "split on %s\n", column);
    for (size_t i = 0; i < json_array_count(partitions); i++)
        print_config(json_member(json_object_array_get_idx(partitions, i), "config"));
}

static int execute_plan(const struct arguments *arguments)
{
    int code;
    json_object *answer = ask(arguments, "plan", &code);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (answer == NULL)
        return code;
    /* A range with a masked value would be a different range. */
    if (strstr(json_text(json_member(answer, "partitions"), JSON_C_TO_STRING_PLAIN, NULL), REDACT_MASK) == NULL)
        return finish(arguments, answer, print_plan);
    json_object_put(answer);
    osiris_error_set(&error, OSIRIS_ERROR_DATA, "the ranges contain a secret value, which cannot be shown");
    osiris_error_hint(&error, "choose another column with --partition-on, or another number of partitions");
    return report_failure(arguments->json, "discovery", &error, NULL, EXIT_CODE_FAILED);
}

static const struct option_entry run_options[] = {
    {"table", 0, "NAME", "show only this table", false},
    BUILD_OPTION_DRIVER_DIR,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct option_entry plan_options[] = {
    {"table", 0, "NAME", "the table to split", false},
    {"partitions", 0, "N", "the maximum number of ranges", false},
    {"partition-on", 0, "COLUMN", "the indexed column to split on", false},
    {"where", 0, "SQL", "the rows to split", false},
    BUILD_OPTION_DRIVER_DIR,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct command_entry command_run_discovery = {
    .name = "run",
    .operands = "@FAMILY.ALIAS",
    .summary = "list the tables of a connection",
    .options = run_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute_run,
};

static const struct command_entry command_plan = {
    .name = "plan",
    .operands = "@FAMILY.ALIAS",
    .summary = "show how a table would be split",
    .options = plan_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute_plan,
};

static const struct command_entry *const subcommands[] = {&command_run_discovery, &command_plan,
                                                          NULL};

const struct command_entry command_discovery = {
    .name = "discovery",
    .summary = "explore what a connection gives access to",
    .subcommands = subcommands,
};
