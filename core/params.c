/* A pipeline's parameters; see params.h. */
#include "core/params.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/json-access.h"
#include "core/near-miss.h"

#define REFERENCE "${params."

static bool name_is_valid(const char *name)
{
    size_t length = strspn(
        name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && name[length] == '\0';
}

/* Types a text from outside by the default that it replaces. */
static json_object *typed_like(json_object *fallback, const char *text)
{
    struct yaml_node node = {.kind = YAML_SCALAR, .plain = true, .text = (char *)text};
    bool ok;

    if (json_object_is_type(fallback, json_type_string))
        return json_object_new_string(text);
    return yaml_to_json(&node, &ok);
}

static int set(struct params *params, const char *name, json_object *value)
{
    if (json_object_object_add(params->values, name, value) == 0)
        return 0;
    json_object_put(value);
    return -1;
}

/* A declaration's default: `{default: x}`, or x itself. */
static json_object *declared_default(const struct yaml_node *node, bool *has_default, bool *ok)
{
    const struct yaml_node *value = node;

    *ok = true;
    *has_default = true;
    if (node->kind == YAML_MAPPING) {
        value = yaml_get(node, "default");
        *has_default = value != NULL;
    }
    return value == NULL ? NULL : yaml_to_json(value, ok);
}

static void take_defaults(struct params *params, const struct yaml_document *document,
                          struct diagnostics *diagnostics)
{
    const struct yaml_node *node = yaml_get(yaml_root(document), "params");

    if (node == NULL || yaml_is_null(node))
        return;
    if (node->kind != YAML_MAPPING) {
        yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "invalid_type", document, &node->where, "params",
                      NULL, "\"params\" must be a mapping");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text;
        bool has_default, ok;
        if (!name_is_valid(name))
            yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "invalid_name_type", document,
                          &node->keys[i]->where, "params", NULL,
                          "\"%s\" is not a parameter's name", name);
        json_object *value = declared_default(node->items[i], &has_default, &ok);
        if (has_default && ok)
            (void)set(params, name, value);
        else
            json_object_put(value);
    }
}

static void take_environment(struct params *params, const struct yaml_document *document)
{
    const struct yaml_node *node = yaml_get(yaml_root(document), "params");

    for (size_t i = 0; node != NULL && node->kind == YAML_MAPPING && i < node->count; i++) {
        const char *name = node->keys[i]->text;
        char variable[160];
        snprintf(variable, sizeof variable, "OSIRIS_PARAM_%s", name);
        for (char *c = variable; *c != '\0'; c++)
            *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = getenv(variable);
        if (value != NULL)
            (void)set(params, name, typed_like(json_member(params->values, name), value));
    }
}

static void take_profile(struct params *params, const struct yaml_document *document,
                         const char *profile, struct diagnostics *diagnostics)
{
    const struct yaml_node *profiles = yaml_get(yaml_root(document), "profiles");
    const struct yaml_node *chosen = yaml_get(profiles, profile);
    const struct yaml_node *values = yaml_get(chosen, "params");

    if (chosen == NULL) {
        _cleanup_free_ const char **names =
            calloc((profiles == NULL ? 0 : profiles->count) + 1, sizeof *names);
        size_t count = 0;
        for (size_t i = 0; names != NULL && profiles != NULL && profiles->kind == YAML_MAPPING &&
                           i < profiles->count;
             i++)
            names[count++] = profiles->keys[i]->text;
        _cleanup_free_ char *question =
            names == NULL ? NULL : near_miss_question(profile, names, count);
        const struct yaml_node *place = profiles == NULL ? yaml_root(document) : profiles;
        yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "unknown_profile", document, &place->where,
                      "profiles", question, "there is no profile \"%s\"", profile);
        return;
    }
    for (size_t i = 0; values != NULL && values->kind == YAML_MAPPING && i < values->count; i++) {
        bool has_default, ok;
        json_object *value = declared_default(values->items[i], &has_default, &ok);
        if (has_default && ok)
            (void)set(params, values->keys[i]->text, value);
        else
            json_object_put(value);
    }
}

static void take_given(struct params *params, const char *const *given,
                       struct diagnostics *diagnostics)
{
    for (; given != NULL && *given != NULL; given++) {
        const char *equals = strchr(*given, '=');
        _cleanup_free_ char *name = equals == NULL ? NULL : strndup(*given, (size_t)(equals - *given));
        if (name == NULL || !name_is_valid(name)) {
            diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_parameter", NULL, NULL, 0, NULL,
                            "write --param name=value", "\"%s\" is not a parameter", *given);
            continue;
        }
        (void)set(params, name, typed_like(json_member(params->values, name), equals + 1));
    }
}

int params_resolve(const struct yaml_document *document, const struct pipeline_options *options,
                   struct params *params, struct diagnostics *diagnostics)
{
    size_t errors = diagnostics->errors;

    params->values = json_object_new_object();
    params->referenced = json_object_new_object();
    if (params->values == NULL || params->referenced == NULL)
        return diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "out_of_memory", NULL, NULL, 0, NULL,
                               NULL, "out of memory");
    take_defaults(params, document, diagnostics);
    take_environment(params, document);
    if (options->profile != NULL)
        take_profile(params, document, options->profile, diagnostics);
    take_given(params, options->params, diagnostics);
    return diagnostics->errors == errors ? 0 : -1;
}

void params_clear(struct params *params)
{
    json_object_put(params->values);
    json_object_put(params->referenced);
}

/* Filling in. */

struct filling {
    struct params *params;
    const struct yaml_document *document;
    struct diagnostics *diagnostics;
    size_t budget;
};

static void unresolved(struct filling *filling, const struct yaml_node *node, const char *location,
                       const char *name)
{
    size_t count = 0;
    _cleanup_free_ const char **names = calloc(
        (size_t)json_object_object_length(filling->params->values) + 1, sizeof *names);
    if (names != NULL) {
        json_object_object_foreach(filling->params->values, key, value)
        {
            (void)value;
            names[count++] = key;
        }
    }
    _cleanup_free_ char *question = near_miss_question(name, names, count);
    yaml_diagnose(filling->diagnostics, DIAGNOSTIC_ERROR, "unresolved_parameter", filling->document,
                  &node->where, location,
                  question != NULL ? question : "declare it under params, or give --param name=value",
                  "the parameter \"%s\" has no value", name);
}

/* The value of a reference, whose name is `length` long; false if it has none. */
static bool look_up(struct filling *filling, const struct yaml_node *node, const char *location,
                    const char *name_start, size_t length, json_object **value)
{
    _cleanup_free_ char *name = strndup(name_start, length);

    if (name == NULL)
        return false;
    (void)json_object_object_add(filling->params->referenced, name, NULL);
    if (json_object_object_get_ex(filling->params->values, name, value))
        return true;
    unresolved(filling, node, location, name);
    return false;
}

static json_object *fill_text(struct filling *filling, const struct yaml_node *node,
                              const char *location)
{
    const char *at = node->text;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(YAML_MAXIMUM_BYTES);

    for (;;) {
        const char *start = strstr(at, REFERENCE);
        const char *end = start == NULL ? NULL : strchr(start, '}');
        json_object *value = NULL;
        if (end == NULL)
            break;
        const char *name = start + strlen(REFERENCE);
        if (!look_up(filling, node, location, name, (size_t)(end - name), &value))
            return NULL;
        /* One reference and nothing else keeps the value's type. */
        if (start == node->text && end[1] == '\0')
            return json_object_get(value);
        buffer_append(&text, at, (size_t)(start - at));
        buffer_append_text(&text, value == NULL ? "" : json_object_get_string(value));
        at = end + 1;
    }
    buffer_append_text(&text, at);
    return text.failed ? NULL : json_object_new_string(text.data);
}

static json_object *fill(struct filling *filling, const struct yaml_node *node,
                         const char *location)
{
    bool ok = true;

    if (filling->budget == 0)
        return NULL;
    filling->budget--;
    if (node->kind == YAML_SCALAR && strstr(node->text, REFERENCE) != NULL)
        return fill_text(filling, node, location);
    if (node->kind == YAML_SCALAR)
        return yaml_to_json(node, &ok);
    json_object *result =
        node->kind == YAML_SEQUENCE ? json_object_new_array() : json_object_new_object();
    for (size_t i = 0; result != NULL && i < node->count; i++) {
        char inner[256];
        if (node->kind == YAML_SEQUENCE)
            snprintf(inner, sizeof inner, "%s[%zu]", location, i);
        else
            snprintf(inner, sizeof inner, "%s.%s", location, node->keys[i]->text);
        json_object *item = fill(filling, node->items[i], inner);
        int failed = node->kind == YAML_SEQUENCE
                         ? json_object_array_add(result, item)
                         : json_object_object_add(result, node->keys[i]->text, item);
        if (failed < 0)
            json_object_put(item);
    }
    return result;
}

json_object *params_fill(struct params *params, const struct yaml_document *document,
                         const struct yaml_node *node, const char *location,
                         struct diagnostics *diagnostics)
{
    struct filling filling = {.params = params,
                              .document = document,
                              .diagnostics = diagnostics,
                              .budget = YAML_MAXIMUM_NODES};
    json_object *result = fill(&filling, node, location);

    if (filling.budget == 0)
        yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "too_large", document, &node->where, location,
                      NULL, "too many values once its aliases are written out");
    return result;
}

void params_check_given(const struct params *params, const struct yaml_document *document,
                        const struct pipeline_options *options, struct diagnostics *diagnostics)
{
    const struct yaml_node *declared = yaml_get(yaml_root(document), "params");

    for (const char *const *given = options->params; given != NULL && *given != NULL; given++) {
        const char *equals = strchr(*given, '=');
        _cleanup_free_ char *name =
            equals == NULL ? NULL : strndup(*given, (size_t)(equals - *given));
        if (name == NULL || yaml_get(declared, name) != NULL ||
            json_object_object_get_ex(params->referenced, name, NULL))
            continue;
        _cleanup_free_ const char **names =
            calloc((declared == NULL ? 0 : declared->count) + 1, sizeof *names);
        size_t count = 0;
        for (size_t i = 0;
             names != NULL && declared != NULL && declared->kind == YAML_MAPPING && i < declared->count;
             i++)
            names[count++] = declared->keys[i]->text;
        _cleanup_free_ char *question =
            names == NULL ? NULL : near_miss_question(name, names, count);
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "unknown_parameter", NULL, NULL, 0, NULL,
                        question, "--param %s: the pipeline has no parameter \"%s\"", name, name);
    }
}
