/* Configs and connections of a pipeline's steps: resolving, defaults, checks; see compile.h. */
#include "orchestrator/compile/configs.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/compile/check.h"
#include "orchestrator/compile/connection.h"
#include "orchestrator/compile/drivers.h"
#include "orchestrator/compile/outputs.h"
#include "orchestrator/compile/sizes.h"
#include "orchestrator/oml/connections.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/plugin/schema.h"

/* Levels of collections. */
static unsigned height_of(json_object *value)
{
    unsigned highest = 0;

    for (size_t i = 0; i < json_array_count(value); i++) {
        unsigned height = height_of(json_object_array_get_idx(value, i));
        highest = height > highest ? height : highest;
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            unsigned height = height_of(member);
            highest = height > highest ? height : highest;
        }
    }
    return highest + (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array));
}

/* Both are sent to the worker in a message, whose depth is bounded. */
static void check_height(struct config_compiler *compiler, json_object *config, json_object *fields)
{
    const struct pipeline_step *step = compiler->step;

    if (height_of(config) > COMPILE_MAXIMUM_HEIGHT)
        compiler_error(compiler, "too_deep", &step->config_where, NULL,
                       "the config of \"%s\" is nested too deeply; %d levels are allowed", compiler_step_name(step),
                       COMPILE_MAXIMUM_HEIGHT);
    if (height_of(fields) > COMPILE_MAXIMUM_HEIGHT)
        compiler_error(compiler, "too_deep", &step->connection_where, NULL,
                       "the connection of \"%s\" is nested too deeply; %d levels are allowed", compiler_step_name(step),
                       COMPILE_MAXIMUM_HEIGHT);
}

static void check_size(struct config_compiler *compiler, json_object *config)
{
    const char *problem = compile_config_problem(config);

    if (problem != NULL)
        compiler_error(compiler, "too_large", &compiler->step->config_where, NULL,
                       "the config of \"%s\" is too large: %s", compiler_step_name(compiler->step), problem);
}

static void note_alias(struct config_compiler *compiler)
{
    json_object *entry = json_object_new_object();
    char family[64];

    compiler_family(compiler->step->component, family, sizeof family);
    json_add_string(entry, "family", family);
    json_add_string(entry, "alias", compiler->alias);
    if (compiler->max_connections > 0)
        json_add_integer(entry, "max_connections", compiler->max_connections);
    json_add(compiler->compiled->aliases, compiler->step->id, entry);
}

static void compile_step(struct config_compiler *compiler)
{
    const struct pipeline_step *step = compiler->step;
    size_t errors = compiler->diagnostics->errors;
    json_object *schema = json_member(step->component->spec, "configSchema");
    json_object *fields = NULL;
    json_object *config = json_copy(step->config);

    if (compiler_connection_fields(step->component) != NULL) {
        if (!json_object_object_get_ex(step->faulty, "connection", NULL))
            fields = compiler_resolve_connection(compiler);
        if (fields != NULL)
            compiler_take_overrides(step, config, fields);
    } else if (step->connection != NULL) {
        compiler_error(compiler, "invalid_connection_ref", &step->connection_where, "omit it",
                       "\"%s\" does not use a connection", step->component_name);
    }
    schema_fill_defaults(schema, config);
    compiler_drop_connection_defaults(step, config);
    check_height(compiler, config, fields);
    if (compiler->diagnostics->errors == errors)
        check_size(compiler, config);
    if (!compiler->pipeline->has_secret_params)
        compiler_check_config(compiler, config, fields);
    /* The rest is stored by the step's id. */
    if (step->id == NULL) {
        json_object_put(fields);
        json_object_put(config);
        return;
    }
    if (compiler->alias != NULL)
        note_alias(compiler);
    if (fields != NULL) {
        compiler_fill_connection_defaults(step, fields);
        json_add(compiler->compiled->connections, step->id, fields);
    }
    bool is_whole = !step->config_is_wrong && !step->config_is_partial &&
                    (fields != NULL || compiler_connection_fields(step->component) == NULL);
    if (is_whole && compiler->diagnostics->errors == errors)
        compiler_add_question(compiler, config, fields);
    if (step->connection != NULL)
        json_add_string(config, "connection", step->connection);
    json_add(compiler->compiled->configs, step->id, config);
}

void compile_configs(const struct compile_options *options, struct compiled *compiled, struct diagnostics *diagnostics)
{
    struct config_compiler compiler = {
        .pipeline = options->pipeline,
        .compiled = compiled,
        .diagnostics = diagnostics,
        .osiris_home = options->osiris_home,
        .connection_only = options->verb != NULL && strcmp(options->verb, "plan") != 0,
    };

    for (size_t i = 0; i < options->pipeline->step_count; i++) {
        compiler_choose_step(&compiler, i);
        /* Without a component the config cannot be checked. */
        if (compiler.step->component != NULL && compiler.step->config != NULL)
            compile_step(&compiler);
    }
    compiler_check_outputs(&compiler);
    connections_free(compiler.connections);
    if (compiler.questions != NULL && options->worker_path != NULL)
        compiler_ask_drivers(&compiler, options->worker_path);
    json_object_put(compiler.questions);
}
