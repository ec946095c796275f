/* osiris bundle: the worker and its drivers in one archive that runs anywhere. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli/build.h"
#include "cli/commands.h"
#include "cli/place-bundle.h"
#include "cli/report.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/base/terminal.h"
#include "orchestrator/bundle/bundle.h"
#include "orchestrator/registry/paths.h"

/* create */

struct chosen {
    const struct component **components;
    size_t count, capacity;
};

static void chosen_clear(struct chosen *chosen)
{
    free(chosen->components);
}

static void choose(struct chosen *chosen, const struct component *component)
{
    if (chosen->count == chosen->capacity) {
        chosen->capacity = chosen->capacity == 0 ? 16 : chosen->capacity * 2;
        chosen->components = reallocarray(chosen->components, chosen->capacity, sizeof *chosen->components);
    }
    chosen->components[chosen->count++] = component;
}

/* Connections, places and the rest need not be there: only components count. -1: the diagnostics say why. */
static int choose_from_pipeline(struct chosen *chosen, struct build *build, const struct arguments *arguments)
{
    _cleanup_free_ const char **params = arguments_values(arguments, "param");
    const struct pipeline_options options = {
        .path = arguments->operands[0],
        .profile = arguments_value(arguments, "profile"),
        .params = params,
        .registry = build->registry,
    };

    if (pipeline_load(&options, &build->diagnostics, &build->pipeline) < 0)
        return -1;
    for (size_t i = 0; i < build->pipeline->step_count; i++)
        choose(chosen, build->pipeline->steps[i].component);
    return 0;
}

static int choose_by_name(struct chosen *chosen, struct registry *registry, const struct arguments *arguments,
                          struct osiris_error *error)
{
    _cleanup_free_ const char **names = arguments_values(arguments, "driver");

    for (size_t i = 0; names[i] != NULL; i++) {
        const struct component *component = registry_find(registry, names[i], error);
        if (component == NULL)
            return -1;
        choose(chosen, component);
    }
    return 0;
}

/* Nothing named: all that there are. */
static int choose_all(struct chosen *chosen, struct build *build, const struct arguments *arguments, struct osiris_error *error)
{
    build->registry = build_registry(arguments, error);
    if (build->registry == NULL ||
        (arguments->operand_count > 0 && choose_from_pipeline(chosen, build, arguments) < 0) ||
        choose_by_name(chosen, build->registry, arguments, error) < 0)
        return -1;
    const bool names_none = chosen->count == 0;
    for (size_t i = 0; names_none && i < registry_count(build->registry); i++)
        choose(chosen, registry_get(build->registry, i));
    return 0;
}

static int create(const struct arguments *arguments, const struct chosen *chosen, struct bundle *bundle,
                  struct osiris_error *error)
{
    _cleanup_free_ char *folder = place_bundle_folder();
    const struct bundle_options options = {
        .worker_path = paths_worker(),
        .components = chosen->components,
        .component_count = chosen->count,
        .version = PACKAGE_VERSION,
        .cache_dir = folder,
        .output = arguments_value(arguments, "output"),
    };

    return bundle_create(&options, bundle, error);
}

static void print_size(const struct bundle *bundle)
{
    char size[REPORT_SIZE_LENGTH], unpacked[REPORT_SIZE_LENGTH];

    terminal_print(stdout, "sha256 %s\n%s, %s unpacked, %s\n", bundle->hash, report_bytes(bundle->size, size),
                   report_bytes(bundle->unpacked_size, unpacked),
                   json_member_string(bundle->description, "architecture", "?"));
}

static json_object *bundle_json(const struct bundle *bundle, const char *phase)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "status", "success");
    json_add_string(object, "phase", phase);
    json_add_string(object, "path", bundle->path);
    json_add_string(object, "sha256", bundle->hash);
    json_add_integer(object, "size", bundle->size);
    json_add_integer(object, "unpacked_size", bundle->unpacked_size);
    return object;
}

static void report_created(const struct arguments *arguments, const struct bundle *bundle,
                           const struct diagnostics *diagnostics)
{
    if (arguments->json) {
        json_object *object = bundle_json(bundle, "create");
        json_add_boolean(object, "created", bundle->is_new);
        json_add(object, "warnings", json_object_get(bundle->warnings));
        json_add(object, "diagnostics", diagnostics_to_json(diagnostics));
        json_add(object, "bundle", json_object_get(bundle->description));
        report_json(object);
        return;
    }
    diagnostics_print(diagnostics, stderr, report_color());
    for (size_t i = 0; i < json_array_count(bundle->warnings); i++)
        terminal_print(stderr, "osiris: warning: %s\n", json_object_get_string(json_object_array_get_idx(bundle->warnings, i)));
    terminal_print(stdout, "%s\n", bundle->path);
    print_size(bundle);
}

static int execute_create(const struct arguments *arguments)
{
    _cleanup_build_ struct build build = {0};
    _cleanup_(chosen_clear) struct chosen chosen = {0};
    _cleanup_bundle_ struct bundle bundle = {0};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (choose_all(&chosen, &build, arguments, &error) < 0)
        return report_failure(arguments->json, "create", &error, &build.diagnostics, EXIT_CODE_USAGE);
    if (create(arguments, &chosen, &bundle, &error) < 0)
        return report_failure(arguments->json, "create", &error, NULL, EXIT_CODE_FAILED);
    report_created(arguments, &bundle, &build.diagnostics);
    return EXIT_CODE_SUCCESS;
}

/* show and verify */

static void print_list(const char *title, json_object *values)
{
    for (size_t i = 0; i < json_array_count(values); i++)
        terminal_print(stdout, "%s%s", i == 0 ? title : " ", json_object_get_string(json_object_array_get_idx(values, i)));
    if (json_array_count(values) > 0)
        putchar('\n');
}

static void print_drivers(json_object *drivers)
{
    for (size_t i = 0; i < json_array_count(drivers); i++) {
        json_object *driver = json_object_array_get_idx(drivers, i);
        terminal_print(stdout, "%-14s%s: ", i == 0 ? "drivers:" : "", json_member_string(driver, "file", "?"));
        print_list("", json_member(driver, "components"));
    }
}

/* What the place must have; docs/bundle.md says more. */
static void print_needs(json_object *description)
{
    terminal_print(stdout, "place:        Linux %s or newer on %s, with /dev/null and a folder that may be written to and executed\n",
                   json_member_string(description, "kernel", "?"), json_member_string(description, "architecture", "?"));
    puts("              /etc/resolv.conf for names of hosts in the DNS");
    puts("to unpack:    tar and gzip, or whatever copies files there");
    puts("to start:     a POSIX shell for ./run, or the command and the environment that --json shows");
    print_list("packages:     named by drivers, beside their libraries, which are here: ", json_member(description, "packages"));
}

static void print_files(json_object *files)
{
    puts("\nSHA256                                                            SIZE        FILE");
    for (size_t i = 0; i < json_array_count(files); i++) {
        json_object *file = json_object_array_get_idx(files, i);
        terminal_print(stdout, "%s  %-10lld  %s%s\n", json_member_string(file, "sha256", "?"),
                       (long long)json_member_integer(file, "size", 0), json_member_string(file, "path", "?"),
                       json_member_boolean(file, "stripped", false) ? " (stripped)" : "");
    }
}

static int execute_show(const struct arguments *arguments)
{
    _cleanup_bundle_ struct bundle bundle = {0};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (bundle_read(arguments->operands[0], &bundle, &error) < 0)
        return report_failure(arguments->json, "show", &error, NULL, EXIT_CODE_FAILED);
    if (arguments->json) {
        json_object *object = bundle_json(&bundle, "show");
        json_add(object, "bundle", json_object_get(bundle.description));
        report_json(object);
        return EXIT_CODE_SUCCESS;
    }
    print_size(&bundle);
    terminal_print(stdout, "\n%-14s%s, %s\n", "osiris:", json_member_string(bundle.description, "osiris", "?"),
                   json_member_string(bundle.description, "libc", "?"));
    print_drivers(json_member(bundle.description, "drivers"));
    print_needs(bundle.description);
    print_files(json_member(bundle.description, "files"));
    return EXIT_CODE_SUCCESS;
}

static int execute_verify(const struct arguments *arguments)
{
    _cleanup_bundle_ struct bundle bundle = {0};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (bundle_read(arguments->operands[0], &bundle, &error) < 0)
        return report_failure(arguments->json, "verify", &error, NULL, EXIT_CODE_FAILED);
    if (arguments->json)
        report_json(bundle_json(&bundle, "verify"));
    else
        print_size(&bundle);
    return EXIT_CODE_SUCCESS;
}

static const struct option_entry create_options[] = {
    BUILD_OPTIONS,
    {"driver", 0, "NAME", "put the driver of this component in", true},
    {"output", 'o', "FILE", "write the bundle to FILE, too", false},
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct option_entry file_options[] = {
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

static const struct command_entry command_create = {
    .name = "create",
    .operands = "[PIPELINE]",
    .summary = "make a bundle with the drivers of a pipeline, those named, or all, and print where it is",
    .options = create_options,
    .operands_maximum = 1,
    .execute = execute_create,
};

static const struct command_entry command_show = {
    .name = "show",
    .operands = "FILE",
    .summary = "list what is in a bundle, and what it needs of a place",
    .options = file_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute_show,
};

static const struct command_entry command_verify = {
    .name = "verify",
    .operands = "FILE",
    .summary = "check all hashes of a bundle",
    .options = file_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute_verify,
};

static const struct command_entry *const subcommands[] = {&command_create, &command_show, &command_verify, NULL};

const struct command_entry command_bundle = {
    .name = "bundle",
    .summary = "put the worker and its drivers into one archive that runs anywhere",
    .subcommands = subcommands,
};
