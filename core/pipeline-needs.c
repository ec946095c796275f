/* Reading what steps need of each other: needs, inputs, cycles; see pipeline.h. */
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/near-miss.h"
#include "core/pipeline-internal.h"

static struct pipeline_step *find_step(const struct pipeline *pipeline, const char *id)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].id != NULL && strcmp(pipeline->steps[i].id, id) == 0)
            return &pipeline->steps[i];
    return NULL;
}

static size_t needs_count(const struct pipeline_step *step)
{
    size_t count = 0;

    while (step->needs != NULL && step->needs[count] != NULL)
        count++;
    return count;
}

/* Adds an id that is not there yet. */
static void add_need(struct pipeline_step *step, const char *id)
{
    size_t count = needs_count(step);

    for (size_t i = 0; i < count; i++)
        if (strcmp(step->needs[i], id) == 0)
            return;
    char **grown = reallocarray(step->needs, count + 2, sizeof *grown);
    if (grown == NULL)
        return;
    step->needs = grown;
    grown[count] = strdup(id);
    grown[count + 1] = NULL;
}

static void unknown_step(struct pipeline_reader *reader, const char *type,
                         const struct source_location *where, const char *location, const char *id)
{
    const struct pipeline *pipeline = reader->pipeline;
    _cleanup_free_ const char **names = calloc(pipeline->step_count + 1, sizeof *names);
    size_t count = 0;

    for (size_t i = 0; names != NULL && i < pipeline->step_count; i++)
        if (pipeline->steps[i].id != NULL)
            names[count++] = pipeline->steps[i].id;
    _cleanup_free_ char *question = names == NULL ? NULL : near_miss_question(id, names, count);
    reader_error(reader, type, where, location, question, "there is no step \"%s\"", id);
}

static void read_explicit_needs(struct pipeline_reader *reader, const struct yaml_node *node,
                                struct pipeline_step *step, const char *location)
{
    if (node->kind != YAML_SEQUENCE) {
        reader_error(reader, "invalid_needs_type", &node->where, location,
                     "write it as a list: [a, b]", "\"needs\" must be a list of step ids");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->items[i];
        const char *id = yaml_string(item);
        if (id == NULL)
            reader_error(reader, "invalid_dependency_type", &item->where, location, NULL,
                         "a step id must be a string");
        else if (find_step(reader->pipeline, id) == NULL)
            unknown_step(reader, "unknown_dependency", &item->where, location, id);
        else
            add_need(step, id);
    }
}

/* "${extract-orders.df}" */
static bool parse_reference(const char *text, char **from, char **output)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (length < 6 || strncmp(text, "${", 2) != 0 || text[length - 1] != '}')
        return false;
    const char *dot = memrchr(text, '.', length);
    if (dot == NULL || dot == text + 2 || dot == text + length - 2)
        return false;
    *from = strndup(text + 2, (size_t)(dot - text) - 2);
    *output = strndup(dot + 1, length - (size_t)(dot - text) - 2);
    return *from != NULL && *output != NULL;
}

static void read_input(struct pipeline_reader *reader, const struct yaml_node *key,
                       const struct yaml_node *value, struct pipeline_step *step,
                       const char *location)
{
    struct pipeline_input *input = &step->inputs[step->input_count];

    input->where = value->where;
    if (value->kind != YAML_SCALAR || !parse_reference(value->text, &input->from, &input->output)) {
        reader_error(reader, "invalid_input", &value->where, location,
                     "write \"${step-id.df}\"", "the input \"%s\" is not a reference to a step's output",
                     key->text);
    } else if (find_step(reader->pipeline, input->from) == NULL) {
        unknown_step(reader, "unknown_dependency", &value->where, location, input->from);
    } else if (strcmp(input->output, "df") != 0) {
        reader_error(reader, "invalid_input", &value->where, location, NULL,
                     "the step \"%s\" has no output \"%s\"; it is called \"df\"", input->from,
                     input->output);
    } else {
        const struct pipeline_step *from = find_step(reader->pipeline, input->from);
        if (from->component != NULL && from->component->kind == OSIRIS_WRITER)
            reader_error(reader, "invalid_input", &value->where, location, NULL,
                         "the step \"%s\" is a writer and has no output", input->from);
        add_need(step, input->from);
    }
    input->name = strdup(key->text);
    step->input_count++;
}

static void read_inputs(struct pipeline_reader *reader, const struct yaml_node *node,
                        struct pipeline_step *step, const char *location)
{
    if (node->kind != YAML_MAPPING) {
        reader_error(reader, "invalid_type", &node->where, location, NULL,
                     "\"inputs\" must be a mapping of names to outputs");
        return;
    }
    step->inputs = calloc(node->count + 1, sizeof *step->inputs);
    for (size_t i = 0; step->inputs != NULL && i < node->count; i++)
        read_input(reader, node->keys[i], node->items[i], step, location);
}

static void read_step_needs(struct pipeline_reader *reader, const struct yaml_node *node,
                            size_t index)
{
    struct pipeline_step *step = &reader->pipeline->steps[index];
    const struct yaml_node *needs = yaml_get(node, "needs");
    const struct yaml_node *inputs = yaml_get(node, "inputs");
    char location[48];

    snprintf(location, sizeof location, "steps[%zu].needs", index);
    if (needs != NULL && !yaml_is_null(needs))
        read_explicit_needs(reader, needs, step, location);
    snprintf(location, sizeof location, "steps[%zu].inputs", index);
    if (inputs != NULL && !yaml_is_null(inputs))
        read_inputs(reader, inputs, step, location);
    else if ((needs == NULL || yaml_is_null(needs)) && index > 0 &&
             reader->pipeline->steps[index - 1].id != NULL)
        add_need(step, reader->pipeline->steps[index - 1].id);
    if (step->needs == NULL)
        step->needs = calloc(1, sizeof *step->needs);
}

/* Cycles: steps are taken away as long as one has no needs left; what stays is on a cycle, or behind one. */

static bool has_open_need(const struct pipeline *pipeline, const struct pipeline_step *step,
                          const bool *taken)
{
    for (size_t i = 0; step->needs != NULL && step->needs[i] != NULL; i++) {
        const struct pipeline_step *need = find_step(pipeline, step->needs[i]);
        if (need != NULL && !taken[need - pipeline->steps])
            return true;
    }
    return false;
}

static const struct pipeline_step *open_need(const struct pipeline *pipeline,
                                             const struct pipeline_step *step, const bool *taken)
{
    for (size_t i = 0; step->needs != NULL && step->needs[i] != NULL; i++) {
        const struct pipeline_step *need = find_step(pipeline, step->needs[i]);
        if (need != NULL && !taken[need - pipeline->steps])
            return need;
    }
    return NULL;
}

/* From a step that was left, following open needs must come back to where it has been. */
static void report_cycle(struct pipeline_reader *reader, const struct pipeline_step *start,
                         const bool *taken)
{
    const struct pipeline *pipeline = reader->pipeline;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);
    const struct pipeline_step *step = start;

    for (size_t i = 0; i < pipeline->step_count && step != NULL; i++)
        step = open_need(pipeline, step, taken);
    if (step == NULL)
        return;
    start = step;
    do {
        buffer_append_format(&text, "%s ← ", step->id);
        step = open_need(pipeline, step, taken);
    } while (step != NULL && step != start);
    buffer_append_text(&text, start->id);
    reader_error(reader, "cycle", &start->where, NULL, "take one of these needs out",
                 "the steps wait for each other in a cycle: %s", text.data);
}

static void check_cycles(struct pipeline_reader *reader)
{
    struct pipeline *pipeline = reader->pipeline;
    _cleanup_free_ bool *taken = calloc(pipeline->step_count + 1, sizeof *taken);
    size_t left = pipeline->step_count;
    bool progress = true;

    while (taken != NULL && left > 0 && progress) {
        progress = false;
        for (size_t i = 0; i < pipeline->step_count; i++)
            if (!taken[i] && !has_open_need(pipeline, &pipeline->steps[i], taken)) {
                taken[i] = progress = true;
                left--;
            }
    }
    for (size_t i = 0; taken != NULL && left > 0 && i < pipeline->step_count; i++)
        if (!taken[i]) {
            report_cycle(reader, &pipeline->steps[i], taken);
            return;
        }
}

void pipeline_read_needs(struct pipeline_reader *reader, const struct yaml_node *steps)
{
    for (size_t i = 0; i < reader->pipeline->step_count; i++)
        if (steps->items[i]->kind == YAML_MAPPING)
            read_step_needs(reader, steps->items[i], i);
    check_cycles(reader);
}
