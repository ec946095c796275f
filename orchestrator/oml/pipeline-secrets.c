/* Literal secrets in a pipeline are refused, because they would be written to the build's files; see pipeline-secrets.h. */
#include "orchestrator/oml/pipeline-secrets.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/redact.h"

#define SECRET_LONGEST_HARMLESS 4
#define POINTER_MAXIMUM 256

/* Whether the spec's lists of JSON pointers contain this one. */
static bool is_declared_secret(const struct component *component, const char *pointer)
{
    static const char *const lists[] = {"secrets", "x-secret"};

    for (size_t i = 0; component != NULL && i < sizeof lists / sizeof lists[0]; i++) {
        json_object *list = json_member(component->spec, lists[i]);
        for (size_t j = 0; j < json_array_count(list); j++) {
            json_object *item = json_object_array_get_idx(list, j);
            if (json_object_is_type(item, json_type_string) &&
                strcmp(json_object_get_string(item), pointer) == 0)
                return true;
        }
    }
    return false;
}

static void hide(struct pipeline_reader *reader, const struct yaml_node *key,
                 const struct yaml_node *value)
{
    /* A value that comes from an anchor is elsewhere in the file. */
    unsigned first = value->where.line < key->where.line ? value->where.line : key->where.line;
    unsigned last = value->last_line > key->where.line ? value->last_line : key->where.line;

    diagnostics_hide_lines(reader->diagnostics, reader->pipeline->path, first, last);
}

/* Exactly "${NAME}", but not a parameter, whose value would be written to files. */
static bool is_placeholder(const char *text)
{
    const char *end = strncmp(text, "${", 2) == 0 ? strchr(text, '}') : NULL;

    return end != NULL && end[1] == '\0' && !params_are_used(text);
}

/* A boolean says whether there is a secret (`auth: false`) and is not one itself. */
static bool is_switch(const struct yaml_node *value)
{
    _cleanup_json_ json_object *typed = yaml_to_json(value);

    return typed == NULL || json_object_is_type(typed, json_type_boolean);
}

static void refuse_value(struct pipeline_reader *reader, const struct yaml_node *key,
                         const struct yaml_node *value, const char *location)
{
    if (strlen(value->text) <= SECRET_LONGEST_HARMLESS || is_placeholder(value->text) ||
        is_switch(value))
        return;
    hide(reader, key, value);
    diagnostics_add(reader->diagnostics, DIAGNOSTIC_ERROR, "inline_secret", &key->where, NULL, 0,
                    location, "move it to osiris_connections.yaml as ${VARIABLE}",
                    params_are_used(value->text)
                        ? "a parameter's value is written to files, but \"%s\" is a secret"
                        : "a secret is written in plain text: \"%s\"",
                    key->text);
}

/* The value of a secret, or each value of a list. */
static void refuse_values(struct pipeline_reader *reader, const struct yaml_node *key,
                          const struct yaml_node *value, const char *location)
{
    if (value->kind == YAML_SCALAR)
        refuse_value(reader, key, value, location);
    for (size_t i = 0; value->kind == YAML_SEQUENCE && i < value->count; i++)
        refuse_values(reader, key, value->items[i], location);
}

static void walk(struct pipeline_reader *reader, const struct component *component,
                 const struct yaml_node *node, char pointer[POINTER_MAXIMUM], size_t length,
                 const char *location);

/* `pointer` is the pointer of the parent, with `length`; `key` is NULL in a list. */
static void walk_item(struct pipeline_reader *reader, const struct component *component,
                      const struct yaml_node *key, size_t index, const struct yaml_node *value,
                      char pointer[POINTER_MAXIMUM], size_t length, const char *location)
{
    size_t room = POINTER_MAXIMUM - length;
    int more = key == NULL ? snprintf(pointer + length, room, "/%zu", index)
                           : snprintf(pointer + length, room, "/%s", key->text);
    size_t end = more < 0 || (size_t)more >= room ? length : length + (size_t)more;

    pointer[end] = '\0';
    if (key != NULL && (redact_key_is_secret(key->text) || is_declared_secret(component, pointer)))
        refuse_values(reader, key, value, location);
    walk(reader, component, value, pointer, end, location);
    pointer[length] = '\0';
}

static void walk(struct pipeline_reader *reader, const struct component *component,
                 const struct yaml_node *node, char pointer[POINTER_MAXIMUM], size_t length,
                 const char *location)
{
    for (size_t i = 0; node->kind != YAML_SCALAR && i < node->count; i++)
        walk_item(reader, component, node->kind == YAML_MAPPING ? node->keys[i] : NULL, i,
                  node->items[i], pointer, length, location);
}

void pipeline_refuse_secrets(struct pipeline_reader *reader, const struct component *component,
                             const struct yaml_node *key, const struct yaml_node *value,
                             const char *location)
{
    char pointer[POINTER_MAXIMUM] = "";

    walk_item(reader, component, key, 0, value, pointer, 0, location);
}

void pipeline_refuse_secret_params(struct pipeline_reader *reader, const struct yaml_node *params,
                                   const char *location)
{
    size_t errors = reader->diagnostics->errors;

    for (size_t i = 0; params != NULL && params->kind == YAML_MAPPING && i < params->count; i++) {
        const struct yaml_node *value = params->items[i];
        if (!redact_key_is_secret(params->keys[i]->text))
            continue;
        if (value->kind == YAML_MAPPING)
            value = yaml_get(value, "default");
        if (value != NULL)
            refuse_values(reader, params->keys[i], value, location);
    }
    /* It may be part of any config's values, so none of them is shown. */
    reader->pipeline->has_secret_params |= reader->diagnostics->errors > errors;
}
