/* From a pipeline to what can be run; see compile.h. */
#include "orchestrator/compile/compile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/base/canonical-json.h"
#include "core/base/clock.h"
#include "orchestrator/compile/configs.h"
#include "orchestrator/compile/limits.h"
#include "orchestrator/compile/sizes.h"
#include "core/base/fingerprint.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/plugin/kind.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/* A text may be six times as long as JSON. */
#define JSON_LIMIT (512u << 20)

/* The plan. */

/* Streams are numbered by their index in the plan's edges. */
static int64_t stream_number(const struct graph *graph, size_t index)
{
    int64_t number = 0;

    for (size_t i = 0; i < index; i++)
        number += graph->edges[i].stream;
    return number;
}

static json_object *plan_inputs(const struct pipeline *pipeline, const struct graph *graph,
                                size_t step)
{
    json_object *inputs = json_object_new_array();

    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if (!edge->stream || edge->to != step)
            continue;
        json_object *input = json_object_new_object();
        json_add_string(input, "name", edge->input);
        json_add_string(input, "from", pipeline->steps[edge->from].id);
        json_add_string(input, "output", "df");
        json_add_integer(input, "edge", stream_number(graph, i));
        json_append(inputs, input);
    }
    return inputs;
}

static json_object *plan_after(const struct pipeline *pipeline, const struct graph *graph,
                               size_t step)
{
    json_object *after = json_object_new_array();

    for (size_t i = 0; i < graph->edge_count; i++)
        if (!graph->edges[i].stream && graph->edges[i].to == step)
            json_append(after,
                        json_string(pipeline->steps[graph->edges[i].from].id));
    return after;
}

static json_object *string_list(char *const *texts)
{
    json_object *list = json_object_new_array();

    for (; texts != NULL && *texts != NULL; texts++)
        json_append(list, json_string(*texts));
    return list;
}

/* Output to standard output (the path "-") cannot be undone. */
static bool writes_stdout(const struct pipeline_step *step)
{
    return step->component->kind == OSIRIS_WRITER &&
           strcmp(json_member_string(step->config, "path", ""), "-") == 0;
}

/* Only members that are set. */
static void add_limits(const struct pipeline_step *step, json_object *object)
{
    if (step->timeout_ms > 0)
        json_add_integer(object, "timeout_ms", step->timeout_ms);
    if (step->total_timeout_ms > 0)
        json_add_integer(object, "total_timeout_ms", step->total_timeout_ms);
    if (step->retry.max_attempts > 0)
        json_add(object, "retry", retry_to_json(&step->retry));
    if (writes_stdout(step))
        json_add_boolean(object, "stdout", true);
    if (writes_stdout(step) || !json_member_boolean(step->component->spec, "x-atomic", true))
        json_add_boolean(object, "atomic", false);
}

static json_object *plan_step(const struct pipeline *pipeline, const struct graph *graph,
                              const struct compiled *compiled, size_t index)
{
    const struct pipeline_step *step = &pipeline->steps[index];
    json_object *object = json_object_new_object();
    char path[160];

    snprintf(path, sizeof path, "cfg/%s.json", step->id);
    json_add_string(object, "id", step->id);
    json_add_string(object, "component", step->component_name);
    json_add_string(object, "driver", step->component->name);
    json_add_string(object, "kind", kind_name(step->component->kind));
    json_add_string(object, "cfg_path", path);
    json_add(object, "needs", string_list(step->needs));
    json_add(object, "inputs", plan_inputs(pipeline, graph, index));
    json_add(object, "after", plan_after(pipeline, graph, index));
    json_add_integer(object, "group", (int64_t)graph->groups[index]);
    if (step->run_on != NULL)
        json_add_string(object, "place", step->run_on);
    add_limits(step, object);
    json_object *connections = compiled_step_connections(compiled, step);
    if (connections != NULL)
        json_add(object, "connections", connections);
    json_add_integer(object, "line", step->where.line);
    json_add_integer(object, "column", step->where.column);
    return object;
}

static json_object *plan_edges(const struct pipeline *pipeline, const struct graph *graph)
{
    json_object *edges = json_object_new_array();

    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if (!edge->stream)
            continue;
        json_object *object = json_object_new_object();
        json_add_integer(object, "id", stream_number(graph, i));
        json_add_string(object, "from", pipeline->steps[edge->from].id);
        json_add_string(object, "output", "df");
        json_add_string(object, "to", pipeline->steps[edge->to].id);
        json_add_string(object, "input", edge->input);
        json_add_string(object, "mode", edge->elastic ? "elastic" : "bounded");
        json_append(edges, object);
    }
    return edges;
}

static json_object *group_after(const struct graph *graph, size_t group)
{
    json_object *after = json_object_new_array();

    for (size_t other = 0; other < graph->group_count; other++) {
        bool waits = false;
        for (size_t i = 0; i < graph->edge_count; i++)
            waits |= graph->groups[graph->edges[i].to] == group &&
                     graph->groups[graph->edges[i].from] == other && other != group;
        if (waits)
            json_append(after, json_object_new_int64((int64_t)other));
    }
    return after;
}

static json_object *plan_groups(const struct pipeline *pipeline, const struct graph *graph)
{
    json_object *groups = json_object_new_array();

    for (size_t group = 0; group < graph->group_count; group++) {
        json_object *object = json_object_new_object();
        json_object *steps = json_object_new_array();
        for (size_t i = 0; i < graph->step_count; i++)
            if (graph->groups[graph->order[i]] == group)
                json_append(steps, json_string(pipeline->steps[graph->order[i]].id));
        json_add_integer(object, "id", (int64_t)group);
        json_add(object, "steps", steps);
        json_add(object, "after", group_after(graph, group));
        json_append(groups, object);
    }
    return groups;
}

static json_object *make_plan(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled)
{
    json_object *plan = json_object_new_object();
    json_object *steps = json_object_new_array();

    for (size_t i = 0; i < graph->step_count; i++)
        json_append(steps, plan_step(pipeline, graph, compiled, graph->order[i]));
    json_add_string(plan, "pipeline", pipeline->name);
    json_add(plan, "steps", steps);
    json_add(plan, "edges", plan_edges(pipeline, graph));
    json_add(plan, "groups", plan_groups(pipeline, graph));
    return plan;
}

/* Fingerprints. */

static json_object *fingerprint_of(json_object *value)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(JSON_LIMIT);
    char hex[FINGERPRINT_SIZE];
    char labelled[FINGERPRINT_SIZE + 8];

    canonical_json(value, &text);
    fingerprint(text.data, text.length, hex);
    snprintf(labelled, sizeof labelled, "sha256:%s", hex);
    return json_string(labelled);
}

static json_object *registry_facts(const struct pipeline *pipeline)
{
    json_object *facts = json_object_new_object();

    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct component *component = pipeline->steps[i].component;
        json_object *fact = json_object_new_object();
        json_add_string(fact, "version", component->version);
        json_add(fact, "spec", json_object_get(component->spec));
        json_add(facts, component->name, fact);
    }
    return facts;
}

/* {step id: {timeout_ms, retry, …}} of steps that have some; NULL if none has. */
static json_object *limits_facts(const struct pipeline *pipeline)
{
    json_object *facts = NULL;

    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct pipeline_step *step = &pipeline->steps[i];
        if (step->timeout_ms == 0 && step->total_timeout_ms == 0 && step->retry.max_attempts == 0)
            continue;
        json_object *limits = json_object_new_object();
        add_limits(step, limits);
        if (facts == NULL)
            facts = json_object_new_object();
        json_add(facts, step->id, limits);
    }
    return facts;
}

/* The content of the pipeline's file, without comments and layout. */
static json_object *oml_facts(const struct pipeline *pipeline, const struct compiled *compiled)
{
    json_object *facts = json_object_new_object();

    json_add_string(facts, "oml_version", pipeline->oml_version);
    json_add_string(facts, "name", pipeline->name);
    json_add(facts, "metadata", json_object_get(pipeline->metadata));
    json_add(facts, "configs", json_object_get(compiled->configs));
    json_object *limits = limits_facts(pipeline);
    if (limits != NULL)
        json_add(facts, "limits", limits);
    return facts;
}

static json_object *toolchain(void)
{
    json_object *tools = json_object_new_object();

    json_add_string(tools, "compiler", "osiris-" PACKAGE_VERSION);
    return tools;
}

static json_object *make_fingerprints(const struct pipeline *pipeline,
                                      const struct compiled *compiled)
{
    json_object *prints = json_object_new_object();
    _cleanup_json_ json_object *oml = oml_facts(pipeline, compiled);
    _cleanup_json_ json_object *registry = registry_facts(pipeline);
    _cleanup_json_ json_object *tools = toolchain();

    json_add(prints, "oml_fp", fingerprint_of(oml));
    json_add(prints, "registry_fp", fingerprint_of(registry));
    json_add(prints, "compiler_fp", fingerprint_of(tools));
    json_add(prints, "params_fp", fingerprint_of(pipeline->params));
    json_add_string(prints, "profile", compiled->profile == NULL ? "default" : compiled->profile);
    return prints;
}

/* From here on it is what everyone else works with. That it is read back finds what would be wrong with it before
 * anything runs. */
static void read_plan(const struct pipeline *pipeline, const struct graph *graph, struct compiled *compiled,
                      struct diagnostics *diagnostics)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *json = make_plan(pipeline, graph, compiled);

    compiled->plan = plan_read(json, &error);
    if (compiled->plan == NULL)
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "internal", NULL, NULL, 0, NULL, NULL, "%s", error.message);
}

/* The manifest. */

static json_object *manifest_steps(json_object *plan)
{
    static const char *const kept[] = {"id",    "component",  "driver",           "cfg_path",
                                       "needs", "timeout_ms", "total_timeout_ms", "retry"};
    json_object *plan_steps = json_member(plan, "steps");
    json_object *steps = json_object_new_array();

    for (size_t i = 0; i < json_array_count(plan_steps); i++) {
        json_object *from = json_object_array_get_idx(plan_steps, i);
        json_object *step = json_object_new_object();
        for (size_t j = 0; j < sizeof kept / sizeof kept[0]; j++)
            if (json_member(from, kept[j]) != NULL)
                json_add(step, kept[j], json_object_get(json_member(from, kept[j])));
        json_append(steps, step);
    }
    return steps;
}

/* The hash covers everything except the hash itself and the time. */
static void seal(struct compiled *compiled, json_object *plan)
{
    char now[CLOCK_TIMESTAMP_SIZE];
    json_object *pipeline = json_member(compiled->manifest, "pipeline");
    json_object *meta = json_member(compiled->manifest, "meta");
    _cleanup_json_ json_object *facts = json_object_new_object();

    json_add(facts, "manifest", json_object_get(compiled->manifest));
    json_add(facts, "plan", json_object_get(plan));
    json_add(facts, "configs", json_object_get(compiled->configs));
    json_object *print = fingerprint_of(facts);
    const char *hex = json_object_get_string(print) + strlen("sha256:");
    snprintf(compiled->manifest_hash, sizeof compiled->manifest_hash, "%s", hex);
    snprintf(compiled->manifest_short, sizeof compiled->manifest_short, "%.7s", hex);
    json_add(json_member(pipeline, "fingerprints"), "manifest_fp", print);
    json_add_string(meta, "manifest_hash", compiled->manifest_hash);
    json_add_string(meta, "manifest_short", compiled->manifest_short);
    clock_timestamp(now);
    json_add_string(meta, "generated_at", now);
}

static void make_manifest(const struct pipeline *pipeline, struct compiled *compiled)
{
    json_object *head = json_object_new_object();
    json_object *meta = json_object_new_object();

    json_add_string(head, "id", compiled->slug);
    json_add_string(head, "version", pipeline->oml_version);
    json_add(head, "fingerprints", make_fingerprints(pipeline, compiled));
    json_add_string(meta, "oml_version", pipeline->oml_version);
    json_add_string(meta, "profile", compiled->profile == NULL ? "default" : compiled->profile);
    json_add_string(meta, "run_id", "${run_id}");
    json_add(meta, "toolchain", toolchain());
    compiled->manifest = json_object_new_object();
    json_add(compiled->manifest, "pipeline", head);
    json_add(compiled->manifest, "steps", manifest_steps(compiled->plan->json));
    json_add(compiled->manifest, "meta", meta);
    seal(compiled, compiled->plan->json);
}

/* "My Orders" → "my-orders" */
static char *make_slug(const char *name)
{
    _cleanup_buffer_ struct buffer slug = BUFFER_INIT(200);
    bool dash = false;

    for (; *name != '\0' && slug.length < 100; name++) {
        unsigned char c = (unsigned char)*name;
        if (isalnum(c) || c == '_') {
            if (dash && slug.length > 0)
                buffer_append_char(&slug, '-');
            dash = false;
            buffer_append_char(&slug, (char)tolower(c));
        } else {
            dash = true;
        }
    }
    if (slug.length == 0)
        buffer_append_text(&slug, "pipeline");
    return buffer_steal(&slug);
}

int compile_pipeline(const struct compile_options *options, struct diagnostics *diagnostics,
                     struct compiled **out)
{
    size_t errors = diagnostics->errors;
    struct compiled *compiled = calloc(1, sizeof *compiled);
    struct graph graph = {0};

    compiled->configs = json_object_new_object();
    compiled->connections = json_object_new_object();
    compiled->aliases = json_object_new_object();
    compiled->secrets = json_object_new_array();
    compiled->slug = make_slug(options->pipeline->name == NULL ? "" : options->pipeline->name);
    compiled->profile = options->profile == NULL ? NULL : strdup(options->profile);
    if (options->pipeline->has_graph)
        (void)graph_make(options->pipeline, &graph, diagnostics);
    compile_configs(options, compiled, diagnostics);
    if (diagnostics->errors == errors && graph.groups != NULL)
        compile_check_connections(options->pipeline, &graph, compiled, diagnostics);
    if (diagnostics->errors == errors && !options->pipeline->is_broken) {
        read_plan(options->pipeline, &graph, compiled, diagnostics);
        if (compiled->plan != NULL && compile_check_prepare(compiled, diagnostics) == 0)
            make_manifest(options->pipeline, compiled);
    }
    graph_clear(&graph);
    if (compiled->manifest != NULL) {
        *out = compiled;
        return 0;
    }
    compiled_free(compiled);
    return -1;
}

void compiled_free(struct compiled *compiled)
{
    if (compiled == NULL)
        return;
    json_object_put(compiled->manifest);
    plan_free(compiled->plan);
    json_object_put(compiled->configs);
    json_object_put(compiled->connections);
    json_object_put(compiled->aliases);
    json_object_put(compiled->secrets);
    free(compiled->slug);
    free(compiled->profile);
    free(compiled);
}
