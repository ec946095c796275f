/* Reading the dependencies of steps: needs, inputs, cycles; see pipeline-needs.h. */
#include "orchestrator/oml/pipeline-needs.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"

#define NONE SIZE_MAX

struct named_step {
    const char *id;
    size_t index;
};

/* A step that another one needs. */
struct need {
    size_t step;
    struct source_location where;
    bool implicit; /* by default: the step before */
};

struct needs {
    struct need *items;
    size_t count;
};

struct needs_reader {
    struct pipeline_reader *reader;
    struct named_step *names; /* by id */
    size_t name_count;
    struct needs *needs; /* of each step */
    size_t total;
    size_t *last_needed_by; /* for each step: the number + 1 of the step that added it last, so that it is added only once */
};

/* Ids. */

static int by_id(const void *a, const void *b)
{
    const struct named_step *left = a, *right = b;
    int ids = strcmp(left->id, right->id);

    return ids != 0 ? ids : left->index < right->index ? -1 : left->index > right->index;
}

static int id_against(const void *id, const void *named)
{
    return strcmp(id, ((const struct named_step *)named)->id);
}

static size_t find_step(const struct needs_reader *needs, const char *id)
{
    const struct named_step *found =
        bsearch(id, needs->names, needs->name_count, sizeof *needs->names, id_against);

    return found == NULL ? NONE : found->index;
}

static void unknown_step(struct needs_reader *needs, const struct source_location *where,
                         const char *location, const char *id)
{
    _cleanup_free_ const char **ids = calloc(needs->name_count + 1, sizeof *ids);

    for (size_t i = 0; i < needs->name_count; i++)
        ids[i] = needs->names[i].id;
    _cleanup_free_ char *question = pipeline_question(needs->reader, id, ids, needs->name_count);
    reader_error(needs->reader, "unknown_dependency", where, location,
                 question != NULL ? question : "name the id of a step of this pipeline",
                 "there is no step \"%s\"", id);
}

/* Needs. */

/* Adds one unless it is already there. */
static void add_need(struct needs_reader *needs, size_t index, size_t target,
                     const struct source_location *where, bool implicit)
{
    struct needs *list = &needs->needs[index];

    if (needs->last_needed_by[target] == index + 1)
        return;
    if (needs->total == PIPELINE_MAXIMUM_NEEDS)
        reader_error(needs->reader, "too_large", where, NULL, NULL,
                     "the pipeline has more than %d needs", PIPELINE_MAXIMUM_NEEDS);
    if (needs->total++ >= PIPELINE_MAXIMUM_NEEDS)
        return;
    list->items = reallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct need){.step = target, .where = *where, .implicit = implicit};
    needs->last_needed_by[target] = index + 1;
}

static void read_explicit_needs(struct needs_reader *needs, const struct yaml_node *node,
                                size_t index, const char *location)
{
    if (node->kind != YAML_SEQUENCE) {
        reader_error(needs->reader, "invalid_needs_type", &node->where, location,
                     "write it as a list: [a, b]", "\"needs\" must be a list of step ids");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->items[i];
        const char *id = yaml_string(item);
        size_t target = id == NULL ? NONE : find_step(needs, id);
        if (id == NULL)
            reader_error(needs->reader, "invalid_dependency_type", &item->where, location,
                         "write it in quotes", "a step id must be a string");
        else if (target == NONE)
            unknown_step(needs, &item->where, location, id);
        else
            add_need(needs, index, target, &item->where, false);
    }
}

/* Inputs. */

/* "${extract-orders.df}" */
static bool parse_reference(const char *text, struct pipeline_input *input)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (length < 6 || strncmp(text, "${", 2) != 0 || text[length - 1] != '}')
        return false;
    const char *dot = memrchr(text, '.', length);
    if (dot == NULL || dot == text + 2 || dot == text + length - 2)
        return false;
    input->from = strndup(text + 2, (size_t)(dot - text) - 2);
    input->output = strndup(dot + 1, length - (size_t)(dot - text) - 2);
    return true;
}

static void check_source(struct needs_reader *needs, const struct pipeline_input *input,
                         size_t index, const char *location)
{
    size_t target = find_step(needs, input->from);

    if (target == NONE) {
        unknown_step(needs, &input->where, location, input->from);
        return;
    }
    const struct component *component = needs->reader->pipeline->steps[target].component;
    if (component != NULL && component->kind == OSIRIS_WRITER)
        reader_error(needs->reader, "invalid_input", &input->where, location,
                     "only extractors and processors have an output",
                     "the step \"%s\" is a writer and has no output", input->from);
    else if (strcmp(input->output, "df") != 0)
        reader_error(needs->reader, "invalid_input", &input->where, location, "the output is named \"df\"",
                     "the step \"%s\" has no output \"%s\"", input->from, input->output);
    add_need(needs, index, target, &input->where, false);
}

static void read_input(struct needs_reader *needs, const struct yaml_node *key,
                       const struct yaml_node *value, size_t index, const char *location)
{
    struct pipeline_reader *reader = needs->reader;
    struct pipeline_step *step = &reader->pipeline->steps[index];
    struct pipeline_input *input = &step->inputs[step->input_count++];
    size_t errors = reader->diagnostics->errors;
    _cleanup_json_ json_object *filled = NULL;

    input->where = value->where;
    input->name = strdup(key->text);
    if (value->kind == YAML_SCALAR)
        filled = params_fill(&reader->params, reader->pipeline->document, value, location,
                             reader->diagnostics);
    if (reader->diagnostics->errors != errors)
        return;
    if (!json_object_is_type(filled, json_type_string) || !parse_reference(json_object_get_string(filled), input))
        reader_error(reader, "invalid_input", &value->where, location, "write \"${step-id.df}\"",
                     "the input \"%s\" is not a reference to a step's output", key->text);
    else
        check_source(needs, input, index, location);
}

static void read_inputs(struct needs_reader *needs, const struct yaml_node *node, size_t index,
                        const char *location)
{
    struct pipeline_step *step = &needs->reader->pipeline->steps[index];

    if (node->kind != YAML_MAPPING) {
        reader_error(needs->reader, "invalid_type", &node->where, location,
                     "write inputs: { df: \"${step-id.df}\" }",
                     "\"inputs\" must be a mapping of names to outputs");
        return;
    }
    step->inputs = calloc(node->count + 1, sizeof *step->inputs);
    for (size_t i = 0; i < node->count; i++)
        read_input(needs, node->keys[i], node->items[i], index, location);
}

static bool is_present(const struct yaml_node *node)
{
    return node != NULL && !yaml_is_null(node);
}

static void read_step_needs(struct needs_reader *needs, const struct yaml_node *node, size_t index)
{
    const struct pipeline_step *steps = needs->reader->pipeline->steps;
    const struct yaml_node *given = yaml_get(node, "needs");
    const struct yaml_node *inputs = yaml_get(node, "inputs");
    char location[48];

    snprintf(location, sizeof location, "steps[%zu].needs", index);
    if (is_present(given))
        read_explicit_needs(needs, given, index, location);
    snprintf(location, sizeof location, "steps[%zu].inputs", index);
    if (is_present(inputs))
        read_inputs(needs, inputs, index, location);
    else if (!is_present(given) && index > 0 && steps[index - 1].id != NULL)
        add_need(needs, index, index - 1, &node->where, true);
}

/* The needs as ids, for the pipeline. */
static void store_needs(struct needs_reader *needs, size_t index)
{
    struct pipeline_step *steps = needs->reader->pipeline->steps;
    const struct needs *list = &needs->needs[index];

    steps[index].needs = calloc(list->count + 1, sizeof *steps[index].needs);
    for (size_t i = 0; i < list->count; i++)
        steps[index].needs[i] = strdup(steps[list->items[i].step].id);
}

/* Cycles: a walk along the needs that returns to an open step. */

struct walk {
    struct needs_reader *needs;
    enum { UNSEEN, OPEN, DONE } *states;
    size_t *next;     /* for each open step: the number of its needs that were followed */
    size_t *path;     /* the open steps; each needs the next one */
    size_t length;
    bool *reported;   /* steps of reported cycles */
};

/* The cycle is the path from `start`. It is shown in the order in which the steps would run. */
static void report_cycle(struct walk *walk, size_t start)
{
    const struct pipeline_step *steps = walk->needs->reader->pipeline->steps;
    const size_t first = walk->path[start];
    const struct need *need = &walk->needs->needs[first].items[walk->next[first] - 1];
    const char *implicit = NULL;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 17), hint = BUFFER_INIT(1 << 10);
    bool fresh = false;

    for (size_t i = start; i < walk->length; i++) {
        size_t step = walk->path[i];
        fresh |= !walk->reported[step];
        walk->reported[step] = true;
        if (walk->needs->needs[step].items[walk->next[step] - 1].implicit)
            implicit = steps[step].id;
    }
    if (!fresh)
        return;
    if (walk->length - start == 1) {
        reader_error(walk->needs->reader, "cycle", &need->where, NULL,
                     "remove it from its own needs", "the step \"%s\" needs itself",
                     steps[first].id);
        return;
    }
    buffer_append_text(&text, steps[first].id);
    for (size_t i = walk->length; i-- > start;)
        buffer_append_format(&text, " → %s", steps[walk->path[i]].id);
    if (implicit != NULL)
        buffer_append_format(&hint, "\"%s\" has no needs, so it waits for the step before it; "
                                    "write needs: [] if it does not have to wait", implicit);
    else
        buffer_append_text(&hint, "remove one of these needs");
    reader_error(walk->needs->reader, "cycle", &need->where, NULL, hint.data,
                 "the steps wait for each other in a cycle: %s", text.failed ? "a long one" : text.data);
}

static size_t position_on_path(const struct walk *walk, size_t step)
{
    size_t position = walk->length;

    while (walk->path[--position] != step)
        ;
    return position;
}

static void open_step(struct walk *walk, size_t step)
{
    walk->states[step] = OPEN;
    walk->path[walk->length++] = step;
}

static void walk_from(struct walk *walk, size_t root)
{
    open_step(walk, root);
    while (walk->length > 0) {
        size_t step = walk->path[walk->length - 1];
        const struct needs *list = &walk->needs->needs[step];
        if (walk->next[step] == list->count) {
            walk->states[step] = DONE;
            walk->length--;
            continue;
        }
        size_t target = list->items[walk->next[step]++].step;
        if (walk->states[target] == UNSEEN)
            open_step(walk, target);
        else if (walk->states[target] == OPEN)
            report_cycle(walk, position_on_path(walk, target));
    }
}

static void check_cycles(struct needs_reader *needs)
{
    size_t count = needs->reader->pipeline->step_count;
    struct walk walk = {.needs = needs};

    walk.states = calloc(count + 1, sizeof *walk.states);
    walk.next = calloc(count + 1, sizeof *walk.next);
    walk.path = calloc(count + 1, sizeof *walk.path);
    walk.reported = calloc(count + 1, sizeof *walk.reported);
    for (size_t i = 0; i < count; i++)
        if (walk.states[i] == UNSEEN)
            walk_from(&walk, i);
    free(walk.states);
    free(walk.next);
    free(walk.path);
    free(walk.reported);
}

static void collect_names(struct needs_reader *needs)
{
    const struct pipeline *pipeline = needs->reader->pipeline;

    needs->names = calloc(pipeline->step_count + 1, sizeof *needs->names);
    needs->needs = calloc(pipeline->step_count + 1, sizeof *needs->needs);
    needs->last_needed_by = calloc(pipeline->step_count + 1, sizeof *needs->last_needed_by);
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].id != NULL)
            needs->names[needs->name_count++] =
                (struct named_step){.id = pipeline->steps[i].id, .index = i};
    qsort(needs->names, needs->name_count, sizeof *needs->names, by_id);
}

void pipeline_read_needs(struct pipeline_reader *reader, const struct yaml_node *steps)
{
    struct needs_reader needs = {.reader = reader};
    size_t count = reader->pipeline->step_count;

    collect_names(&needs);
    for (size_t i = 0; i < count; i++)
        if (steps->items[i]->kind == YAML_MAPPING)
            read_step_needs(&needs, steps->items[i], i);
    for (size_t i = 0; i < count; i++)
        store_needs(&needs, i);
    check_cycles(&needs);
    for (size_t i = 0; i < count; i++)
        free(needs.needs[i].items);
    free(needs.needs);
    free(needs.names);
    free(needs.last_needed_by);
}
