/* A pipeline's parameters; see params.h. */
#include "orchestrator/oml/params.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "orchestrator/base/near-miss.h"
#include "core/base/utf8.h"

#define REFERENCE "${params."
#define PARAM_MAXIMUM_NAME 100

#define params_error(diagnostics, type, document, where, location, hint, ...)                      \
    yaml_diagnose((diagnostics), DIAGNOSTIC_ERROR, (type), (document), (where), (location), (hint), \
                  __VA_ARGS__)

static bool name_is_valid(const char *name)
{
    size_t length = strspn(
        name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && length <= PARAM_MAXIMUM_NAME && name[length] == '\0';
}

bool params_are_used(const char *text)
{
    return strstr(text, REFERENCE) != NULL;
}

/* "did you mean …?" with the keys of a mapping; NULL if none is near, or the hint would not be shown. */
static char *question_of_keys(const char *wanted, const struct yaml_node *mapping,
                              const struct diagnostics *diagnostics)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING || diagnostics_are_full(diagnostics))
        return NULL;
    _cleanup_free_ const char **names = calloc(mapping->count + 1, sizeof *names);
    for (size_t i = 0; i < mapping->count; i++)
        names[i] = mapping->keys[i]->text;
    return near_miss_question(wanted, names, mapping->count);
}

/* Values from the file. */

/* A declaration's value: `{default: x}`'s x, or the node itself. NULL: it has none. */
static const struct yaml_node *declared_value(const struct yaml_node *node)
{
    return node->kind == YAML_MAPPING ? yaml_get(node, "default") : node;
}

/* Parameters are not substituted into parameters, so a reference there is an error rather than text. */
static bool has_reference(const struct yaml_node *node)
{
    bool found = node->kind == YAML_SCALAR && params_are_used(node->text);

    for (size_t i = 0; i < node->count && !found; i++)
        found = has_reference(node->items[i]);
    return found;
}

/* The values of a `params:` mapping, the file's or a profile's. */
static void take_mapping(json_object *values, const struct yaml_document *document,
                         const struct yaml_node *node, const char *location,
                         struct diagnostics *diagnostics)
{
    if (node == NULL || yaml_is_null(node))
        return;
    if (node->kind != YAML_MAPPING) {
        params_error(diagnostics, "invalid_type", document, &node->where, location, NULL,
                     "\"params\" must be a mapping");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text;
        const struct yaml_node *value = declared_value(node->items[i]);
        if (!name_is_valid(name))
            params_error(diagnostics, "invalid_parameter", document, &node->keys[i]->where, location,
                         "use letters, digits, dashes and underscores",
                         "\"%s\" is not a valid parameter name", name);
        else if (value != NULL && has_reference(value))
            params_error(diagnostics, "invalid_parameter", document, &value->where, location,
                         "write the value itself",
                         "the parameter \"%s\" refers to another parameter", name);
        if (value != NULL)
            json_add(values, name, yaml_to_json(value));
    }
}

static void take_profile(struct params *params, const struct yaml_document *document,
                         const char *profile, struct diagnostics *diagnostics)
{
    const struct yaml_node *profiles = yaml_get(yaml_root(document), "profiles");
    const struct yaml_node *chosen = yaml_get(profiles, profile);

    if (chosen == NULL) {
        _cleanup_free_ char *question = question_of_keys(profile, profiles, diagnostics);
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "unknown_profile", NULL, NULL, 0, "profiles",
                        question, "--profile %s: the pipeline has no profile \"%s\"", profile,
                        profile);
        return;
    }
    /* Its structure is checked with the other profiles. */
    const struct yaml_node *values = yaml_get(chosen, "params");
    if (values != NULL && values->kind == YAML_MAPPING)
        take_mapping(params->values, document, values, "profiles", diagnostics);
}

/* Values from outside. */

/* A text as a value of the default's type; false if it does not fit. */
static bool typed_like(json_object *fallback, const char *text, json_object **value)
{
    const struct yaml_node node = {.kind = YAML_SCALAR, .plain = true, .text = (char *)text};
    enum json_type type = json_object_get_type(fallback);

    if (type == json_type_string)
        *value = json_string(text);
    else if (type == json_type_array || type == json_type_object)
        *value = json_parse(text, NULL);
    else
        *value = yaml_to_json(&node);
    if (type == json_type_null || json_object_is_type(*value, type) ||
        (type == json_type_double && json_object_is_type(*value, json_type_int)))
        return true;
    json_object_put(*value);
    *value = NULL;
    return false;
}

static const char *type_name(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return "true or false";
    case json_type_int:
        return "an integer";
    case json_type_double:
        return "a number";
    case json_type_array:
        return "a list, as JSON";
    default:
        return "a mapping, as JSON";
    }
}

/* `source` names the origin of the text. The text itself may be a secret. */
static void take_text(struct params *params, const char *name, const char *text, const char *source,
                      struct diagnostics *diagnostics)
{
    json_object *fallback = json_member(params->defaults, name);
    json_object *value = NULL;

    if (!utf8_is_valid(text, strlen(text)))
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_encoding", NULL, NULL, 0, NULL, NULL,
                        "%s: the value of the parameter \"%s\" is not UTF-8", source, name);
    else if (typed_like(fallback, text, &value))
        json_add(params->values, name, value);
    else
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_parameter", NULL, NULL, 0, NULL, NULL,
                        "%s: the parameter \"%s\" must be %s, like its default", source, name,
                        type_name(fallback));
}

/* OSIRIS_PARAM_<NAME>; NULL if it is not set. */
static const char *from_environment(const char *name, char variable[PARAM_MAXIMUM_NAME + 32])
{
    snprintf(variable, PARAM_MAXIMUM_NAME + 32, "OSIRIS_PARAM_%s", name);
    for (char *c = variable; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return getenv(variable);
}

static void take_environment(struct params *params, const struct yaml_document *document,
                             struct diagnostics *diagnostics)
{
    const struct yaml_node *node = yaml_get(yaml_root(document), "params");

    for (size_t i = 0; node != NULL && node->kind == YAML_MAPPING && i < node->count; i++) {
        const char *name = node->keys[i]->text;
        char variable[PARAM_MAXIMUM_NAME + 32];
        const char *text = name_is_valid(name) ? from_environment(name, variable) : NULL;
        if (text != NULL)
            take_text(params, name, text, variable, diagnostics);
    }
}

static void read_given(struct params *params, const char *const *given,
                       struct diagnostics *diagnostics)
{
    for (; given != NULL && *given != NULL; given++) {
        const char *equals = strchr(*given, '=');
        _cleanup_free_ char *name = equals == NULL ? NULL : strndup(*given, (size_t)(equals - *given));
        if (name == NULL || !name_is_valid(name))
            diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_parameter", NULL, NULL, 0, NULL,
                            "write --param name=value", "--param: \"%.*s\" is not a valid parameter name",
                            (int)strcspn(*given, "="), *given);
        else
            take_text(params, name, equals + 1, "--param", diagnostics);
    }
}

int params_resolve(const struct yaml_document *document, const struct pipeline_options *options,
                   struct params *params, struct diagnostics *diagnostics)
{
    size_t errors = diagnostics->errors;

    params->defaults = json_object_new_object();
    params->referenced = json_object_new_object();
    take_mapping(params->defaults, document, yaml_get(yaml_root(document), "params"), "params", diagnostics);
    params->values = json_copy(params->defaults);
    take_environment(params, document, diagnostics);
    if (options->profile != NULL)
        take_profile(params, document, options->profile, diagnostics);
    read_given(params, options->params, diagnostics);
    return diagnostics->errors == errors ? 0 : -1;
}

void params_clear(struct params *params)
{
    json_object_put(params->values);
    json_object_put(params->defaults);
    json_object_put(params->referenced);
}

/* Filling in. */

struct filling {
    struct params *params;
    const struct yaml_document *document;
    struct diagnostics *diagnostics;
};

static void unresolved(struct filling *filling, const struct yaml_node *node, const char *location,
                       const char *name)
{
    size_t count = 0;
    _cleanup_free_ char *part = memory_format(REFERENCE "%s}", name), *question = NULL;
    struct source_location where = yaml_position_of(filling->document, node, part);

    if (!diagnostics_are_full(filling->diagnostics)) {
        _cleanup_free_ const char **names =
            calloc((size_t)json_object_object_length(filling->params->values) + 1, sizeof *names);
        json_object_object_foreach(filling->params->values, key, value)
        {
            (void)value;
            names[count++] = key;
        }
        question = near_miss_question(name, names, count);
    }
    params_error(filling->diagnostics, "unresolved_parameter", filling->document, &where, location,
                 question != NULL ? question : "declare it under params, or set --param name=value",
                 "the parameter \"%s\" has no value", name);
}

/* The value of a reference, whose name is `length` long; false if it has none (reported). */
static bool find_value(struct filling *filling, const struct yaml_node *node, const char *location,
                    const char *name_start, size_t length, json_object **value)
{
    struct params *params = filling->params;
    char variable[PARAM_MAXIMUM_NAME + 32];
    _cleanup_free_ char *name = strndup(name_start, length);

    json_add(params->referenced, name, NULL);
    if (json_object_object_get_ex(params->values, name, value))
        return true;
    const char *text = name_is_valid(name) ? from_environment(name, variable) : NULL;
    if (text != NULL) {
        take_text(params, name, text, variable, filling->diagnostics);
        return json_object_object_get_ex(params->values, name, value);
    }
    unresolved(filling, node, location, name);
    return false;
}

/* Limits the size of substituted values, because a large value that is used often would multiply the file. */
static bool may_fill(struct filling *filling, const struct yaml_node *node, const char *location,
                     json_object *value)
{
    const char *text = value == NULL ? "" : json_object_get_string(value);
    size_t before = filling->params->filled;

    if (before > YAML_MAXIMUM_BYTES)
        return false;
    filling->params->filled += strlen(text);
    if (filling->params->filled <= YAML_MAXIMUM_BYTES)
        return true;
    params_error(filling->diagnostics, "too_large", filling->document, &node->where, location, NULL,
                 "the pipeline is larger than %u MiB with its parameters substituted",
                 YAML_MAXIMUM_BYTES >> 20);
    return false;
}

static json_object *fill_text(struct filling *filling, const struct yaml_node *node,
                              const char *location)
{
    const char *at = node->text, *start;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(2 * YAML_MAXIMUM_BYTES);
    bool resolved = true;

    while ((start = strstr(at, REFERENCE)) != NULL) {
        const char *name = start + strlen(REFERENCE);
        const char *end = strchr(start, '}');
        json_object *value = NULL;
        if (end == NULL) {
            params_error(filling->diagnostics, "unresolved_parameter", filling->document,
                         &node->where, location, "write ${params.NAME}",
                         "a reference to a parameter is not closed");
            return NULL;
        }
        bool found = find_value(filling, node, location, name, (size_t)(end - name), &value) &&
                     may_fill(filling, node, location, value);
        /* A value that is one reference keeps the parameter's type. */
        if (found && start == node->text && end[1] == '\0')
            return json_copy(value);
        resolved = resolved && found;
        buffer_append(&text, at, (size_t)(start - at));
        if (found && value != NULL)
            buffer_append_text(&text, json_object_get_string(value));
        at = end + 1;
    }
    buffer_append_text(&text, at);
    return !resolved || text.failed ? NULL : json_string(text.data);
}

/* The height of trees is bounded, see yaml.h. */
static json_object *fill(struct filling *filling, const struct yaml_node *node,
                         const char *location)
{
    if (node->kind == YAML_SCALAR)
        return params_are_used(node->text) ? fill_text(filling, node, location) : yaml_to_json(node);
    json_object *result =
        node->kind == YAML_SEQUENCE ? json_object_new_array() : json_object_new_object();
    for (size_t i = 0; i < node->count; i++) {
        char inner[256];
        if (node->kind == YAML_SEQUENCE)
            snprintf(inner, sizeof inner, "%s[%zu]", location, i);
        else
            snprintf(inner, sizeof inner, "%s.%s", location, node->keys[i]->text);
        json_object *item = fill(filling, node->items[i], inner);
        if (node->kind == YAML_SEQUENCE)
            json_append(result, item);
        else
            json_add(result, node->keys[i]->text, item);
    }
    return result;
}

json_object *params_fill(struct params *params, const struct yaml_document *document,
                         const struct yaml_node *node, const char *location,
                         struct diagnostics *diagnostics)
{
    struct filling filling = {
        .params = params, .document = document, .diagnostics = diagnostics};

    return fill(&filling, node, location);
}

void params_check_names(const struct params *params, const struct yaml_document *document,
                        const struct pipeline_options *options, struct diagnostics *diagnostics)
{
    const struct yaml_node *declared = yaml_get(yaml_root(document), "params");

    for (const char *const *given = options->params; given != NULL && *given != NULL; given++) {
        const char *equals = strchr(*given, '=');
        _cleanup_free_ char *name =
            equals == NULL ? NULL : strndup(*given, (size_t)(equals - *given));
        if (name == NULL || !name_is_valid(name) || yaml_get(declared, name) != NULL ||
            json_object_object_get_ex(params->referenced, name, NULL))
            continue;
        _cleanup_free_ char *question = question_of_keys(name, declared, diagnostics);
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "unknown_parameter", NULL, NULL, 0, NULL,
                        question, "--param %s: the pipeline has no parameter \"%s\"", name, name);
    }
}
