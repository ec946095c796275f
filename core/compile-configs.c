/* Configs and connections of a pipeline's steps: resolved, defaults filled in, checked; see compile.h. */
#include <stdio.h>
#include <string.h>

#include "core/compile-configs.h"
#include "core/connections.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/near-miss.h"
#include "core/redact.h"
#include "core/schema.h"

#define step_error(compiler, type, where, hint, ...)                                               \
    pipeline_diagnose((compiler)->diagnostics, DIAGNOSTIC_ERROR, (type), (compiler)->pipeline,     \
                      (where), (compiler)->location, (hint), __VA_ARGS__)

static json_object *connection_fields(const struct component *component)
{
    return json_member(component->spec, "x-connection-fields");
}

/* What the spec's lists of JSON pointers say of a top-level field. */
static bool spec_says_secret(const struct component *component, const char *field)
{
    static const char *const lists[] = {"secrets", "x-secret"};

    for (size_t i = 0; i < 2; i++) {
        json_object *list = json_member(component->spec, lists[i]);
        for (size_t j = 0; j < json_array_count(list); j++) {
            const char *pointer = json_object_get_string(json_object_array_get_idx(list, j));
            if (pointer != NULL && pointer[0] == '/' && strcmp(pointer + 1, field) == 0)
                return true;
        }
    }
    return false;
}

/* Connections. */

static struct connections *load_connections(struct config_compiler *compiler)
{
    if (compiler->connections == NULL && !compiler->connections_failed) {
        compiler->connections =
            connections_load(compiler->osiris_home, compiler->diagnostics);
        compiler->connections_failed = compiler->connections == NULL;
    }
    return compiler->connections;
}

/* "@mysql.shop" → family "mysql" (in `family`), alias "shop" or NULL */
static const char *split_reference(const char *reference, char *family, size_t size)
{
    size_t length = strcspn(reference + 1, ".");

    snprintf(family, size, "%.*s", (int)length, reference + 1);
    return reference[1 + length] == '.' ? reference + length + 2 : NULL;
}

static void component_family(const struct component *component, char *family, size_t size)
{
    snprintf(family, size, "%.*s", (int)strcspn(component->name, "."), component->name);
}

/* Whether the component can do without a connection: none of its fields is required. */
static bool connection_is_optional(const struct component *component)
{
    json_object *required = json_member(json_member(component->spec, "configSchema"), "required");

    for (size_t i = 0; i < json_array_count(required); i++)
        if (component_has_connection_field(
                component, json_object_get_string(json_object_array_get_idx(required, i))))
            return false;
    return true;
}

static bool has_connection_field(const struct component *component, json_object *options)
{
    if (options == NULL)
        return false;
    json_object_object_foreach(options, key, unused)
    {
        (void)unused;
        if (component_has_connection_field(component, key))
            return true;
    }
    return false;
}

/* Whether the step's config itself has fields of the connection. */
static bool has_inline_fields(const struct pipeline_step *step)
{
    return has_connection_field(step->component, step->config) ||
           has_connection_field(step->component, step->faulty);
}

static void note_alias(struct config_compiler *compiler, const char *family, const char *alias)
{
    json_object *entry = json_object_new_object();

    json_add_string(entry, "family", family);
    json_add_string(entry, "alias", alias);
    json_add(compiler->compiled->aliases, compiler->step->id, entry);
}

/* Whether components are of one family. */
static bool are_related(const struct component *a, const struct component *b)
{
    size_t length = strcspn(a->name, ".");

    return strncmp(a->name, b->name, length) == 0 && b->name[length] == '.';
}

/* The types of one of the component's fields: "string", a list of names, or NULL. */
static json_object *field_type(const struct component *component, const char *field)
{
    json_object *properties =
        json_member(json_member(component->spec, "configSchema"), "properties");

    return json_member(json_member(properties, field), "type");
}

/* Of all components of the family: they share their connections. */
static enum connection_field find_field(void *context, const char *field)
{
    const struct config_compiler *compiler = context;
    const struct component *own = compiler->step->component;
    json_object *type = field_type(own, field);
    bool known = strcmp(field, "default") == 0 || component_has_connection_field(own, field);

    for (size_t i = 0; !known && i < registry_count(compiler->pipeline->registry); i++) {
        const struct component *other = registry_get(compiler->pipeline->registry, i);
        known = are_related(own, other) && component_has_connection_field(other, field);
    }
    if (!known)
        return CONNECTION_FIELD_UNKNOWN;
    if (!json_object_is_type(type, json_type_string))
        return CONNECTION_FIELD_KNOWN;
    return strcmp(json_object_get_string(type), "string") == 0 ? CONNECTION_FIELD_TEXT
                                                               : CONNECTION_FIELD_OTHER;
}

static char *question_of_field(void *context, const char *field)
{
    const struct config_compiler *compiler = context;
    json_object *fields = connection_fields(compiler->step->component);
    size_t count = json_array_count(fields);
    _cleanup_free_ const char **names = calloc(count + 1, sizeof *names);

    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = json_member_string(json_object_array_get_idx(fields, i), "name", "");
    return names == NULL ? NULL : near_miss_question(field, names, count);
}

static bool field_is_secret(void *context, const char *field)
{
    const struct config_compiler *compiler = context;

    return spec_says_secret(compiler->step->component, field);
}

/* The connection's fields, or NULL with the problem reported. */
static json_object *resolve_connection(struct config_compiler *compiler)
{
    const struct pipeline_step *step = compiler->step;
    char own[64], family[64];
    const char *alias = NULL, *chosen = NULL;
    json_object *fields = NULL;
    struct connections *connections = load_connections(compiler);

    component_family(step->component, own, sizeof own);
    snprintf(family, sizeof family, "%s", own);
    if (step->connection != NULL)
        alias = split_reference(step->connection, family, sizeof family);
    if (strcmp(family, own) != 0) {
        step_error(compiler, "invalid_connection_ref", &step->connection_where,
                   "take a connection of its family, or another component",
                   "\"%s\" needs a connection of the family \"%s\", \"%s\" is another",
                   step->component_name, own, step->connection);
        return NULL;
    }
    if (connections == NULL)
        return NULL;
    /* A step that brings its own host and so on needs no connection. */
    if (step->connection == NULL &&
        (has_inline_fields(step) || connection_is_optional(step->component)) &&
        !connections_have_default(connections, family))
        return json_object_new_object();
    const struct connection_request request = {
        .family = family,
        .alias = alias,
        .where = &step->connection_where,
        .source = compiler->pipeline->source,
        .source_length = compiler->pipeline->source_length,
        .location = compiler->location,
        .is_secret = field_is_secret,
        .field = find_field,
        .question = question_of_field,
        .context = compiler,
    };
    (void)connections_resolve(connections, &request, &fields, &chosen, compiler->compiled->secrets,
                              compiler->diagnostics);
    if (fields != NULL) {
        note_alias(compiler, family, chosen);
        compiler->alias = chosen;
    }
    return fields;
}

/* Moves the step's overrides out of its config into the connection's fields. */
static void take_overrides(const struct pipeline_step *step, json_object *config,
                           json_object *fields)
{
    json_object *list = connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name =
            json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        json_object *value = NULL;
        if (name != NULL && json_object_object_get_ex(config, name, &value))
            json_add(fields, name, json_object_get(value));
    }
}

/* Schemas. */

struct problem_context {
    struct config_compiler *compiler;
    json_object *connection; /* fields whose problems lie in the connections file */
};

/* Whether the spec says that what the pointer shows is secret: the message may quote it. */
static bool is_spec_secret(const struct component *component, const char *pointer)
{
    _cleanup_free_ char *key =
        pointer[0] == '\0' ? NULL : strndup(pointer + 1, strcspn(pointer + 1, "/"));

    return key != NULL && spec_says_secret(component, key);
}

/* A field that is no secret can have the value of one that is: both may come from one variable. */
static bool has_secret_value(const struct problem_context *problem, const char *pointer)
{
    const struct component *component = problem->compiler->step->component;
    const char *text = json_member_string(problem->connection, pointer + 1, NULL);

    if (text == NULL || problem->connection == NULL)
        return text == NULL && strchr(pointer + 1, '/') != NULL;
    json_object_object_foreach(problem->connection, key, value)
    {
        if (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0 &&
            (redact_key_is_secret(key) || spec_says_secret(component, key)) &&
            strstr(text, json_object_get_string(value)) != NULL)
            return true;
    }
    return false;
}

/* How texts name a step, which may have no id. */
static const char *step_name(const struct pipeline_step *step)
{
    return step->id == NULL ? step->component_name : step->id;
}

void compiler_report(struct config_compiler *compiler, const char *option, const char *hint,
                     const char *message)
{
    const struct pipeline_step *step = compiler->step;
    struct source_location where =
        option == NULL ? step->config_where : pipeline_option_location(step, option);
    const char *type = option == NULL                      ? "invalid_config"
                       : pipeline_has_option(step, option) ? "invalid_config_value"
                       : component_has_connection_field(step->component, option)
                           ? "invalid_connection"
                           : "invalid_config";

    step_error(compiler, type, &where, hint, "%s", message);
}

/* What the component's spec says of the option that the pointer begins with, or NULL. */
static const char *description_of(const struct component *component, const char *pointer)
{
    json_object *properties =
        json_member(json_member(component->spec, "configSchema"), "properties");
    _cleanup_free_ char *key =
        pointer[0] == '\0' ? NULL : strndup(pointer + 1, strcspn(pointer + 1, "/"));

    return key == NULL ? NULL
                       : json_member_string(json_member(properties, key), "description", NULL);
}

/* Of a field that is not the step's own: it stands in the connections file, or nowhere. */
static void report_field(struct config_compiler *compiler, const char *pointer, const char *hint, const char *message,
                         const char *comma, const char *is)
{
    const struct pipeline_step *step = compiler->step;
    _cleanup_free_ char *field = strndup(pointer + 1, strcspn(pointer + 1, "/"));
    struct source_location where;
    char family[64];

    component_family(step->component, family, sizeof family);
    if (compiler->alias != NULL && field != NULL &&
        connections_find_field(compiler->connections, family, compiler->alias, field, &where))
        /* Without the step: another one with the same connection has the same problem, once. */
        diagnostics_add(compiler->diagnostics, DIAGNOSTIC_ERROR, "invalid_connection", &where, NULL, 0, NULL, hint,
                        "the connection \"@%s.%s\": \"%s\" %s%s%s", family, compiler->alias, pointer + 1, message,
                        comma, is);
    else
        step_error(compiler, "invalid_connection", &step->connection_where, hint, "the connection's \"%s\" %s%s%s",
                   pointer + 1, message, comma, is);
}

static void on_problem(void *context, const char *pointer, const char *message, const char *is)
{
    const struct problem_context *problem = context;
    struct config_compiler *compiler = problem->compiler;
    const struct pipeline_step *step = compiler->step;
    struct source_location where = step->config_where;

    if (is_spec_secret(step->component, pointer)) {
        message = "is not what the component takes; its value is secret and not shown";
        is = NULL;
    }
    bool from_config = pointer[0] == '\0' || pipeline_has_option(step, pointer);
    if (!from_config && has_secret_value(problem, pointer))
        is = NULL;
    const char *hint = description_of(step->component, pointer);
    const char *comma = is == NULL ? "" : ", is ";
    is = is == NULL ? "" : is;
    if (pointer[0] == '\0') {
        step_error(compiler, "invalid_config", &where, NULL, "the config of \"%s\" %s%s%s",
                   step_name(step), message, comma, is);
    } else if (from_config) {
        where = pipeline_config_location(step, pointer);
        step_error(compiler, "invalid_config_value", &where, hint, "\"%s\" %s%s%s", pointer + 1,
                   message, comma, is);
    } else {
        report_field(compiler, pointer, hint, message, comma, is);
    }
}

/* The config and the connection's fields together are what the schema speaks of. */
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

/* Connections may have fields that this component does not know: only its own are checked. */
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

/* Options of a step of which nothing can be said, because something is wrong with them or with the connection that
 * they come from: that is reported already. */
struct unknowns {
    const struct component *component;
    json_object *faulty;
    bool connection; /* the connection's fields */
    bool any;        /* it may be every option: one is there whose name is none */
};

/* `fields` is NULL if the component has a connection that could not be resolved. */
static struct unknowns find_unknowns(const struct pipeline_step *step, json_object *fields)
{
    json_object *properties =
        json_member(json_member(step->component->spec, "configSchema"), "properties");
    struct unknowns unknowns = {
        .component = step->component,
        .faulty = step->faulty,
        .connection = fields == NULL && connection_fields(step->component) != NULL,
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

/* Whether a rule (a part of a schema) speaks of no unknown option. Trees are of a bounded height. */
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
        if (!json_object_object_get_ex(config, key, &value) ||
            schema_check(schema, value, NULL, NULL) > 0)
            return false;
    }
    return true;
}

static void check_constraints(struct config_compiler *compiler, const struct unknowns *unknowns,
                              json_object *config)
{
    const struct pipeline_step *step = compiler->step;
    json_object *constraints =
        json_member(json_member(step->component->spec, "constraints"), "required");

    for (size_t i = 0; i < json_array_count(constraints); i++) {
        json_object *constraint = json_object_array_get_idx(constraints, i);
        if (!can_be_judged(unknowns, constraint))
            continue;
        if (condition_holds(json_member(constraint, "when"), config) &&
            !requirement_is_met(json_member(constraint, "must"), config))
            step_error(compiler, "invalid_config", &step->config_where, NULL, "%s",
                       json_member_string(constraint, "error", "a requirement is not met"));
    }
}

/* Those options that the step has to have and whose lack was not found when it was read. */
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

/* Less what only a run needs, if it is not one, and less what would be said of options that are not known. */
static json_object *judged(const struct config_compiler *compiler, const struct unknowns *unknowns,
                           json_object *schema)
{
    static const char *const always[] = {"type", "properties", "additionalProperties"};
    json_object *copy = json_object_new_object();

    if (schema == NULL)
        return copy;
    json_object_object_foreach(schema, key, value)
    {
        bool is_alternative = strcmp(key, "oneOf") == 0 || strcmp(key, "anyOf") == 0;
        bool keep =
            !(is_alternative && compiler->connection_only) && can_be_judged(unknowns, value);
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
            keep |= strcmp(key, always[i]) == 0;
        if (strcmp(key, "required") == 0)
            json_add(copy, key, still_required(unknowns, value));
        else if (keep)
            json_add(copy, key, json_object_get(value));
    }
    return copy;
}

static void check_config(struct config_compiler *compiler, json_object *config,
                         json_object *fields)
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

/* Keys that are the connection's are not repeated in the config: their defaults stay out, too. */
static void drop_connection_defaults(const struct pipeline_step *step, json_object *config)
{
    json_object *list = connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name =
            json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        if (name != NULL && !json_object_object_get_ex(step->config, name, NULL))
            json_object_object_del(config, name);
    }
}

/* Fields that the connection lacks and the schema knows a default of. */
static void fill_connection_defaults(const struct pipeline_step *step, json_object *fields)
{
    json_object *properties =
        json_member(json_member(step->component->spec, "configSchema"), "properties");
    json_object *list = connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name =
            json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        json_object *fallback =
            name == NULL ? NULL : json_member(json_member(properties, name), "default");
        if (fallback != NULL && !json_object_object_get_ex(fields, name, NULL))
            json_add(fields, name, json_object_get(fallback));
    }
}

/* Levels of collections. */
static unsigned height_of(json_object *value)
{
    unsigned highest = 0;

    for (size_t i = 0; i < json_array_count(value); i++) {
        unsigned height = height_of(json_object_array_get_idx(value, i));
        highest = height > highest ? height : highest;
    }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            unsigned height = height_of(member);
            highest = height > highest ? height : highest;
        }
    }
    return highest + (json_object_is_type(value, json_type_object) ||
                      json_object_is_type(value, json_type_array));
}

/* The worker gets both in a message, whose depth is bounded. */
static void check_height(struct config_compiler *compiler, json_object *config, json_object *fields)
{
    const struct pipeline_step *step = compiler->step;

    if (height_of(config) > COMPILE_MAXIMUM_HEIGHT)
        step_error(compiler, "too_deep", &step->config_where, NULL,
                   "the config of \"%s\" is nested too deeply; %d levels are allowed",
                   step_name(step), COMPILE_MAXIMUM_HEIGHT);
    if (height_of(fields) > COMPILE_MAXIMUM_HEIGHT)
        step_error(compiler, "too_deep", &step->connection_where, NULL,
                   "the connection of \"%s\" is nested too deeply; %d levels are allowed",
                   step_name(step), COMPILE_MAXIMUM_HEIGHT);
}

static void compile_step(struct config_compiler *compiler)
{
    const struct pipeline_step *step = compiler->step;
    size_t errors = compiler->diagnostics->errors;
    json_object *schema = json_member(step->component->spec, "configSchema");
    json_object *fields = NULL;
    json_object *config = NULL;

    if (json_object_deep_copy(step->config, &config, NULL) < 0) {
        step_error(compiler, "out_of_memory", &step->where, NULL, "out of memory");
        return;
    }
    if (connection_fields(step->component) != NULL) {
        if (!json_object_object_get_ex(step->faulty, "connection", NULL))
            fields = resolve_connection(compiler);
        if (fields != NULL)
            take_overrides(step, config, fields);
    } else if (step->connection != NULL) {
        step_error(compiler, "invalid_connection_ref", &step->connection_where, "leave it out",
                   "\"%s\" takes no connection", step->component_name);
    }
    (void)schema_fill_defaults(schema, config, NULL);
    drop_connection_defaults(step, config);
    check_height(compiler, config, fields);
    if (!compiler->pipeline->has_secret_params)
        check_config(compiler, config, fields);
    if (step->id == NULL) {
        json_object_put(fields);
        json_object_put(config);
        return;
    }
    if (fields != NULL) {
        fill_connection_defaults(step, fields);
        json_add(compiler->compiled->connections, step->id, fields);
    }
    bool is_whole = !step->config_is_wrong && !step->config_is_partial &&
                    (fields != NULL || connection_fields(step->component) == NULL);
    if (is_whole && compiler->diagnostics->errors == errors)
        compiler_add_question(compiler, config, fields);
    if (step->connection != NULL)
        json_add_string(config, "connection", step->connection);
    json_add(compiler->compiled->configs, step->id, config);
}

void compiler_choose_step(struct config_compiler *compiler, size_t index)
{
    compiler->step = &compiler->pipeline->steps[index];
    compiler->alias = NULL;
    snprintf(compiler->location, sizeof compiler->location, "steps[%zu].config", index);
}

void compile_configs(const struct compile_options *options, struct compiled *compiled,
                     struct diagnostics *diagnostics)
{
    struct config_compiler compiler = {
        .pipeline = options->pipeline,
        .compiled = compiled,
        .diagnostics = diagnostics,
        .osiris_home = options->osiris_home,
        .connection_only = options->verb != NULL && strcmp(options->verb, "plan") != 0,
    };

    for (size_t i = 0; i < options->pipeline->step_count; i++) {
        compiler_choose_step(&compiler, i);
        /* Without a component nothing is known of the config. */
        if (compiler.step->component != NULL && compiler.step->config != NULL)
            compile_step(&compiler);
    }
    compiler_check_outputs(&compiler);
    connections_free(compiler.connections);
    if (compiler.questions != NULL && options->worker_path != NULL)
        compiler_ask_drivers(&compiler, options->worker_path);
    json_object_put(compiler.questions);
}
