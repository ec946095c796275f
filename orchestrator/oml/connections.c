/* osiris_connections.yaml; see connections.h. */
#include "orchestrator/oml/connections.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "core/base/redact.h"
#include "orchestrator/oml/variables.h"
#include "orchestrator/oml/yaml.h"

#define FILE_NAME "osiris_connections.yaml"

struct connections {
    char *path;                     /* NULL: there is no file */
    struct yaml_document *document; /* NULL: there is no file */
    struct variables *variables;    /* NULL: there is no file */
};

/* Finding the file. */

static char *path_in(const char *folder)
{
    char *path = memory_format("%s%s" FILE_NAME, folder, folder[0] == '\0' ? "" : "/");

    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static char *find_file(const char *osiris_home)
{
    char *path = osiris_home == NULL ? NULL : path_in(osiris_home);

    if (path == NULL)
        path = path_in("");
    if (path == NULL)
        path = path_in("..");
    return path;
}

/* Any line of the connections file may contain a secret, so none is shown. */
static void hide_lines(const struct connections *connections, struct diagnostics *diagnostics)
{
    if (connections->path != NULL)
        diagnostics_hide_lines(diagnostics, connections->path, 0, UINT_MAX);
}

/* Whether it is a mapping, like everything down to a connection's fields. An empty value has no entries. */
static bool check_mapping(const struct connections *connections, const struct yaml_node *node, bool may_be_empty,
                          struct diagnostics *diagnostics, const char *format, const char *a, const char *b)
{
    if (node->kind == YAML_MAPPING)
        return true;
    if (may_be_empty && yaml_is_null(node))
        return false;
    _Pragma("GCC diagnostic push")
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "invalid_type", connections->document, &node->where, NULL,
                  "write connections: {FAMILY: {ALIAS: {FIELD: VALUE}}}", format, a, b);
    _Pragma("GCC diagnostic pop")
    return false;
}

static void check_structure(const struct connections *connections, struct diagnostics *diagnostics)
{
    const struct yaml_node *root = yaml_root(connections->document);
    const struct yaml_node *families = yaml_get(root, "connections");

    if (!check_mapping(connections, root, false, diagnostics, "the file must be a mapping%s%s", "", ""))
        return;
    if (families == NULL) {
        yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "missing_required_key", connections->document, &root->where, NULL,
                      "write connections: {FAMILY: {ALIAS: {FIELD: VALUE}}}", "the key \"connections\" is missing");
        return;
    }
    if (!check_mapping(connections, families, true, diagnostics, "\"connections\" must be a mapping%s%s", "", ""))
        return;
    for (size_t i = 0; i < families->count; i++) {
        const struct yaml_node *family = families->items[i];
        const char *name = families->keys[i]->text;
        if (!check_mapping(connections, family, true, diagnostics, "the family \"%s\" must be a mapping%s", name, ""))
            continue;
        for (size_t j = 0; j < family->count; j++)
            (void)check_mapping(connections, family->items[j], false, diagnostics,
                                "the connection \"@%s.%s\" must be a mapping", name, family->keys[j]->text);
    }
}

struct connections *connections_load(const char *osiris_home, struct diagnostics *diagnostics)
{
    struct connections *connections = calloc(1, sizeof *connections);

    connections->path = find_file(osiris_home);
    if (connections->path == NULL)
        return connections;
    size_t errors = diagnostics->errors;
    connections->document = yaml_load(connections->path, diagnostics);
    if (connections->document != NULL)
        check_structure(connections, diagnostics);
    /* A duplicate key is an error, although there is a document. */
    if (connections->document == NULL || diagnostics->errors != errors) {
        hide_lines(connections, diagnostics);
        connections_free(connections);
        return NULL;
    }
    connections->variables = variables_load(connections->path);
    return connections;
}

void connections_free(struct connections *connections)
{
    if (connections == NULL)
        return;
    yaml_free(connections->document);
    variables_free(connections->variables);
    free(connections->path);
    free(connections);
}

const char *connections_path(const struct connections *connections)
{
    return connections->path;
}

/* Choosing. */

static const struct yaml_node *family_node(const struct connections *connections,
                                           const char *family)
{
    if (connections->document == NULL)
        return NULL;
    return yaml_get(yaml_get(yaml_root(connections->document), "connections"), family);
}

static bool is_true(const struct yaml_node *node)
{
    if (node == NULL)
        return false;
    _cleanup_json_ json_object *value = yaml_to_json(node);
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* A family has one default. 0, or -1 with the problems reported. */
static int check_defaults(const struct connections *connections, const char *name,
                          const struct yaml_node *family, struct diagnostics *diagnostics)
{
    const struct yaml_node *first = NULL;
    size_t errors = diagnostics->errors;

    for (size_t i = 0; i < family->count; i++) {
        const struct yaml_node *value = yaml_get(family->items[i], "default");
        if (value == NULL || yaml_is_null(value))
            continue;
        _cleanup_json_ json_object *typed = yaml_to_json(value);
        const struct yaml_node *key = yaml_get_key(family->items[i], "default");
        if (!json_object_is_type(typed, json_type_boolean))
            yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "invalid_type", connections->document,
                          &value->where, NULL, "write default: true",
                          "the \"default\" of \"@%s.%s\" must be true or false", name,
                          family->keys[i]->text);
        else if (json_object_get_boolean(typed) && first != NULL)
            yaml_diagnose(diagnostics, DIAGNOSTIC_ERROR, "duplicate_default", connections->document,
                          &key->where, NULL, "keep one of them",
                          "both \"@%s.%s\" and \"@%s.%s\" are the default", name,
                          family->keys[i]->text, name, first->text);
        else if (json_object_get_boolean(typed))
            first = family->keys[i];
    }
    return diagnostics->errors == errors ? 0 : -1;
}

/* The alias with default: true, or else the one named default. */
static const char *default_alias(const struct yaml_node *family)
{
    for (size_t i = 0; family != NULL && family->kind == YAML_MAPPING && i < family->count; i++)
        if (is_true(yaml_get(family->items[i], "default")))
            return family->keys[i]->text;
    return yaml_get(family, "default") != NULL ? "default" : NULL;
}

bool connections_have_default(const struct connections *connections, const char *family)
{
    return default_alias(family_node(connections, family)) != NULL;
}

static int refuse(const struct connection_request *request, struct diagnostics *diagnostics,
                  const char *hint, const char *format, const char *a, const char *b)
{
    _Pragma("GCC diagnostic push")
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    return diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_connection_ref", request->where,
                           request->source, request->source_length, request->location, hint, format,
                           a, b);
    _Pragma("GCC diagnostic pop")
}

/* "available: @mysql.shop, @mysql.old" */
static char *list_aliases(const char *name, const struct yaml_node *family)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(4096);

    buffer_append_text(&text, "available: ");
    for (size_t i = 0; i < family->count; i++)
        buffer_append_format(&text, "%s@%s.%s", i > 0 ? ", " : "", name, family->keys[i]->text);
    return buffer_steal(&text);
}

/* The key of a mapping that was probably meant, with a prefix; NULL: nothing is near. */
static char *question(const char *wanted, const struct yaml_node *mapping, const char *prefix)
{
    size_t count = mapping == NULL || mapping->kind != YAML_MAPPING ? 0 : mapping->count;
    _cleanup_free_ const char **names = calloc(count + 1, sizeof *names);
    const char *near;

    for (size_t i = 0; i < count; i++)
        names[i] = mapping->keys[i]->text;
    return near_miss(wanted, names, count, &near, 1) == 0 ? NULL : memory_format("did you mean \"%s%s\"?", prefix, near);
}

static int no_family(const struct connections *connections,
                     const struct connection_request *request, struct diagnostics *diagnostics)
{
    const struct yaml_node *families = yaml_get(yaml_root(connections->document), "connections");
    _cleanup_free_ char *meant = question(request->family, families, "@");

    return refuse(
        request, diagnostics, meant,
        "\"%s\" has no connection of the family \"%s\"", connections->path, request->family);
}

static const struct yaml_node *choose(const struct connections *connections,
                                      const struct connection_request *request,
                                      const char **chosen, struct diagnostics *diagnostics)
{
    const struct yaml_node *family = family_node(connections, request->family);

    if (connections->document == NULL) {
        refuse(request, diagnostics,
               "create it in $OSIRIS_HOME, the working directory or its parent",
               FILE_NAME " does not exist, and a connection of the family \"%s\" is needed%s",
               request->family, "");
        return NULL;
    }
    if (family == NULL || family->kind != YAML_MAPPING || family->count == 0) {
        no_family(connections, request, diagnostics);
        return NULL;
    }
    if (check_defaults(connections, request->family, family, diagnostics) < 0)
        return NULL;
    *chosen = request->alias != NULL ? request->alias : default_alias(family);
    const struct yaml_node *node = *chosen == NULL ? NULL : yaml_get(family, *chosen);
    _cleanup_free_ char *aliases = list_aliases(request->family, family);
    _cleanup_free_ char *prefix = memory_format("@%s.", request->family);
    _cleanup_free_ char *meant = *chosen == NULL ? NULL : question(*chosen, family, prefix);
    if (*chosen == NULL)
        refuse(request, diagnostics, aliases,
               "no connection of the family \"%s\" is the default%s; name one", request->family, "");
    else if (node == NULL)
        refuse(request, diagnostics, meant != NULL ? meant : aliases,
               "there is no connection \"@%s.%s\"", request->family, *chosen);
    return node;
}

/* Resolving one connection. */
struct resolving {
    const struct connection_request *request;
    struct variables_reader reader;
};

static enum connection_field type_of(const struct resolving *resolving, const struct yaml_node *key)
{
    const struct connection_request *request = resolving->request;
    enum connection_field type =
        request->field == NULL ? CONNECTION_FIELD_KNOWN : request->field(request->context, key->text);

    if (type != CONNECTION_FIELD_UNKNOWN)
        return type;
    _cleanup_free_ char *meant = request->question(request->context, key->text);
    yaml_diagnose(resolving->reader.diagnostics, DIAGNOSTIC_WARNING, "unknown_connection_field",
                  resolving->reader.document, &key->where, NULL, meant,
                  "no component of the family \"%s\" has a field \"%s\"; it is ignored",
                  request->family, key->text);
    return CONNECTION_FIELD_KNOWN;
}

static json_object *resolve_field(const struct resolving *resolving, const struct yaml_node *key,
                                  const struct yaml_node *node)
{
    const struct connection_request *request = resolving->request;
    enum connection_field type = type_of(resolving, key);
    bool secret = redact_key_is_secret(key->text) ||
                  (request->is_secret != NULL && request->is_secret(request->context, key->text));

    if (node->kind != YAML_SCALAR || type == CONNECTION_FIELD_KNOWN || !variables_is_one(node->text))
        return variables_value(&resolving->reader, &(struct variables_value){key, node, NULL, NULL, secret});
    /* A value that is one variable has the type of the field: "${PORT}" is a number, ${DATABASE} is text. */
    return variables_scalar(&resolving->reader, key, node, secret, type == CONNECTION_FIELD_OTHER);
}

int connections_resolve(struct connections *connections, const struct connection_request *request,
                        json_object **fields, const char **chosen, json_object *secrets,
                        struct diagnostics *diagnostics)
{
    const struct yaml_node *node = choose(connections, request, chosen, diagnostics);
    const struct resolving resolving = {
        .request = request,
        .reader = {connections->variables, connections->document, "the connections file", secrets, diagnostics, NULL},
    };
    size_t errors = diagnostics->errors;

    *fields = NULL;
    if (node == NULL) {
        hide_lines(connections, diagnostics);
        return -1;
    }
    json_object *resolved = json_object_new_object();
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->keys[i]->text, "default") != 0)
            json_add(resolved, node->keys[i]->text, resolve_field(&resolving, node->keys[i], node->items[i]));
    hide_lines(connections, diagnostics);
    if (diagnostics->errors != errors) {
        json_object_put(resolved);
        return -1;
    }
    *fields = resolved;
    return 0;
}

bool connections_find_field(const struct connections *connections, const char *family, const char *alias,
                            const char *field, struct source_location *where)
{
    const struct yaml_node *value = yaml_get(yaml_get(family_node(connections, family), alias), field);

    if (value != NULL)
        *where = value->where;
    return value != NULL;
}

/* Listing. */

static json_object *describe(const char *family, const char *alias, bool is_default,
                             const struct yaml_node *node)
{
    _cleanup_free_ char *reference = memory_format("@%s.%s", family, alias);
    json_object *entry = json_object_new_object();
    json_object *fields = json_object_new_array();

    json_add_string(entry, "connection", reference);
    json_add_string(entry, "family", family);
    json_add_string(entry, "alias", alias);
    json_add_boolean(entry, "default", is_default);
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->keys[i]->text, "default") != 0)
            json_append(fields, json_string(node->keys[i]->text));
    json_add(entry, "fields", fields);
    return entry;
}

json_object *connections_list(const struct connections *connections)
{
    const struct yaml_node *families =
        connections->document == NULL ? NULL
                                      : yaml_get(yaml_root(connections->document), "connections");
    json_object *list = json_object_new_array();

    for (size_t i = 0; families != NULL && families->kind == YAML_MAPPING && i < families->count;
         i++) {
        const struct yaml_node *family = families->items[i];
        const char *chosen = default_alias(family);
        for (size_t j = 0; family->kind == YAML_MAPPING && j < family->count; j++)
            json_append(list, describe(families->keys[i]->text, family->keys[j]->text,
                                       chosen != NULL && strcmp(chosen, family->keys[j]->text) == 0,
                                       family->items[j]));
    }
    return list;
}
