/* The graph of a pipeline; see graph.h. All algorithms are iterative: a pipeline may be a long chain. */
#include "orchestrator/compile/graph.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NONE SIZE_MAX

static size_t find_step(const struct pipeline *pipeline, const char *id)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (strcmp(pipeline->steps[i].id, id) == 0)
            return i;
    return NONE;
}

/* Edges. */

static void add_edge(struct graph *graph, size_t from, size_t to, const char *input, bool stream)
{
    size_t count = graph->edge_count++;

    if ((count & (count - 1)) == 0)
        graph->edges = reallocarray(graph->edges, count == 0 ? 1 : count * 2, sizeof *graph->edges);
    graph->edges[count] = (struct graph_edge){
        .from = from, .to = to, .input = input == NULL ? NULL : strdup(input), .stream = stream};
}

static bool has_output(const struct pipeline_step *step)
{
    return step->component->kind != OSIRIS_WRITER;
}

static bool takes_inputs(const struct pipeline_step *step)
{
    return step->component->kind != OSIRIS_EXTRACTOR;
}

static size_t upstream_count(const struct pipeline *pipeline, const struct pipeline_step *step)
{
    size_t count = 0;

    for (size_t i = 0; step->needs[i] != NULL; i++)
        count += has_output(&pipeline->steps[find_step(pipeline, step->needs[i])]);
    return count;
}

static void input_name(const char *id, bool only, char *name, size_t size)
{
    size_t at = (size_t)snprintf(name, size, only ? "df" : "df_");

    if (only)
        return;
    /* A character of several bytes is one underscore. */
    for (; *id != '\0' && at + 1 < size; id++)
        if (((unsigned char)*id & 0xc0) != 0x80)
            name[at++] = isalnum((unsigned char)*id) ? *id : '_';
    name[at] = '\0';
}

static bool is_explicit_input(const struct pipeline_step *step, const char *id)
{
    for (size_t i = 0; i < step->input_count; i++)
        if (strcmp(step->inputs[i].from, id) == 0)
            return true;
    return false;
}

static void add_step_edges(const struct pipeline *pipeline, struct graph *graph, size_t to)
{
    const struct pipeline_step *step = &pipeline->steps[to];
    bool only = upstream_count(pipeline, step) == 1;
    char name[160];

    for (size_t i = 0; i < step->input_count; i++)
        add_edge(graph, find_step(pipeline, step->inputs[i].from), to, step->inputs[i].name, true);
    for (size_t i = 0; step->needs[i] != NULL; i++) {
        size_t from = find_step(pipeline, step->needs[i]);
        bool stream = takes_inputs(step) && has_output(&pipeline->steps[from]);
        if (is_explicit_input(step, step->needs[i]))
            continue;
        /* Explicit inputs are complete; a step only waits for its other needs. */
        if (stream && step->input_count > 0)
            stream = false;
        input_name(step->needs[i], only, name, sizeof name);
        add_edge(graph, from, to, stream ? name : NULL, stream);
    }
}

/* Checks. */

static void check_step(const struct pipeline *pipeline, const struct graph *graph, size_t index,
                       struct diagnostics *diagnostics)
{
    const struct pipeline_step *step = &pipeline->steps[index];
    size_t inputs = 0, outputs = 0;
    size_t first = 0; /* edges to one step are neighbours */
    char location[32];

    snprintf(location, sizeof location, "steps[%zu]", index);
    while (first < graph->edge_count && graph->edges[first].to != index)
        first++;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        inputs += edge->stream && edge->to == index;
        outputs += edge->stream && edge->from == index;
        for (size_t j = first; j < i && edge->stream && edge->to == index; j++)
            if (graph->edges[j].stream && graph->edges[j].to == index &&
                strcmp(graph->edges[j].input, edge->input) == 0)
                pipeline_diagnose(diagnostics, DIAGNOSTIC_ERROR, "duplicate_input", pipeline,
                                  &step->where, location, "give them different names under inputs",
                                  "two inputs of the step have the name \"%s\"", edge->input);
    }
    if (!takes_inputs(step) && step->input_count > 0)
        pipeline_diagnose(diagnostics, DIAGNOSTIC_ERROR, "unexpected_input", pipeline, &step->where,
                          location, "omit inputs; an extractor reads from outside", "\"%s\" takes no inputs", step->component_name);
    if (takes_inputs(step) && inputs == 0)
        pipeline_diagnose(diagnostics, DIAGNOSTIC_ERROR, "missing_input", pipeline, &step->where,
                          location, "add the step that it reads from to needs",
                          "\"%s\" needs an input", step->component_name);
    if (has_output(step) && outputs == 0)
        pipeline_diagnose(diagnostics, DIAGNOSTIC_WARNING, "unread_output", pipeline, &step->where,
                          location, "add it to the needs of a writer, or remove the step", "nothing reads the output of the step \"%s\"", step->id);
}

/* Order: of the steps that may come next, always the first in the file. */
static void make_order(struct graph *graph)
{
    size_t count = graph->step_count;
    _cleanup_free_ size_t *waiting = calloc(count + 1, sizeof *waiting);
    _cleanup_free_ bool *taken = calloc(count + 1, sizeof *taken);

    graph->order = calloc(count + 1, sizeof *graph->order);
    for (size_t i = 0; i < graph->edge_count; i++)
        waiting[graph->edges[i].to]++;
    for (size_t placed = 0; placed < count; placed++) {
        size_t next = 0;
        while (next < count && (taken[next] || waiting[next] > 0))
            next++;
        if (next == count)
            break;
        taken[next] = true;
        graph->order[placed] = next;
        for (size_t i = 0; i < graph->edge_count; i++)
            waiting[graph->edges[i].to] -= graph->edges[i].from == next;
    }
}

/* Bridges: edges that are on no undirected cycle. Tarjan's low links with an explicit stack; parallel edges are a
 * cycle because only the edge that led here is skipped. */

struct visit {
    size_t step, via, next; /* the edge that led here; the next edge to look at */
};

static size_t other_end(const struct graph_edge *edge, size_t step)
{
    return edge->from == step ? edge->to : edge->from;
}

static void walk(struct graph *graph, size_t start, size_t *found, size_t *low, size_t *clock,
                 struct visit *stack, bool *bridge)
{
    size_t depth = 0;

    stack[depth++] = (struct visit){.step = start, .via = NONE};
    found[start] = low[start] = ++*clock;
    while (depth > 0) {
        struct visit *top = &stack[depth - 1];
        if (top->next == graph->edge_count) {
            depth--;
            if (depth == 0)
                break;
            struct visit *parent = &stack[depth - 1];
            if (low[top->step] < low[parent->step])
                low[parent->step] = low[top->step];
            bridge[top->via] = low[top->step] > found[parent->step];
            continue;
        }
        size_t index = top->next++;
        const struct graph_edge *edge = &graph->edges[index];
        if (index == top->via || (edge->from != top->step && edge->to != top->step))
            continue;
        size_t other = other_end(edge, top->step);
        if (found[other] == 0) {
            found[other] = low[other] = ++*clock;
            stack[depth++] = (struct visit){.step = other, .via = index};
        } else if (found[other] < low[top->step]) {
            low[top->step] = found[other];
        }
    }
}

static void mark_elastic(struct graph *graph)
{
    _cleanup_free_ size_t *found = calloc(graph->step_count + 1, sizeof *found);
    _cleanup_free_ size_t *low = calloc(graph->step_count + 1, sizeof *low);
    _cleanup_free_ struct visit *stack = calloc(graph->step_count + 1, sizeof *stack);
    _cleanup_free_ bool *bridge = calloc(graph->edge_count + 1, sizeof *bridge);
    size_t clock = 0;

    for (size_t i = 0; i < graph->step_count; i++)
        if (found[i] == 0)
            walk(graph, i, found, low, &clock, stack, bridge);
    for (size_t i = 0; i < graph->edge_count; i++)
        graph->edges[i].elastic = graph->edges[i].stream && !bridge[i];
}

/* Groups: steps connected by streams; groups that wait for each other in a cycle are merged. */

static void merge(size_t *groups, size_t count, size_t a, size_t b)
{
    size_t from = groups[a] > groups[b] ? groups[a] : groups[b];
    size_t to = groups[a] > groups[b] ? groups[b] : groups[a];

    for (size_t i = 0; i < count; i++)
        if (groups[i] == from)
            groups[i] = to;
}

/* reach[a * count + b]: group a must come before group b. Groups are represented by steps. */
static void close_over(const struct graph *graph, bool *reach)
{
    size_t count = graph->step_count;

    memset(reach, 0, count * count * sizeof *reach);
    for (size_t i = 0; i < graph->edge_count; i++) {
        size_t from = graph->groups[graph->edges[i].from], to = graph->groups[graph->edges[i].to];
        if (from != to)
            reach[from * count + to] = true;
    }
    for (size_t middle = 0; middle < count; middle++)
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; reach[a * count + middle] && b < count; b++)
                reach[a * count + b] |= reach[middle * count + b];
}

static void merge_circles(struct graph *graph)
{
    size_t count = graph->step_count;
    bool has_control = false;

    for (size_t i = 0; i < graph->edge_count; i++)
        has_control |= !graph->edges[i].stream;
    /* Without relations of control groups do not wait for each other at all. */
    if (!has_control)
        return;
    _cleanup_free_ bool *reach = calloc(count * count + 1, sizeof *reach);
    close_over(graph, reach);
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < a; b++) {
            size_t left = graph->groups[a], right = graph->groups[b];
            if (left != right && reach[left * count + right] && reach[right * count + left])
                merge(graph->groups, count, a, b);
        }
}

static void number_groups(struct graph *graph)
{
    _cleanup_free_ size_t *numbers = calloc(graph->step_count + 1, sizeof *numbers);

    for (size_t i = 0; i < graph->step_count; i++) {
        size_t *number = &numbers[graph->groups[graph->order[i]]];
        if (*number == 0)
            *number = ++graph->group_count;
    }
    for (size_t i = 0; i < graph->step_count; i++)
        graph->groups[i] = numbers[graph->groups[i]] - 1;
}

static void make_groups(struct graph *graph)
{
    graph->groups = calloc(graph->step_count + 1, sizeof *graph->groups);
    for (size_t i = 0; i < graph->step_count; i++)
        graph->groups[i] = i;
    for (size_t i = 0; i < graph->edge_count; i++)
        if (graph->edges[i].stream)
            merge(graph->groups, graph->step_count, graph->edges[i].from, graph->edges[i].to);
    merge_circles(graph);
    number_groups(graph);
}

int graph_make(const struct pipeline *pipeline, struct graph *graph,
               struct diagnostics *diagnostics)
{
    size_t errors = diagnostics->errors;

    *graph = (struct graph){.step_count = pipeline->step_count};
    for (size_t i = 0; i < pipeline->step_count; i++)
        add_step_edges(pipeline, graph, i);
    make_order(graph);
    mark_elastic(graph);
    make_groups(graph);
    for (size_t i = 0; i < pipeline->step_count; i++)
        check_step(pipeline, graph, i, diagnostics);
    return diagnostics->errors == errors ? 0 : -1;
}

void graph_clear(struct graph *graph)
{
    for (size_t i = 0; i < graph->edge_count; i++)
        free(graph->edges[i].input);
    free(graph->edges);
    free(graph->order);
    free(graph->groups);
}
