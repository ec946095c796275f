/* The connection of a pipeline's step; see connection.h. */
#include "orchestrator/compile/connection.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/oml/connections.h"
#include "orchestrator/oml/pipeline-option.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/base/near-miss.h"

#define MAX_CONNECTIONS "max_connections" /* a field of every family, which the schedule respects */

json_object *compiler_connection_fields(const struct component *component)
{
    return json_member(component->spec, "x-connection-fields");
}

bool compiler_is_secret(const struct component *component, const char *field)
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

void compiler_family(const struct component *component, char *family, size_t size)
{
    snprintf(family, size, "%.*s", (int)strcspn(component->name, "."), component->name);
}

/* Connections. */

static struct connections *load_connections(struct config_compiler *compiler)
{
    if (compiler->connections == NULL && !compiler->connections_failed) {
        compiler->connections = connections_load(compiler->osiris_home, compiler->diagnostics);
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

/* Whether the component works without a connection: none of its fields is required. */
static bool connection_is_optional(const struct component *component)
{
    json_object *required = json_member(json_member(component->spec, "configSchema"), "required");

    for (size_t i = 0; i < json_array_count(required); i++)
        if (component_has_connection_field(component, json_object_get_string(json_object_array_get_idx(required, i))))
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

/* Whether the step's config contains fields of the connection. */
static bool has_inline_fields(const struct pipeline_step *step)
{
    return has_connection_field(step->component, step->config) || has_connection_field(step->component, step->faulty);
}

/* Removes the field that is for osiris itself, unless the component has a field of that name. 0: there is none, -1: it is invalid
 * (reported). */
static int64_t take_max_connections(struct config_compiler *compiler, const char *family, const char *alias, json_object *fields)
{
    json_object *value = NULL;
    struct source_location where = compiler->step->connection_where;

    if (!json_object_object_get_ex(fields, MAX_CONNECTIONS, &value))
        return 0;
    int64_t count = json_is_integer(value) ? json_object_get_int64(value) : 0;
    if (!component_has_connection_field(compiler->step->component, MAX_CONNECTIONS))
        json_object_object_del(fields, MAX_CONNECTIONS);
    if (count >= 1 && count <= COMPILE_MAXIMUM_CONNECTIONS)
        return count;
    (void)connections_find_field(compiler->connections, family, alias, MAX_CONNECTIONS, &where);
    diagnostics_add(compiler->diagnostics, DIAGNOSTIC_ERROR, "invalid_connection", &where, NULL, 0, NULL, NULL,
                    "max_connections of \"@%s.%s\" must be a whole number from 1 to %d", family, alias,
                    COMPILE_MAXIMUM_CONNECTIONS);
    return -1;
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
    json_object *properties = json_member(json_member(component->spec, "configSchema"), "properties");

    return json_member(json_member(properties, field), "type");
}

/* For all components of the family, because they share their connections. */
static enum connection_field find_field(void *context, const char *field)
{
    const struct config_compiler *compiler = context;
    const struct component *own = compiler->step->component;
    json_object *type = field_type(own, field);
    bool known = strcmp(field, "default") == 0 || component_has_connection_field(own, field);

    if (strcmp(field, MAX_CONNECTIONS) == 0 && !known)
        return CONNECTION_FIELD_OTHER;

    for (size_t i = 0; !known && i < registry_count(compiler->pipeline->registry); i++) {
        const struct component *other = registry_get(compiler->pipeline->registry, i);
        known = are_related(own, other) && component_has_connection_field(other, field);
    }
    if (!known)
        return CONNECTION_FIELD_UNKNOWN;
    if (!json_object_is_type(type, json_type_string))
        return CONNECTION_FIELD_KNOWN;
    return strcmp(json_object_get_string(type), "string") == 0 ? CONNECTION_FIELD_TEXT : CONNECTION_FIELD_OTHER;
}

static char *question_of_field(void *context, const char *field)
{
    const struct config_compiler *compiler = context;
    json_object *fields = compiler_connection_fields(compiler->step->component);
    size_t count = json_array_count(fields);
    _cleanup_free_ const char **names = calloc(count + 1, sizeof *names);

    for (size_t i = 0; i < count; i++)
        names[i] = json_member_string(json_object_array_get_idx(fields, i), "name", "");
    return near_miss_question(field, names, count);
}

static bool field_is_secret(void *context, const char *field)
{
    const struct config_compiler *compiler = context;

    return compiler_is_secret(compiler->step->component, field);
}

json_object *compiler_resolve_connection(struct config_compiler *compiler)
{
    const struct pipeline_step *step = compiler->step;
    char own[64], family[64];
    const char *alias = NULL, *chosen = NULL;
    json_object *fields = NULL;
    struct connections *connections = load_connections(compiler);

    compiler_family(step->component, own, sizeof own);
    snprintf(family, sizeof family, "%s", own);
    if (step->connection != NULL)
        alias = split_reference(step->connection, family, sizeof family);
    if (strcmp(family, own) != 0) {
        compiler_error(compiler, "invalid_connection_ref", &step->connection_where,
                       "use a connection of its family, or another component",
                       "\"%s\" needs a connection of the family \"%s\", and \"%s\" is not one", step->component_name, own,
                       step->connection);
        return NULL;
    }
    if (connections == NULL)
        return NULL;
    /* A step with its own host and so on needs no connection. */
    if (step->connection == NULL && (has_inline_fields(step) || connection_is_optional(step->component)) &&
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
        compiler->alias = chosen;
        compiler->max_connections = take_max_connections(compiler, family, chosen, fields);
    }
    return fields;
}

void compiler_take_overrides(const struct pipeline_step *step, json_object *config, json_object *fields)
{
    json_object *list = compiler_connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name = json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        json_object *value = NULL;
        if (name != NULL && json_object_object_get_ex(config, name, &value))
            json_add(fields, name, json_object_get(value));
    }
}

void compiler_drop_connection_defaults(const struct pipeline_step *step, json_object *config)
{
    json_object *list = compiler_connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name = json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        if (name != NULL && !json_object_object_get_ex(step->config, name, NULL))
            json_object_object_del(config, name);
    }
}

void compiler_fill_connection_defaults(const struct pipeline_step *step, json_object *fields)
{
    json_object *properties = json_member(json_member(step->component->spec, "configSchema"), "properties");
    json_object *list = compiler_connection_fields(step->component);

    for (size_t i = 0; i < json_array_count(list); i++) {
        const char *name = json_member_string(json_object_array_get_idx(list, i), "name", NULL);
        json_object *fallback = name == NULL ? NULL : json_member(json_member(properties, name), "default");
        if (fallback != NULL && !json_object_object_get_ex(fields, name, NULL))
            json_add(fields, name, json_object_get(fallback));
    }
}
