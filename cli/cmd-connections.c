/* osiris connections: lists the connections and checks them. */
#include <stdlib.h>
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/inquiry.h"
#include "cli/report.h"
#include "orchestrator/oml/connections.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/base/terminal.h"

/* [{connection, family, alias, default, fields}] of the file; *path (free it) is NULL if there is no file. NULL: the
 * failure has been reported, *code is the exit code. */
static json_object *load(const struct arguments *arguments, char **path)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct connections *connections = connections_load(getenv("OSIRIS_HOME"), &diagnostics);

    *path = NULL;
    if (connections == NULL) {
        report_failure(arguments->json, "connections", NULL, &diagnostics, EXIT_CODE_FAILED);
        return NULL;
    }
    if (connections_path(connections) != NULL)
        *path = strdup(connections_path(connections));
    json_object *list = connections_list(connections);
    connections_free(connections);
    return list;
}

static int no_connections(const struct arguments *arguments)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_NOT_FOUND, "osiris_connections.yaml does not exist");
    osiris_error_hint(&error, "create it in $OSIRIS_HOME, the working directory or its parent");
    return report_failure(arguments->json, "connections", &error, NULL, EXIT_CODE_FAILED);
}

/* list */

static void print_list(json_object *list, const char *path)
{
    int width = 10;

    for (size_t i = 0; i < json_array_count(list); i++) {
        json_object *item = json_object_array_get_idx(list, i);
        int length = (int)strlen(json_member_string(item, "connection", ""));
        width = length > width ? length : width;
    }
    terminal_print(stdout, "%-*s  %-7s  FIELDS\n", width, "CONNECTION", "DEFAULT");
    for (size_t i = 0; i < json_array_count(list); i++) {
        json_object *item = json_object_array_get_idx(list, i);
        json_object *fields = json_member(item, "fields");
        terminal_print(stdout, "%-*s  %-7s  ", width, json_member_string(item, "connection", ""),
               json_member_boolean(item, "default", false) ? "yes" : "");
        for (size_t j = 0; j < json_array_count(fields); j++)
            terminal_print(stdout, "%s%s", j > 0 ? ", " : "",
                   json_object_get_string(json_object_array_get_idx(fields, j)));
        putchar('\n');
    }
    terminal_print(stderr, "from %s\n", path);
}

static int execute_list(const struct arguments *arguments)
{
    _cleanup_free_ char *path = NULL;
    json_object *list = load(arguments, &path);

    if (list == NULL)
        return EXIT_CODE_FAILED;
    if (path == NULL) {
        json_object_put(list);
        return no_connections(arguments);
    }
    if (!arguments->json) {
        print_list(list, path);
        json_object_put(list);
        return EXIT_CODE_SUCCESS;
    }
    json_object *object = json_object_new_object();
    json_add_string(object, "file", path);
    json_add(object, "connections", list);
    report_json(object);
    return EXIT_CODE_SUCCESS;
}

/* doctor */

static bool all_are_ok(json_object *answer)
{
    json_object *checks = json_member(answer, "checks");

    for (size_t i = 0; i < json_array_count(checks); i++)
        if (!json_member_boolean(json_object_array_get_idx(checks, i), "ok", false))
            return false;
    return true;
}

static void print_entry(const char *connection, json_object *answer, bool ok,
                        const struct osiris_error *error)
{
    json_object *checks = json_member(answer, "checks");

    if (answer == NULL) {
        terminal_print(stdout, "%s: failed\n", connection);
        report_error(error, "");
        return;
    }
    terminal_print(stdout, "%s: %s, %s %s, %s, %.1f ms\n", connection, ok ? "ok" : "not usable",
           json_member_string(answer, "server", "unknown server"),
           json_member_string(answer, "version", ""),
           json_member_string(answer, "tls", "not encrypted"),
           json_object_get_double(json_member(answer, "latency_ms")));
    for (size_t i = 0; i < json_array_count(checks); i++) {
        json_object *check = json_object_array_get_idx(checks, i);
        if (!json_member_boolean(check, "ok", false))
            terminal_print(stdout, "  %s: %s\n", json_member_string(check, "name", "?"),
                   json_member_string(check, "message", ""));
    }
}

/* Checks one connection and adds the result to `results`. */
static bool examine(const struct arguments *arguments, struct registry *registry,
                    const char *connection, json_object *results, int *signal_number)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *answer = NULL;
    struct inquiry inquiry = {.registry = registry, .connection = connection, .verb = "check"};

    inquiry.component = inquiry_component(registry, connection, &error);
    if (inquiry.component != NULL)
        answer = inquiry_ask(&inquiry, signal_number, &error);
    bool ok = answer != NULL && all_are_ok(answer);
    json_object *entry = json_object_new_object();
    json_add_string(entry, "connection", connection);
    json_add_boolean(entry, "ok", ok);
    if (answer != NULL)
        json_add(entry, "result", json_object_get(answer));
    else
        json_add(entry, "error", osiris_error_to_json(&error));
    json_append(results, entry);
    if (!arguments->json)
        print_entry(connection, answer, ok, &error);
    return ok;
}

static int finish_doctor(const struct arguments *arguments, json_object *results, bool ok,
                         int signal_number)
{
    if (arguments->json) {
        json_object *object = json_object_new_object();
        json_add_string(object, "status", ok ? "success" : "failed");
        json_add(object, "connections", results);
        report_json(object);
    } else {
        json_object_put(results);
    }
    if (signal_number != 0)
        return 128 + signal_number;
    return ok ? EXIT_CODE_SUCCESS : EXIT_CODE_FAILED;
}

static int execute_doctor(const struct arguments *arguments)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_registry_ struct registry *registry = build_registry(arguments, &error);
    _cleanup_free_ char *path = NULL;
    int signal_number = 0;
    bool ok = true;

    if (registry == NULL)
        return report_failure(arguments->json, "connections", &error, NULL, EXIT_CODE_FAILED);
    _cleanup_json_ json_object *list = load(arguments, &path);
    if (list == NULL)
        return EXIT_CODE_FAILED;
    if (path == NULL)
        return no_connections(arguments);
    for (size_t i = 0; i < arguments->operand_count; i++)
        if (inquiry_check_reference(arguments->operands[i], &error) < 0)
            return report_failure(arguments->json, "connections", &error, NULL, EXIT_CODE_USAGE);
    json_object *results = json_object_new_array();
    if (arguments->operand_count > 0) {
        for (size_t i = 0; i < arguments->operand_count && signal_number == 0; i++)
            ok &= examine(arguments, registry, arguments->operands[i], results, &signal_number);
    } else {
        for (size_t i = 0; i < json_array_count(list) && signal_number == 0; i++)
            ok &= examine(arguments, registry,
                          json_member_string(json_object_array_get_idx(list, i), "connection", ""),
                          results, &signal_number);
    }
    return finish_doctor(arguments, results, ok, signal_number);
}

static const struct option_entry list_options[] = {
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct option_entry doctor_options[] = {
    BUILD_OPTION_DRIVER_DIR,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct command_entry command_list = {
    .name = "list",
    .summary = "list all connections: names, defaults and fields, no values",
    .options = list_options,
    .execute = execute_list,
};

static const struct command_entry command_doctor = {
    .name = "doctor",
    .operands = "[@FAMILY.ALIAS...]",
    .summary = "check connections, all by default",
    .options = doctor_options,
    .operands_maximum = 1000,
    .execute = execute_doctor,
};

static const struct command_entry *const subcommands[] = {&command_list, &command_doctor, NULL};

const struct command_entry command_connections = {
    .name = "connections",
    .summary = "show and check the connections that pipelines can use",
    .subcommands = subcommands,
};
