/*
 * The number of connections that steps use at a time, if their connection has a limit (max_connections). The schedule
 * respects the limit (orchestrator/session/schedule), but steps that are connected by streams must run at the same
 * time, so their sum is checked here.
 */
#include "orchestrator/compile/limits.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/oml/pipeline-option.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"

/* The spec names the options whose sum is the number of connections that a step uses; true counts as one. */
static int64_t count_connections(const struct pipeline_step *step, json_object *config)
{
    json_object *options = json_member(step->component->spec, "x-connections");
    int64_t count = 0;

    for (size_t i = 0; i < json_array_count(options); i++) {
        json_object *value = json_member(config, json_object_get_string(json_object_array_get_idx(options, i)));
        if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) > 0 &&
            json_object_get_int64(value) < COMPILE_MAXIMUM_CONNECTIONS)
            count += json_object_get_int64(value);
        else if (json_object_is_type(value, json_type_boolean))
            count += json_object_get_boolean(value);
    }
    return count < 1 ? 1 : count;
}

json_object *compiled_step_connections(const struct compiled *compiled, const struct pipeline_step *step)
{
    json_object *entry = json_member(compiled->aliases, step->id);
    int64_t maximum = json_member_integer(entry, "max_connections", 0);
    char name[160];

    if (maximum == 0)
        return NULL;
    snprintf(name, sizeof name, "@%.64s.%.90s", json_member_string(entry, "family", ""), json_member_string(entry, "alias", ""));
    json_object *object = json_object_new_object();
    json_add_string(object, "of", name);
    json_add_integer(object, "count", count_connections(step, json_member(compiled->configs, step->id)));
    json_add_integer(object, "max", maximum);
    return object;
}

/* The steps of the group up to this one that use the same connection. */
struct sharing {
    int64_t count, steps;
};

static struct sharing add_up(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled,
                             size_t last, const char *of)
{
    struct sharing sharing = {0};

    for (size_t i = 0; i <= last; i++) {
        _cleanup_json_ json_object *own =
            graph->groups[i] == graph->groups[last] ? compiled_step_connections(compiled, &pipeline->steps[i]) : NULL;
        if (own == NULL || strcmp(json_member_string(own, "of", ""), of) != 0)
            continue;
        sharing.count += json_member_integer(own, "count", 0);
        sharing.steps++;
    }
    return sharing;
}

/* The position of an option that sets the number, if the step has one. */
static struct source_location connections_location(const struct pipeline_step *step)
{
    json_object *options = json_member(step->component->spec, "x-connections");

    for (size_t i = 0; i < json_array_count(options); i++) {
        const char *option = json_object_get_string(json_object_array_get_idx(options, i));
        if (json_object_object_get_ex(step->config, option, NULL))
            return pipeline_config_location(step, option);
    }
    return step->where;
}

/* Reported for the step that exceeds the limit, once for each group. */
static void check_step(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled, size_t index,
                       struct diagnostics *diagnostics)
{
    const struct pipeline_step *step = &pipeline->steps[index];
    _cleanup_json_ json_object *own = compiled_step_connections(compiled, step);
    const char *of = json_member_string(own, "of", "");
    int64_t count = json_member_integer(own, "count", 0), maximum = json_member_integer(own, "max", 0);

    if (own == NULL)
        return;
    const struct sharing sharing = add_up(pipeline, graph, compiled, index, of);
    if (sharing.count <= maximum || sharing.count - count > maximum)
        return;
    const struct source_location where = connections_location(step);
    if (count > maximum)
        pipeline_diagnose(diagnostics, DIAGNOSTIC_ERROR, "too_many_connections", pipeline, &where, NULL,
                          "use fewer connections, or raise max_connections in osiris_connections.yaml",
                          "step \"%s\" uses %lld connections of \"%s\" at a time, and its max_connections is %lld", step->id,
                          (long long)count, of, (long long)maximum);
    else
        pipeline_diagnose(diagnostics, DIAGNOSTIC_ERROR, "too_many_connections", pipeline, &step->where, NULL,
                          "use fewer connections, or raise max_connections in osiris_connections.yaml",
                          "step \"%s\" and the steps that streams connect it with run at the same time and use %lld connections of "
                          "\"%s\", and its max_connections is %lld",
                          step->id, (long long)sharing.count, of, (long long)maximum);
}

void compile_check_connections(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled,
                               struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < graph->step_count; i++)
        if (pipeline->steps[i].component != NULL && pipeline->steps[i].id != NULL)
            check_step(pipeline, graph, compiled, i, diagnostics);
}
