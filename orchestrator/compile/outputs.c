/*
 * Steps that would write the same file: the second would replace what the first has written. Equal texts in both configs
 * are found here; other paths to the same file are found when it is opened (worker/claims.c).
 */
#include "orchestrator/compile/outputs.h"

#include <string.h>
#include <sys/stat.h>

#include "orchestrator/oml/pipeline-option.h"
#include "core/base/json-access.h"
#include "core/base/memory.h"

/* A spec's entry for an option that is a path of a file: {name, varied_by: […]}. */
static json_object *outputs_of(const struct pipeline_step *step)
{
    return step->component == NULL ? NULL : json_member(step->component->spec, "x-output-files");
}

struct output_option {
    const struct pipeline_step *step;
    json_object *output;
};

static const char *name_of(const struct output_option *option)
{
    return json_member_string(option->output, "name", "");
}

/* The path in the config; NULL: the file is unknown. A driver may substitute "${…}", and the
 * standard output has its own rule. */
static const char *path_of(const struct output_option *option)
{
    const struct pipeline_step *step = option->step;
    bool known = !step->config_is_partial && !step->config_is_wrong;
    const char *path = known ? json_member_string(step->config, name_of(option), NULL) : NULL;

    return path == NULL || strstr(path, "${") != NULL || strcmp(path, "-") == 0 ? NULL : path;
}

/* Some options change the names that the path stands for: whether both steps set the same ones. */
static bool are_varied_alike(const struct output_option *a, const struct output_option *b)
{
    json_object *options = json_member(a->output, "varied_by");

    for (size_t i = 0; i < json_array_count(options); i++) {
        const char *option = json_object_get_string(json_object_array_get_idx(options, i));
        if (json_object_object_get_ex(a->step->config, option, NULL) !=
            json_object_object_get_ex(b->step->config, option, NULL))
            return false;
    }
    return true;
}

/* Any number of steps may write to /dev/null. */
static bool is_device(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISCHR(status.st_mode);
}

static bool are_one_file(const struct output_option *a, const struct output_option *b)
{
    const char *path = path_of(a), *other = path_of(b);

    return path != NULL && other != NULL && strcmp(path, other) == 0 && are_varied_alike(a, b) &&
           are_varied_alike(b, a) && !is_device(path);
}

static void report(struct config_compiler *compiler, const struct output_option *first,
                   const struct output_option *second)
{
    const struct source_location where = pipeline_option_location(first->step, name_of(first));
    _cleanup_free_ char *message =
        memory_format("\"%s\" is also written by the step \"%s\", at %s:%u:%u", path_of(second),
                      compiler_step_name(first->step), where.file, where.line, where.column);

    compiler_choose_step(compiler, (size_t)(second->step - compiler->pipeline->steps));
    compiler_report(compiler, name_of(second), "give each step its own path", message);
}

/* Compares with the steps before it; one report is enough. */
static void check_option(struct config_compiler *compiler, const struct output_option *option)
{
    for (const struct pipeline_step *step = compiler->pipeline->steps; step < option->step; step++) {
        json_object *outputs = outputs_of(step);
        for (size_t i = 0; i < json_array_count(outputs); i++) {
            const struct output_option other = {step, json_object_array_get_idx(outputs, i)};
            if (!are_one_file(&other, option))
                continue;
            report(compiler, &other, option);
            return;
        }
    }
}

void compiler_check_outputs(struct config_compiler *compiler)
{
    const struct pipeline *pipeline = compiler->pipeline;

    /* The value of a secret parameter must not be shown. */
    if (compiler->connection_only || pipeline->has_secret_params)
        return;
    for (size_t i = 0; i < pipeline->step_count; i++) {
        json_object *outputs = outputs_of(&pipeline->steps[i]);
        for (size_t j = 0; j < json_array_count(outputs); j++) {
            const struct output_option option = {&pipeline->steps[i], json_object_array_get_idx(outputs, j)};
            check_option(compiler, &option);
        }
    }
}
