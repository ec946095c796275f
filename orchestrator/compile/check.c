/* Checks a step's config and connection against the schema of its component; see check.h. */
#include "orchestrator/compile/check.h"

#include <string.h>

#include "orchestrator/compile/connection.h"
#include "orchestrator/oml/connections.h"
#include "orchestrator/oml/pipeline-option.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/plugin/schema.h"

struct problem_context {
    struct config_compiler *compiler;
    json_object *connection; /* fields that are defined in the connections file */
};

/* Whether the spec says that the value at the pointer is secret, because the message may quote it. */
static bool is_spec_secret(const struct component *component, const char *pointer)
{
    _cleanup_free_ char *key = pointer[0] == '\0' ? NULL : strndup(pointer + 1, strcspn(pointer + 1, "/"));

    return key != NULL && compiler_is_secret(component, key);
}

/* A field that is not secret can equal or contain a secret value: both may come from one variable. */
static bool has_secret_value(const struct problem_context *problem, const char *pointer)
{
    json_object *secrets = problem->compiler->compiled->secrets;
    json_object *value = json_member(problem->connection, pointer + 1);
    /* A number can also be a secret. */
    const char *text = value == NULL ? NULL : json_object_get_string(value);

    if (text == NULL)
        return strchr(pointer + 1, '/') != NULL;
    for (size_t i = 0; i < json_array_count(secrets); i++)
        if (strstr(text, json_object_get_string(json_object_array_get_idx(secrets, i))) != NULL)
            return true;
    return false;
}

/* The entry of the component's spec for the option at the start of the pointer, or NULL. */
static const char *description_of(const struct component *component, const char *pointer)
{
    json_object *properties = json_member(json_member(component->spec, "configSchema"), "properties");
    _cleanup_free_ char *key = pointer[0] == '\0' ? NULL : strndup(pointer + 1, strcspn(pointer + 1, "/"));

    return key == NULL ? NULL : json_member_string(json_member(properties, key), "description", NULL);
}

/* A problem of a field that is not the step's own: it is defined in the connections file, or nowhere. */
static void report_field(struct config_compiler *compiler, const char *pointer, const char *hint, const char *message,
                         const char *comma, const char *is)
{
    const struct pipeline_step *step = compiler->step;
    _cleanup_free_ char *field = strndup(pointer + 1, strcspn(pointer + 1, "/"));
    struct source_location where;
    char family[64];

    compiler_family(step->component, family, sizeof family);
    if (compiler->alias != NULL &&
        connections_find_field(compiler->connections, family, compiler->alias, field, &where))
        /* Without the step, so that steps with the same connection report the problem once. */
        diagnostics_add(compiler->diagnostics, DIAGNOSTIC_ERROR, "invalid_connection", &where, NULL, 0, NULL, hint,
                        "the connection \"@%s.%s\": \"%s\" %s%s%s", family, compiler->alias, pointer + 1, message,
                        comma, is);
    else
        compiler_error(compiler, "invalid_connection", &step->connection_where, hint, "the connection's \"%s\" %s%s%s",
                       pointer + 1, message, comma, is);
}

static void on_problem(void *context, const char *pointer, const char *message, const char *is)
{
    const struct problem_context *problem = context;
    struct config_compiler *compiler = problem->compiler;
    const struct pipeline_step *step = compiler->step;
    struct source_location where = step->config_where;

    if (is_spec_secret(step->component, pointer)) {
        message = "is not valid for the component; its value is secret and not shown";
        is = NULL;
    }
    bool from_config = pointer[0] == '\0' || pipeline_has_option(step, pointer);
    if (!from_config && has_secret_value(problem, pointer))
        is = NULL;
    const char *hint = description_of(step->component, pointer);
    const char *comma = is == NULL ? "" : ", is ";
    is = is == NULL ? "" : is;
    if (pointer[0] == '\0') {
        compiler_error(compiler, "invalid_config", &where, NULL, "the config of \"%s\" %s%s%s",
                       compiler_step_name(step), message, comma, is);
    } else if (from_config) {
        where = pipeline_config_location(step, pointer);
        compiler_error(compiler, "invalid_config_value", &where, hint, "\"%s\" %s%s%s", pointer + 1, message, comma,
                       is);
    } else {
        report_field(compiler, pointer, hint, message, comma, is);
    }
}

/* The schema applies to the config and the connection's fields together. */
static json_object *merged(json_object *config, json_object *fields)
{
    json_object *all = json_object_new_object();

    if (fields != NULL) {
        json_object_object_foreach(fields, key, value)
        {
            json_add(all, key, json_object_get(value));
        }
    }
    json_object_object_foreach(config, name, given)
    {
        json_add(all, name, json_object_get(given));
    }
    return all;
}

/* Connections may have fields that this component does not know; only its own are checked. */
static json_object *known_fields(json_object *schema, json_object *fields)
{
    json_object *properties = json_member(schema, "properties");
    json_object *known = json_object_new_object();

    if (fields != NULL) {
        json_object_object_foreach(fields, key, value)
        {
            if (json_object_object_get_ex(properties, key, NULL))
                json_add(known, key, json_object_get(value));
        }
    }
    return known;
}

/* Options of a step that cannot be judged, because something is wrong with them or with the connection that
 * they come from, which has already been reported. */
struct unknowns {
    const struct component *component;
    json_object *faulty;
    bool connection; /* the connection's fields */
    bool any;        /* any option may be meant, because there is an unknown key */
};

/* `fields` is NULL if the component has a connection that could not be resolved. */
static struct unknowns find_unknowns(const struct pipeline_step *step, json_object *fields)
{
    json_object *properties = json_member(json_member(step->component->spec, "configSchema"), "properties");
    struct unknowns unknowns = {
        .component = step->component,
        .faulty = step->faulty,
        .connection = fields == NULL && compiler_connection_fields(step->component) != NULL,
        .any = step->config_is_partial,
    };

    if (step->faulty == NULL)
        return unknowns;
    json_object_object_foreach(step->faulty, key, unused)
    {
        (void)unused;
        unknowns.any |= strcmp(key, "connection") != 0 && json_member(properties, key) == NULL;
    }
    return unknowns;
}

static bool is_unknown(const struct unknowns *unknowns, const char *option)
{
    return json_object_object_get_ex(unknowns->faulty, option, NULL) ||
           (unknowns->connection && component_has_connection_field(unknowns->component, option));
}

/* Whether a rule (a part of a schema) refers to no unknown option. The height of trees is bounded. */
static bool can_be_judged(const struct unknowns *unknowns, json_object *rule)
{
    if (unknowns->any)
        return false;
    if (json_object_is_type(rule, json_type_string))
        return !is_unknown(unknowns, json_object_get_string(rule));
    for (size_t i = 0; i < json_array_count(rule); i++)
        if (!can_be_judged(unknowns, json_object_array_get_idx(rule, i)))
            return false;
    if (!json_object_is_type(rule, json_type_object))
        return true;
    json_object_object_foreach(rule, key, inner)
    {
        if (is_unknown(unknowns, key) || !can_be_judged(unknowns, inner))
            return false;
    }
    return true;
}

static bool condition_holds(json_object *when, json_object *config)
{
    if (!json_object_is_type(when, json_type_object))
        return true;
    json_object_object_foreach(when, key, expected)
    {
        json_object *value = NULL;
        json_object_object_get_ex(config, key, &value);
        if (!json_object_equal(value, expected))
            return false;
    }
    return true;
}

static bool requirement_is_met(json_object *must, json_object *config)
{
    if (!json_object_is_type(must, json_type_object))
        return true;
    json_object_object_foreach(must, key, schema)
    {
        json_object *value = NULL;
        if (!json_object_object_get_ex(config, key, &value) || schema_check(schema, value, NULL, NULL) > 0)
            return false;
    }
    return true;
}

static void check_constraints(struct config_compiler *compiler, const struct unknowns *unknowns, json_object *config)
{
    const struct pipeline_step *step = compiler->step;
    json_object *constraints = json_member(json_member(step->component->spec, "constraints"), "required");

    for (size_t i = 0; i < json_array_count(constraints); i++) {
        json_object *constraint = json_object_array_get_idx(constraints, i);
        if (!can_be_judged(unknowns, constraint))
            continue;
        if (condition_holds(json_member(constraint, "when"), config) &&
            !requirement_is_met(json_member(constraint, "must"), config))
            compiler_error(compiler, "invalid_config", &step->config_where, NULL, "%s",
                           json_member_string(constraint, "error", "a requirement is not met"));
    }
}

/* Required options whose absence was not found when the step was read. */
static json_object *still_required(const struct unknowns *unknowns, json_object *required)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < json_array_count(required); i++) {
        json_object *name = json_object_array_get_idx(required, i);
        if (component_has_connection_field(unknowns->component, json_object_get_string(name)) &&
            can_be_judged(unknowns, name))
            json_append(list, json_object_get(name));
    }
    return list;
}

/* The schema without what only a run needs, if this is not one, and without rules about unknown options. */
static json_object *judged(const struct config_compiler *compiler, const struct unknowns *unknowns, json_object *schema)
{
    static const char *const always[] = {"type", "properties", "additionalProperties"};
    json_object *copy = json_object_new_object();

    if (schema == NULL)
        return copy;
    json_object_object_foreach(schema, key, value)
    {
        bool is_alternative = strcmp(key, "oneOf") == 0 || strcmp(key, "anyOf") == 0;
        bool keep = !(is_alternative && compiler->connection_only) && can_be_judged(unknowns, value);
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
            keep |= strcmp(key, always[i]) == 0;
        if (strcmp(key, "required") == 0)
            json_add(copy, key, still_required(unknowns, value));
        else if (keep)
            json_add(copy, key, json_object_get(value));
    }
    return copy;
}

void compiler_check_config(struct config_compiler *compiler, json_object *config, json_object *fields)
{
    const struct pipeline_step *step = compiler->step;
    json_object *spec = json_member(step->component->spec, "configSchema");
    const struct unknowns unknowns = find_unknowns(step, fields);
    _cleanup_json_ json_object *schema = judged(compiler, &unknowns, spec);
    _cleanup_json_ json_object *known = known_fields(spec, fields);
    _cleanup_json_ json_object *all = merged(config, known);
    struct problem_context context = {.compiler = compiler, .connection = fields};

    schema_check(schema, all, on_problem, &context);
    if (!compiler->connection_only)
        check_constraints(compiler, &unknowns, all);
}
