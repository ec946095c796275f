/* The adapters of osiris.yaml; see places.h. */
#include "orchestrator/oml/places.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/redact.h"
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

/* Everything but `adapter` is an option, which the adapter's own schema checks when it is opened. */
static json_object *read_options(struct reader *reader, const struct yaml_node *node)
{
    const struct variables_reader values = {reader->variables, reader->document, FILE_NAME, reader->secrets,
                                            reader->diagnostics};
    json_object *options = json_object_new_object();

    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->keys[i];
        if (strcmp(key->text, "adapter") != 0)
            json_add(options, key->text,
                     variables_node(&values, key, node->items[i], redact_key_is_secret(key->text)));
    }
    return options;
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
        json_add(place, "options", read_options(reader, node));
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
