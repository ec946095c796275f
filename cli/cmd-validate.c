/* osiris validate: reports everything that is wrong with a pipeline, and runs nothing. */
#include "cli/build.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "core/base/json-build.h"
#include "orchestrator/base/terminal.h"

static int execute(const struct arguments *arguments)
{
    _cleanup_build_ struct build build = {0};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (build_pipeline(&build, arguments, NULL, &error) < 0)
        return report_failure(arguments->json, "validate", &error, &build.diagnostics,
                              EXIT_CODE_USAGE);
    if (arguments->json) {
        json_object *object = json_object_new_object();
        json_add_string(object, "status", "success");
        json_add_string(object, "phase", "validate");
        json_add_string(object, "message", "the pipeline is valid");
        json_add_string(object, "pipeline", build.pipeline->name);
        json_add(object, "diagnostics", diagnostics_to_json(&build.diagnostics));
        report_json(object);
        return EXIT_CODE_SUCCESS;
    }
    diagnostics_print(&build.diagnostics, stderr, report_color());
    terminal_print(stdout, "%s: valid, %zu step%s, %zu warning%s\n", arguments->operands[0],
           build.pipeline->step_count, build.pipeline->step_count == 1 ? "" : "s",
           build.diagnostics.warnings, build.diagnostics.warnings == 1 ? "" : "s");
    return EXIT_CODE_SUCCESS;
}

static const struct option_entry options[] = {
    BUILD_OPTIONS,
    {"json", 0, NULL, "print one JSON object", true},
    {0},
};

const struct command_entry command_validate = {
    .name = "validate",
    .operands = "PIPELINE",
    .summary = "check a pipeline and its connections without running anything",
    .options = options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute,
};
