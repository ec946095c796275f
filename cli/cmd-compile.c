/* osiris compile: writes a pipeline's manifest, configs and plan to build/pipelines. */
#include "cli/build.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "core/base/json-build.h"
#include "orchestrator/base/terminal.h"

static int execute(const struct arguments *arguments)
{
    _cleanup_build_ struct build build = {0};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_free_ char *directory = NULL;

    if (build_pipeline(&build, arguments, NULL, &error) < 0)
        return report_failure(arguments->json, "compile", &error, &build.diagnostics,
                              EXIT_CODE_USAGE);
    const char *out = arguments_value(arguments, "out");
    if (compiled_write(build.compiled, out == NULL ? "." : out, &directory, &error) < 0)
        return report_failure(arguments->json, "compile", &error, &build.diagnostics,
                              EXIT_CODE_FAILED);
    if (arguments->json) {
        json_object *object = json_object_new_object();
        json_add_string(object, "status", "success");
        json_add_string(object, "phase", "compile");
        json_add_string(object, "message", "compiled");
        json_add_string(object, "pipeline", build.pipeline->name);
        json_add_string(object, "manifest_hash", build.compiled->manifest_hash);
        json_add_string(object, "build_dir", directory);
        json_add(object, "diagnostics", diagnostics_to_json(&build.diagnostics));
        report_json(object);
        return EXIT_CODE_SUCCESS;
    }
    diagnostics_print(&build.diagnostics, stderr, report_color());
    terminal_print(stdout, "%s\n", directory);
    return EXIT_CODE_SUCCESS;
}

static const struct option_entry options[] = {
    BUILD_OPTIONS,
    {"out", 0, "DIR", "write build/ and .osiris/ below DIR instead of the working directory",
     false},
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

const struct command_entry command_compile = {
    .name = "compile",
    .operands = "PIPELINE",
    .summary = "compile a pipeline to build/pipelines and print the folder",
    .options = options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute,
};
