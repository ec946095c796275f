/* The adapters of osiris.yaml; see places.h. */
#include "orchestrator/oml/places.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "core/plugin/schema.h"
#include "orchestrator/oml/variables.h"
#include "orchestrator/oml/yaml.h"

#define FILE_NAME "osiris.yaml"

struct reader {
    const struct places_request *request;
    struct yaml_document *document;
    struct variables *variables;
    json_object *secrets;
    struct diagnostics *diagnostics;
    json_object *places;
};

static void wrong(struct reader *reader, const struct yaml_node *node, const char *location,
                  const char *what)
{
    yaml_diagnose(reader->diagnostics, DIAGNOSTIC_ERROR, "invalid_adapter", reader->document,
                  &node->where, location,
                  "write {adapter: NAME, OPTION: VALUE, …}; docs/pipelines.md has an example", "%s",
                  what);
}

/* The options of a place, read by its adapter's spec. */
struct options {
    const struct reader *reader;
    const struct yaml_node *key, *node; /* of the place */
    const char *adapter, *location;
    json_object *spec; /* NULL: not available */
    json_object *values;
    bool is_partial; /* a problem with one of them has been reported, so a missing option may be misspelt */
};

static json_object *schema_of(const struct options *options)
{
    return json_member(options->spec, "configSchema");
}

static void report_unknown(struct options *options, const struct yaml_node *key, enum diagnostic_severity severity)
{
    json_object *properties = json_member(schema_of(options), "properties");
    _cleanup_free_ const char **names = calloc((size_t)json_object_object_length(properties) + 1, sizeof *names);
    size_t count = 0;

    json_object_object_foreach(properties, name, unused)
    {
        (void)unused;
        names[count++] = name;
    }
    _cleanup_free_ char *question = near_miss_question(key->text, names, count);
    yaml_diagnose(options->reader->diagnostics, severity, "unknown_adapter_option", options->reader->document, &key->where,
                  options->location, question, "the adapter \"%s\" has no option \"%s\"", options->adapter, key->text);
}

/* An unknown option is refused if the spec forbids it, and likely a mistake unless the spec explicitly allows it. */
static bool is_refused(struct options *options, const struct yaml_node *key)
{
    json_object *schema = schema_of(options), *additional = json_member(schema, "additionalProperties");

    if (!json_object_is_type(json_member(schema, "properties"), json_type_object) ||
        schema_of_property(schema, key->text) != NULL || (additional != NULL && json_object_get_boolean(additional)))
        return false;
    report_unknown(options, key, additional == NULL ? DIAGNOSTIC_WARNING : DIAGNOSTIC_ERROR);
    return additional != NULL;
}

/* Everything but `adapter` is an option. */
static void read_options(struct options *options)
{
    const struct reader *reader = options->reader;
    const struct yaml_node *node = options->node;
    const struct variables_reader values = {reader->variables,   reader->document,    FILE_NAME,
                                            reader->secrets,     reader->diagnostics, json_member(options->spec, "secrets")};
    const struct variables_value all = {options->key, node, "", schema_of(options), false};

    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->keys[i];
        size_t errors = reader->diagnostics->errors;
        if (strcmp(key->text, "adapter") == 0)
            continue;
        json_object *value = variables_entry(&values, &all, i);
        if (is_refused(options, key) || reader->diagnostics->errors != errors) {
            options->is_partial = true;
            json_object_put(value);
        } else {
            json_add(options->values, key->text, value);
        }
    }
}

/* Follows a pointer of schema_check (whose names are not escaped) in the file and in the values read from it, as far as
 * both exist. Returns the node in the file. */
static const struct yaml_node *find(const struct options *options, const char *pointer, json_object **value)
{
    const struct yaml_node *node = options->node;

    *value = options->values;
    while (*pointer == '/') {
        size_t length = strcspn(++pointer, "/");
        _cleanup_free_ char *name = strndup(pointer, length);
        size_t index = strtoul(name, NULL, 10);
        bool is_item = node->kind == YAML_SEQUENCE && index < node->count;
        const struct yaml_node *inner = is_item ? node->items[index] : yaml_get(node, name);
        if (inner == NULL)
            break;
        *value = is_item ? json_object_array_get_idx(*value, index) : json_member(*value, name);
        node = inner;
        pointer += length;
    }
    return node;
}

static bool begins_with_pointer(const char *pointer, const char *beginning)
{
    size_t length = strlen(beginning);

    return strncmp(pointer, beginning, length) == 0 && (pointer[length] == '/' || pointer[length] == '\0');
}

/* Whether the spec declares it, or a value that contains it, secret. */
static bool is_secret_option(const struct options *options, const char *pointer)
{
    json_object *list = json_member(options->spec, "secrets");

    for (size_t i = 0; i < json_array_count(list); i++)
        if (begins_with_pointer(pointer, json_object_get_string(json_object_array_get_idx(list, i))))
            return true;
    return false;
}

/* A value that is not secret can contain a secret, because both may come from one variable. */
static bool has_secret(const struct options *options, json_object *value)
{
    json_object *secrets = options->reader->secrets;
    const char *text = value == NULL ? "" : json_object_get_string(value);

    for (size_t i = 0; i < json_array_count(secrets); i++)
        if (strstr(text, json_object_get_string(json_object_array_get_idx(secrets, i))) != NULL)
            return true;
    return false;
}

static void on_problem(void *context, const char *pointer, const char *message, const char *is)
{
    const struct options *options = context;
    const struct reader *reader = options->reader;
    json_object *value;
    const struct yaml_node *node = find(options, pointer, &value);
    _cleanup_free_ char *option = pointer[0] == '\0' ? NULL : strndup(pointer + 1, strcspn(pointer + 1, "/"));
    const char *hint = option == NULL ? NULL : json_member_string(schema_of_property(schema_of(options), option), "description", NULL);

    if (option == NULL) {
        yaml_diagnose(reader->diagnostics, DIAGNOSTIC_ERROR, "invalid_adapter_option", reader->document, &options->key->where,
                      options->location, NULL, "the adapter \"%s\" %s", options->adapter, message);
        return;
    }
    if (is_secret_option(options, pointer)) {
        message = "is not valid for the adapter; its value is secret and not shown";
        is = NULL;
    } else if (has_secret(options, value)) {
        is = NULL;
    }
    yaml_diagnose(reader->diagnostics, DIAGNOSTIC_ERROR, "invalid_adapter_option", reader->document, &node->where,
                  options->location, hint, "\"%s\" %s%s%s", pointer + 1, message, is == NULL ? "" : ", is ", is == NULL ? "" : is);
}

static void check_options(struct options *options)
{
    _cleanup_json_ json_object *schema = json_object_new_object(), *filled = json_copy(options->values);

    if (schema_of(options) == NULL)
        return;
    json_object_object_foreach(schema_of(options), keyword, value)
    {
        if (!options->is_partial || strcmp(keyword, "properties") == 0 || strcmp(keyword, "additionalProperties") == 0)
            json_add(schema, keyword, json_object_get(value));
    }
    schema_fill_defaults(schema, filled);
    schema_check(schema, filled, on_problem, options);
}

/* Reads the options, and adds them to the place. */
static void add_options(const struct reader *reader, const struct yaml_node *key, const struct yaml_node *node, const char *location,
                        json_object *place)
{
    const struct places_request *request = reader->request;
    struct options options = {
        .reader = reader,
        .key = key,
        .node = node,
        .location = location,
        .adapter = json_member_string(place, "adapter", ""),
        .values = json_object_new_object(),
    };

    options.spec = request->spec(request->context, options.adapter);
    read_options(&options);
    check_options(&options);
    json_add(place, "options", options.values);
}

static void read_place(struct reader *reader, const struct yaml_node *key,
                       const struct yaml_node *node)
{
    const struct places_request *request = reader->request;
    const char *adapter = yaml_string(yaml_get(node, "adapter"));
    char location[160];

    snprintf(location, sizeof location, "adapters.%.100s", key->text);
    if (node->kind != YAML_MAPPING || adapter == NULL || adapter[0] == '\0') {
        wrong(reader, key, location, "the adapter's name is missing");
        return;
    }
    if (strcmp(key->text, "default") == 0) {
        wrong(reader, key, location, "\"default\" is reserved for the place that --adapter names");
        return;
    }
    json_object *place = json_object_new_object();
    json_add_string(place, "adapter", adapter);
    if (request->is_used(request->context, key->text))
        add_options(reader, key, node, location, place);
    json_add(reader->places, key->text, place);
}

static void read_file(struct reader *reader)
{
    const struct yaml_node *root = yaml_root(reader->document);
    const struct yaml_node *adapters = yaml_get(root, "adapters");

    if (root->kind != YAML_MAPPING) {
        wrong(reader, root, NULL, "the file must be a mapping");
        return;
    }
    for (size_t i = 0; i < root->count; i++)
        if (strcmp(root->keys[i]->text, "adapters") != 0)
            yaml_diagnose(reader->diagnostics, DIAGNOSTIC_WARNING, "unsupported_key",
                          reader->document, &root->keys[i]->where, NULL, NULL,
                          "this version of Osiris ignores \"%s\"", root->keys[i]->text);
    if (adapters == NULL || yaml_is_null(adapters))
        return;
    if (adapters->kind != YAML_MAPPING) {
        wrong(reader, adapters, "adapters", "\"adapters\" must be a mapping of names");
        return;
    }
    for (size_t i = 0; i < adapters->count; i++)
        read_place(reader, adapters->keys[i], adapters->items[i]);
}

json_object *places_load(const struct places_request *request, json_object *secrets, struct diagnostics *diagnostics)
{
    struct reader reader = {
        .request = request, .secrets = secrets, .diagnostics = diagnostics, .places = json_object_new_object()};
    const char *home = request->osiris_home;
    _cleanup_free_ char *path =
        memory_format("%s%s" FILE_NAME, home == NULL ? "" : home, home == NULL || home[0] == '\0' ? "" : "/");
    size_t errors = diagnostics->errors;

    if (access(path, F_OK) < 0)
        return reader.places;
    reader.document = yaml_load(path, diagnostics);
    reader.variables = variables_load(path);
    if (reader.document != NULL)
        read_file(&reader);
    diagnostics_hide_lines(diagnostics, path, 0, UINT_MAX);
    variables_free(reader.variables);
    yaml_free(reader.document);
    if (diagnostics->errors == errors)
        return reader.places;
    json_object_put(reader.places);
    return NULL;
}
