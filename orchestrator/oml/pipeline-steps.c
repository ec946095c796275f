/* Reading a pipeline's steps: ids, components, modes, configs; see pipeline-steps.h. */
#include "orchestrator/oml/pipeline-steps.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/one-of.h"
#include "core/base/json-build.h"
#include "orchestrator/base/near-miss.h"
#include "orchestrator/oml/pipeline-limits.h"
#include "orchestrator/oml/pipeline-option.h"
#include "orchestrator/oml/pipeline-secrets.h"
#include "orchestrator/base/terminal.h"

static const char *const step_keys[] = {"id",     "component", "uses",        "mode",
                                        "needs",  "inputs",    "config",      "with",
                                        "name",   "description", "metadata",  "run_on",
                                        "retry",  "timeout",     NULL};

struct step_source {
    const struct yaml_node *node;
    char location[48]; /* steps[3] */
};

static const struct yaml_node *either(const struct yaml_node *node, const char *key,
                                      const char *legacy)
{
    const struct yaml_node *value = yaml_get(node, key);

    return value != NULL ? value : yaml_get(node, legacy);
}

/* A key and its old name: only one of them is allowed. */
static void check_legacy(struct pipeline_reader *reader, const struct step_source *source, const char *key,
                         const char *legacy)
{
    const struct yaml_node *old = yaml_get_key(source->node, legacy);

    if (old != NULL && yaml_get_key(source->node, key) != NULL)
        reader_error(reader, "duplicate_key", &old->where, source->location, "keep one of them",
                     "\"%s\" is an old name of \"%s\", which is also set", legacy, key);
}

static void check_keys(struct pipeline_reader *reader, const struct step_source *source,
                       struct pipeline_step *step)
{
    bool has_config = either(source->node, "config", "with") != NULL;

    check_legacy(reader, source, "component", "uses");
    check_legacy(reader, source, "config", "with");
    for (size_t i = 0; i < source->node->count; i++) {
        const struct yaml_node *key = source->node->keys[i];
        if (is_one_of(key->text, step_keys))
            continue;
        _cleanup_free_ char *question = pipeline_question(
            reader, key->text, step_keys, sizeof step_keys / sizeof step_keys[0] - 1);
        /* It may be a misspelt "config". */
        step->config_is_partial |= !has_config && source->node->items[i]->kind == YAML_MAPPING;
        reader_error(reader, "unknown_step_key", &key->where, source->location,
                     question != NULL ? question : "write the component's options under config",
                     "a step has no key \"%s\"", key->text);
    }
}

/* A required field as a string; NULL with the problem reported. */
static const char *required_string(struct pipeline_reader *reader, const struct step_source *source,
                                   const struct yaml_node *node, const char *key, const char *type)
{
    const char *text = yaml_string(node);

    if (node == NULL || yaml_is_null(node))
        reader_error(reader, "missing_step_field", &source->node->where, source->location,
                     strcmp(key, "id") == 0     ? "write id: NAME"
                     : strcmp(key, "mode") == 0 ? "write mode: read, write or transform"
                                                : "`osiris components list` shows all components",
                     "the step's \"%s\" is missing", key);
    else if (text == NULL)
        reader_error(reader, type, &node->where, source->location,
                     node->kind == YAML_SCALAR ? "write it in quotes" : NULL,
                     "the step's \"%s\" must be a string", key);
    else if (text[0] == '\0')
        reader_error(reader, type, &node->where, source->location, NULL,
                     "the step's \"%s\" is empty", key);
    return node == NULL || text == NULL || text[0] == '\0' ? NULL : text;
}

/* An id is also the name of a folder, and is printed wherever its step is mentioned. */
static bool id_is_usable(const char *id)
{
    const char *end = id + strlen(id);
    bool harmless = true;

    for (const char *at = id; at < end && harmless; at += terminal_character(at, end, &harmless))
        if (strchr(" /\"${}", *at) != NULL)
            return false;
    return harmless && id[0] != '.' && strlen(id) <= 100;
}

static void read_id(struct pipeline_reader *reader, const struct step_source *source,
                    struct pipeline_step *step)
{
    const struct yaml_node *node = yaml_get(source->node, "id");
    const char *id = required_string(reader, source, node, "id", "invalid_id_type");

    if (id == NULL)
        return;
    if (!id_is_usable(id))
        reader_error(reader, "invalid_id", &node->where, source->location,
                     "use letters, digits, dashes and underscores",
                     "\"%s\" is not a valid step id", id);
    for (size_t i = 0; i < reader->pipeline->step_count; i++) {
        const struct pipeline_step *other = &reader->pipeline->steps[i];
        if (other != step && other->id != NULL && strcmp(other->id, id) == 0)
            reader_error(reader, "duplicate_id", &node->where, source->location,
                         "choose a unique id for each step",
                         "the id \"%s\" is also used by the step in line %u", id,
                         other->where.line);
    }
    step->id = strdup(id);
}

static void read_component(struct pipeline_reader *reader, const struct step_source *source,
                           struct pipeline_step *step)
{
    const struct yaml_node *node = either(source->node, "component", "uses");
    const char *name = required_string(reader, source, node, "component", "invalid_component_type");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    step->component_where = node == NULL ? source->node->where : node->where;
    if (name == NULL)
        return;
    step->component_name = strdup(name);
    step->component = registry_find(reader->options->registry, name, &error);
    if (step->component == NULL)
        reader_error(reader, "unknown_component", &node->where, source->location, error.hint, "%s",
                     error.message);
}

/* Modes. */

static const struct {
    const char *mode, *component_mode, *other;
    int kind;
} modes[] = {
    {"read", "extract", "read", OSIRIS_EXTRACTOR},
    {"write", "write", "load", OSIRIS_WRITER},
    {"transform", "transform", "transform", OSIRIS_PROCESSOR},
};
#define MODE_COUNT (sizeof modes / sizeof modes[0])

static bool component_has_mode(const struct component *component, size_t mode)
{
    json_object *list = json_member(component->spec, "modes");

    if (list == NULL)
        return component->kind == modes[mode].kind;
    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        if (name != NULL && (strcmp(name, modes[mode].component_mode) == 0 ||
                             strcmp(name, modes[mode].other) == 0))
            return component->kind == modes[mode].kind;
    }
    return false;
}

static void read_mode(struct pipeline_reader *reader, const struct step_source *source,
                      struct pipeline_step *step)
{
    const struct yaml_node *node = yaml_get(source->node, "mode");
    const char *name = required_string(reader, source, node, "mode", "invalid_mode_type");
    const char *names[MODE_COUNT];
    size_t mode = 0;

    if (name == NULL)
        return;
    step->mode = strdup(name);
    for (size_t i = 0; i < MODE_COUNT; i++)
        names[i] = modes[i].mode;
    while (mode < MODE_COUNT && strcmp(modes[mode].mode, name) != 0)
        mode++;
    if (mode == MODE_COUNT) {
        _cleanup_free_ char *question = pipeline_question(reader, name, names, MODE_COUNT);
        reader_error(reader, "invalid_mode", &node->where, source->location, question,
                     "\"%s\" is not a mode; the modes are read, write and transform", name);
    } else if (step->component != NULL && !component_has_mode(step->component, mode)) {
        const char *own = "?";
        char hint[32];
        for (size_t i = 0; i < MODE_COUNT; i++)
            if (modes[i].kind == step->component->kind)
                own = modes[i].mode;
        snprintf(hint, sizeof hint, "write mode: %s", own);
        reader_error(reader, "incompatible_mode", &node->where, source->location, hint,
                     "the component \"%s\" cannot %s", step->component_name, name);
    }
}

/* Configs. */

static json_object *connection_fields(const struct component *component)
{
    return json_member(component->spec, "x-connection-fields");
}

/* The override rule of a connection's field; NULL if it is not a field. */
static const char *connection_field_rule(const struct component *component, const char *key)
{
    json_object *fields = connection_fields(component);

    for (size_t i = 0; i < json_array_count(fields); i++) {
        json_object *field = json_object_array_get_idx(fields, i);
        if (strcmp(json_member_string(field, "name", ""), key) == 0)
            return json_member_string(field, "override", "allowed");
    }
    return NULL;
}

static bool is_faulty(const struct pipeline_step *step, const char *key)
{
    return json_object_object_get_ex(step->faulty, key, NULL);
}

static void mark_faulty(struct pipeline_step *step, const char *key)
{
    if (step->faulty == NULL)
        step->faulty = json_object_new_object();
    json_add(step->faulty, key, NULL);
}

static void check_config_key(struct pipeline_reader *reader, const struct pipeline_step *step,
                             const struct yaml_node *key, const char *location)
{
    json_object *schema = json_member(step->component->spec, "configSchema");
    json_object *properties = json_member(schema, "properties");
    json_object *additional = json_member(schema, "additionalProperties");
    const char *rule = connection_field_rule(step->component, key->text);

    if (rule != NULL && strcmp(rule, "forbidden") == 0) {
        reader_error(reader, "forbidden_override", &key->where, location,
                     "set it in the connection", "a step may not override the connection's \"%s\"",
                     key->text);
        return;
    }
    if (rule != NULL && strcmp(rule, "warning") == 0)
        reader_warning(reader, "connection_override", &key->where, location,
                       "set it in the connection if it applies to all steps",
                       "the step overrides the connection's \"%s\"", key->text);
    if (rule != NULL || json_object_object_get_ex(properties, key->text, NULL) ||
        !json_object_is_type(properties, json_type_object) ||
        (additional != NULL && json_object_get_boolean(additional)))
        return;
    _cleanup_free_ const char **names =
        calloc((size_t)json_object_object_length(properties) + 1, sizeof *names);
    size_t count = 0;
    json_object_object_foreach(properties, name, unused)
    {
        (void)unused;
        names[count++] = name;
    }
    _cleanup_free_ char *question = pipeline_question(reader, key->text, names, count);
    reader_error(reader, "unknown_config_key", &key->where, location,
                 question != NULL ? question : "`osiris components show` lists the options",
                 "\"%s\" has no option \"%s\"", step->component_name, key->text);
}

/* Whether the option may be present with a fault, or as an unknown key with a similar name. */
static bool may_be_meant(const struct pipeline_step *step, const char *option)
{
    const char *near;

    if (is_faulty(step, option) || step->config_is_partial)
        return true;
    if (step->faulty == NULL)
        return false;
    json_object_object_foreach(step->faulty, key, unused)
    {
        (void)unused;
        if (near_miss(key, &option, 1, &near, 1) > 0)
            return true;
    }
    return false;
}

static void check_required_keys(struct pipeline_reader *reader, const struct pipeline_step *step,
                                const char *location)
{
    json_object *required =
        json_member(json_member(step->component->spec, "configSchema"), "required");

    for (size_t i = 0; i < json_array_count(required); i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(required, i));
        if (key == NULL || strcmp(key, "connection") == 0 ||
            connection_field_rule(step->component, key) != NULL ||
            json_object_object_get_ex(step->config, key, NULL) || may_be_meant(step, key))
            continue;
        json_object *properties =
            json_member(json_member(step->component->spec, "configSchema"), "properties");
        const char *meaning = json_member_string(json_member(properties, key), "description", NULL);
        reader_error(reader, "missing_config_key", &step->config_where, location, meaning,
                     "\"%s\" needs the option \"%s\"", step->component_name, key);
    }
}

/* A name, or a list of names. */
static bool has_primary_key(json_object *config)
{
    json_object *value = json_member(config, "primary_key");

    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) > 0;
    return value != NULL && json_object_get_string_len(value) != 0;
}

/* OML's own rule for writers with keys. */
static void check_write_mode(struct pipeline_reader *reader, const struct pipeline_step *step,
                             const char *location)
{
    const char *mode = json_member_string(step->config, "write_mode", NULL);
    struct source_location where = pipeline_config_location(step, "write_mode");

    if (mode == NULL || may_be_meant(step, "primary_key"))
        return;
    if (strcmp(mode, "replace") == 0 || strcmp(mode, "upsert") == 0) {
        if (!has_primary_key(step->config))
            reader_error(reader, "missing_required_field", &where, location,
                         "name the column, or a list of columns",
                         "write_mode \"%s\" needs \"primary_key\"", mode);
    } else if (strcmp(mode, "append") != 0) {
        reader_warning(reader, "unknown_write_mode", &where, location,
                       "use append, replace or upsert", "write_mode \"%s\" is unknown",
                       mode);
    }
}

/* "@family" or "@family.alias" */
static bool is_connection_reference(const char *text)
{
    if (text == NULL || text[0] != '@')
        return false;
    size_t family = strcspn(text + 1, ".");
    const char *alias = text[1 + family] == '.' ? text + 2 + family : NULL;
    return family > 0 && (alias == NULL || (alias[0] != '\0' && strchr(alias, '.') == NULL));
}

static void take_connection(struct pipeline_reader *reader, struct pipeline_step *step,
                            const char *location)
{
    static const char hint[] = "write \"@family.alias\" or \"@family\"";
    const struct yaml_node *node = yaml_get(step->config_node, "connection");
    json_object *value = NULL;

    step->connection_where = node == NULL ? step->where : node->where;
    if (!json_object_object_get_ex(step->config, "connection", &value))
        return;
    if (json_object_is_type(value, json_type_string)) {
        const char *text = json_object_get_string(value);
        if (is_connection_reference(text))
            step->connection = strdup(text);
        else
            reader_error(reader, "invalid_connection_ref", &step->connection_where, location, hint,
                         "\"%s\" is not a reference to a connection", text);
    } else {
        reader_error(reader, "invalid_connection_ref", &step->connection_where, location, hint,
                     "the connection must be a string");
    }
    if (step->connection == NULL)
        mark_faulty(step, "connection");
    json_object_object_del(step->config, "connection");
}

/* Adds an option to the step's config, unless something is wrong with it. */
static void read_option(struct pipeline_reader *reader, struct pipeline_step *step, size_t index,
                        const char *location)
{
    const struct yaml_node *key = step->config_node->keys[index];
    const struct yaml_node *node = step->config_node->items[index];
    size_t errors = reader->diagnostics->errors;
    char inner[256];

    snprintf(inner, sizeof inner, "%s.%s", location, key->text);
    pipeline_refuse_secrets(reader, step->component, key, node, location);
    if (step->component != NULL && strcmp(key->text, "connection") != 0)
        check_config_key(reader, step, key, location);
    json_object *value = params_fill(&reader->params, reader->pipeline->document, node, inner, reader->diagnostics);
    if (reader->diagnostics->errors != errors) {
        mark_faulty(step, key->text);
        json_object_put(value);
    } else {
        json_add(step->config, key->text, value);
    }
}

static void read_config(struct pipeline_reader *reader, const struct step_source *source,
                        struct pipeline_step *step)
{
    const struct yaml_node *node = either(source->node, "config", "with");
    size_t errors = reader->diagnostics->errors;
    char location[64];

    snprintf(location, sizeof location, "%s.config", source->location);
    step->config_where = step->connection_where = source->node->where;
    step->config = json_object_new_object();
    if (node != NULL && !yaml_is_null(node) && node->kind != YAML_MAPPING) {
        reader_error(reader, "invalid_config_type", &node->where, location,
                     "write config: { option: value }", "the step's config must be a mapping");
        step->config_is_partial = true;
    } else if (node != NULL && node->kind == YAML_MAPPING) {
        step->config_node = node;
        step->config_where =
            yaml_get_key(source->node, node == yaml_get(source->node, "config") ? "config" : "with")
                ->where;
        for (size_t i = 0; i < node->count; i++)
            read_option(reader, step, i, location);
    }
    if (step->component == NULL)
        return;
    take_connection(reader, step, location);
    check_required_keys(reader, step, location);
    check_write_mode(reader, step, location);
    step->config_is_wrong = reader->diagnostics->errors != errors;
}

static void read_run_on(struct pipeline_reader *reader, const struct step_source *source,
                        struct pipeline_step *step)
{
    const struct yaml_node *node = yaml_get(source->node, "run_on");
    const char *name = yaml_string(node);

    if (node == NULL)
        return;
    step->run_on_where = node->where;
    if (name == NULL || name[0] == '\0')
        reader_error(reader, "invalid_run_on", &node->where, source->location,
                     "use an adapter, or a place of osiris.yaml",
                     "the step's \"run_on\" must be a string");
    else
        step->run_on = strdup(name);
}

static void read_step(struct pipeline_reader *reader, const struct yaml_node *node, size_t index)
{
    struct step_source source = {.node = node};
    struct pipeline_step *step = &reader->pipeline->steps[index];

    snprintf(source.location, sizeof source.location, "steps[%zu]", index);
    step->where = node->where;
    if (node->kind != YAML_MAPPING) {
        reader->graph_is_broken = true;
        reader_error(reader, "invalid_step_type", &node->where, source.location,
                     "write - { id: NAME, component: FAMILY.WHAT, mode: read }",
                     "a step must be a mapping with id, component and mode");
        return;
    }
    check_keys(reader, &source, step);
    size_t errors = reader->diagnostics->errors;
    read_id(reader, &source, step);
    read_component(reader, &source, step);
    reader->graph_is_broken |= reader->diagnostics->errors != errors;
    read_mode(reader, &source, step);
    read_run_on(reader, &source, step);
    pipeline_read_limits(reader, node, source.location, step);
    read_config(reader, &source, step);
}

void pipeline_read_steps(struct pipeline_reader *reader, const struct yaml_node *steps)
{
    struct pipeline *pipeline = reader->pipeline;

    if (steps == NULL)
        return;
    if (steps->kind != YAML_SEQUENCE) {
        reader_error(reader, "invalid_steps_type", &steps->where, "steps",
                     "write a dash before each step", "\"steps\" must be a list");
        return;
    }
    if (steps->count == 0) {
        reader_error(reader, "empty_steps", &steps->where, "steps",
                     "write - { id: NAME, component: FAMILY.WHAT, mode: read }",
                     "a pipeline needs at least one step");
        return;
    }
    if (steps->count > PIPELINE_MAXIMUM_STEPS) {
        reader_error(reader, "too_large", &steps->where, "steps", NULL,
                     "the pipeline has %zu steps, and %d are allowed", steps->count,
                     PIPELINE_MAXIMUM_STEPS);
        return;
    }
    pipeline->steps = calloc(steps->count, sizeof *pipeline->steps);
    for (size_t i = 0; i < steps->count; i++) {
        pipeline->step_count = i + 1;
        read_step(reader, steps->items[i], i);
    }
}
