/* Reading a plan; see plan.h. */
#include "orchestrator/compile/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"

static int malformed(struct osiris_error *error, const char *what)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the plan is malformed: %s", what);
}

size_t plan_find_step(const struct plan *plan, const char *id)
{
    for (size_t i = 0; id != NULL && i < plan->step_count; i++)
        if (strcmp(plan->steps[i].id, id) == 0)
            return i;
    return PLAN_NONE;
}

/* Groups. */

static size_t find_group(json_object *groups, json_object *id)
{
    for (size_t i = 0; json_object_is_type(id, json_type_int) && i < json_array_count(groups); i++) {
        json_object *other = json_member(json_object_array_get_idx(groups, i), "id");
        if (json_object_is_type(other, json_type_int) && json_object_get_int64(other) == json_object_get_int64(id))
            return i;
    }
    return PLAN_NONE;
}

static int read_group(struct plan_group *group, json_object *groups, json_object *json, struct osiris_error *error)
{
    json_object *after = json_member(json, "after");

    group->after = calloc(json_array_count(after) + 1, sizeof *group->after);
    for (size_t i = 0; i < json_array_count(after); i++) {
        size_t found = find_group(groups, json_object_array_get_idx(after, i));
        if (found == PLAN_NONE)
            return malformed(error, "a group comes after one that does not exist");
        group->after[group->after_count++] = found;
    }
    return 0;
}

/* Read after the steps, which name their groups. */
static void fill_groups(struct plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++)
        plan->groups[plan->steps[i].group].step_count++;
    for (size_t i = 0; i < plan->group_count; i++) {
        plan->groups[i].steps = calloc(plan->groups[i].step_count + 1, sizeof *plan->groups[i].steps);
        plan->groups[i].step_count = 0;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        struct plan_group *group = &plan->groups[plan->steps[i].group];
        group->steps[group->step_count++] = i;
    }
}

/* Steps. */

static enum plan_kind kind_from_name(const char *name)
{
    if (strcmp(name, "extractor") == 0)
        return PLAN_EXTRACTOR;
    return strcmp(name, "writer") == 0 ? PLAN_WRITER : PLAN_PROCESSOR;
}

static int read_step(struct plan_step *step, json_object *groups, json_object *json, struct osiris_error *error)
{
    json_object *taken = json_member(json, "connections");

    *step = (struct plan_step){
        .id = json_member_string(json, "id", NULL),
        .component = json_member_string(json, "component", ""),
        .driver = json_member_string(json, "driver", ""),
        .place = json_member_string(json, "place", "default"),
        .kind = kind_from_name(json_member_string(json, "kind", "")),
        .group = find_group(groups, json_member(json, "group")),
        .timeout_ms = json_member_integer(json, "timeout_ms", 0),
        .total_timeout_ms = json_member_integer(json, "total_timeout_ms", 0),
        .atomic = json_member_boolean(json, "atomic", true),
        .gives_stdout = json_member_boolean(json, "stdout", false),
        .connection = json_member_string(taken, "of", NULL),
        .connection_count = json_member_integer(taken, "count", 1),
        .connection_maximum = json_member_integer(taken, "max", INT64_MAX),
    };
    retry_from_json(json_member(json, "retry"), &step->retry);
    if (step->id == NULL)
        return malformed(error, "a step has no id");
    return step->group == PLAN_NONE ? malformed(error, "a step is in no group") : 0;
}

static int read_after(const struct plan *plan, struct plan_step *step, json_object *json, struct osiris_error *error)
{
    json_object *after = json_member(json, "after");

    step->after = calloc(json_array_count(after) + 1, sizeof *step->after);
    for (size_t i = 0; i < json_array_count(after); i++) {
        json_object *id = json_object_array_get_idx(after, i);
        size_t found =
            json_object_is_type(id, json_type_string) ? plan_find_step(plan, json_object_get_string(id)) : PLAN_NONE;
        if (found == PLAN_NONE)
            return malformed(error, "a step comes after one that does not exist");
        step->after[step->after_count++] = found;
    }
    return 0;
}

static int read_inputs(const struct plan *plan, size_t index, json_object *json, struct osiris_error *error)
{
    struct plan_step *step = &plan->steps[index];
    json_object *inputs = json_member(json, "inputs");

    step->inputs = calloc(json_array_count(inputs) + 1, sizeof *step->inputs);
    for (size_t i = 0; i < json_array_count(inputs); i++) {
        json_object *input = json_object_array_get_idx(inputs, i);
        int64_t edge = json_member_integer(input, "edge", -1);
        if (edge < 0 || (uint64_t)edge >= plan->edge_count || plan->edges[edge].to != index)
            return malformed(error, "an input belongs to no stream");
        step->inputs[step->input_count++] = (struct plan_input){
            .name = json_member_string(input, "name", "df"),
            .output = json_member_string(input, "output", "df"),
            .from = plan->steps[plan->edges[edge].from].id,
            .edge = (size_t)edge,
        };
    }
    return 0;
}

static int read_steps(struct plan *plan, json_object *steps, json_object *groups, struct osiris_error *error)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (read_step(&plan->steps[i], groups, json_object_array_get_idx(steps, i), error) < 0)
            return -1;
    for (size_t i = 0; i < plan->step_count; i++)
        if (read_after(plan, &plan->steps[i], json_object_array_get_idx(steps, i), error) < 0)
            return -1;
    return 0;
}

/* Edges. */

static int read_edges(struct plan *plan, json_object *edges, struct osiris_error *error)
{
    for (size_t i = 0; i < plan->edge_count; i++) {
        json_object *json = json_object_array_get_idx(edges, i);
        plan->edges[i] = (struct plan_edge){
            .from = plan_find_step(plan, json_member_string(json, "from", NULL)),
            .to = plan_find_step(plan, json_member_string(json, "to", NULL)),
        };
        if (plan->edges[i].from == PLAN_NONE || plan->edges[i].to == PLAN_NONE)
            return malformed(error, "an edge connects steps that do not exist");
    }
    return 0;
}

/* The whole plan. */

static int read_plan(struct plan *plan, struct osiris_error *error)
{
    json_object *steps = json_member(plan->json, "steps");
    json_object *groups = json_member(plan->json, "groups");
    json_object *edges = json_member(plan->json, "edges");

    plan->steps = calloc(json_array_count(steps) + 1, sizeof *plan->steps);
    plan->groups = calloc(json_array_count(groups) + 1, sizeof *plan->groups);
    plan->edges = calloc(json_array_count(edges) + 1, sizeof *plan->edges);
    plan->step_count = json_array_count(steps);
    plan->group_count = json_array_count(groups);
    plan->edge_count = json_array_count(edges);
    for (size_t i = 0; i < plan->group_count; i++)
        if (read_group(&plan->groups[i], groups, json_object_array_get_idx(groups, i), error) < 0)
            return -1;
    if (read_steps(plan, steps, groups, error) < 0 || read_edges(plan, edges, error) < 0)
        return -1;
    for (size_t i = 0; i < plan->step_count; i++)
        if (read_inputs(plan, i, json_object_array_get_idx(steps, i), error) < 0)
            return -1;
    fill_groups(plan);
    return 0;
}

struct plan *plan_read(json_object *json, struct osiris_error *error)
{
    struct plan *plan = calloc(1, sizeof *plan);

    plan->json = json_object_get(json);
    plan->pipeline = json_member_string(json, "pipeline", "?");
    if (read_plan(plan, error) == 0)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->step_count; i++) {
        free(plan->steps[i].inputs);
        free(plan->steps[i].after);
    }
    for (size_t i = 0; i < plan->group_count; i++) {
        free(plan->groups[i].steps);
        free(plan->groups[i].after);
    }
    free(plan->steps);
    free(plan->groups);
    free(plan->edges);
    json_object_put(plan->json);
    free(plan);
}
