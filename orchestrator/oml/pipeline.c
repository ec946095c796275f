/* Reading a pipeline: the file, its top level, its parameters; see pipeline.h. */
#include "orchestrator/oml/pipeline.h"

#include <ctype.h>
#include <string.h>

#include "core/base/one-of.h"
#include "orchestrator/oml/pipeline-needs.h"
#include "orchestrator/oml/pipeline-secrets.h"
#include "orchestrator/oml/pipeline-steps.h"

static const char *const top_level_keys[] = {"oml_version", "name",     "steps",       "params",
                                             "profiles",    "metadata", "description", NULL};
static const char *const forbidden_keys[] = {"version", "connectors", "tasks", "outputs", NULL};

static void check_top_level_keys(struct pipeline_reader *reader, const struct yaml_node *root)
{
    static const struct {
        const char *key, *hint;
    } required[] = {
        {"oml_version", "write oml_version: \"0.1.0\""},
        {"name", "write what the pipeline is for: name: orders-to-csv"},
        {"steps", "docs/pipelines.md starts with an example"},
    };

    for (size_t i = 0; i < root->count; i++) {
        const struct yaml_node *key = root->keys[i];
        if (is_one_of(key->text, forbidden_keys)) {
            reader_error(reader, "forbidden_key", &key->where, key->text,
                         "an OML pipeline has steps, each with a component",
                         "the key \"%s\" is not allowed", key->text);
        } else if (!is_one_of(key->text, top_level_keys)) {
            _cleanup_free_ char *question = pipeline_question(
                reader, key->text, top_level_keys, sizeof top_level_keys / sizeof top_level_keys[0] - 1);
            reader_warning(reader, "unknown_key", &key->where, key->text,
                           question != NULL ? question
                                            : "write information for people under metadata",
                           "the key \"%s\" is unknown and ignored", key->text);
        }
    }
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (yaml_get(root, required[i].key) == NULL)
            reader_error(reader, "missing_required_key", &root->where, required[i].key,
                         required[i].hint, "the key \"%s\" is missing", required[i].key);
}

static void read_version(struct pipeline_reader *reader, const struct yaml_node *node)
{
    const char *version = yaml_string(node);

    if (node == NULL)
        return;
    if (version == NULL) {
        reader_error(reader, "invalid_version_type", &node->where, "oml_version",
                     "write it in quotes: \"0.1.0\"", "oml_version must be a string");
        return;
    }
    if (strncmp(version, "0.", 2) != 0)
        reader_error(reader, "unsupported_version", &node->where, "oml_version",
                     "this version of Osiris reads OML 0.1.0", "OML version \"%s\" is not supported", version);
    else if (strcmp(version, "0.1.0") != 0)
        reader_warning(reader, "unsupported_version", &node->where, "oml_version",
                       "write oml_version: \"0.1.0\"", "OML version \"%s\" is read as 0.1.0",
                       version);
    reader->pipeline->oml_version = strdup(version);
}

static bool follows_convention(const char *name)
{
    if (!islower((unsigned char)name[0]) && !isdigit((unsigned char)name[0]))
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-')
            return false;
    return true;
}

static void read_name(struct pipeline_reader *reader, const struct yaml_node *node)
{
    const char *name = yaml_string(node);

    if (node == NULL)
        return;
    if (name == NULL && !(node->kind == YAML_SCALAR && yaml_is_null(node))) {
        reader_error(reader, "invalid_name_type", &node->where, "name", "write it in quotes",
                     "the name must be a string");
        return;
    }
    if (name == NULL || name[strspn(name, " \t")] == '\0') {
        reader_error(reader, "empty_name", &node->where, "name",
                     "write what the pipeline is for: name: orders-to-csv", "the name is empty");
        return;
    }
    if (!follows_convention(name))
        reader_warning(reader, "naming_convention", &node->where, "name",
                       "use lower-case letters, digits and dashes",
                       "the name \"%s\" does not follow the convention", name);
    reader->pipeline->name = strdup(name);
}

static void read_metadata(struct pipeline_reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_get(root, "metadata");

    if (node == NULL || yaml_is_null(node))
        return;
    if (node->kind != YAML_MAPPING)
        reader_error(reader, "invalid_type", &node->where, "metadata",
                     "write metadata: { KEY: VALUE }", "\"metadata\" must be a mapping");
    else
        reader->pipeline->metadata = yaml_to_json(node);
}

static void check_profile(struct pipeline_reader *reader, const struct yaml_node *key,
                          const struct yaml_node *profile)
{
    static const char *const known[] = {"params", "description", NULL};
    const struct yaml_node *params = yaml_get(profile, "params");

    if (yaml_is_null(profile))
        return;
    if (profile->kind != YAML_MAPPING) {
        reader_error(reader, "invalid_type", &profile->where, "profiles",
                     "write NAME: { params: { KEY: VALUE } }",
                     "the profile \"%s\" must be a mapping with params", key->text);
        return;
    }
    for (size_t i = 0; i < profile->count; i++) {
        const struct yaml_node *inner = profile->keys[i];
        if (is_one_of(inner->text, known))
            continue;
        _cleanup_free_ char *question = pipeline_question(
            reader, inner->text, known, sizeof known / sizeof known[0] - 1);
        reader_warning(reader, "unknown_key", &inner->where, "profiles",
                       question != NULL ? question : "write parameters under \"params\"",
                       "the profile \"%s\" has an unknown key \"%s\", which is ignored", key->text,
                       inner->text);
    }
    if (params != NULL && !yaml_is_null(params) && params->kind != YAML_MAPPING)
        reader_error(reader, "invalid_type", &params->where, "profiles",
                     "write params: { KEY: VALUE }",
                     "the params of the profile \"%s\" must be a mapping", key->text);
    pipeline_refuse_secret_params(reader, params, "profiles");
}

static void check_profiles(struct pipeline_reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_get(root, "profiles");

    if (node == NULL || yaml_is_null(node))
        return;
    if (node->kind != YAML_MAPPING)
        reader_error(reader, "invalid_type", &node->where, "profiles",
                     "write profiles: { NAME: { params: { KEY: VALUE } } }",
                     "\"profiles\" must be a mapping");
    for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++)
        check_profile(reader, node->keys[i], node->items[i]);
}

static void read_document(struct pipeline_reader *reader)
{
    struct pipeline *pipeline = reader->pipeline;
    const struct yaml_node *root = yaml_root(pipeline->document);

    if (root->kind != YAML_MAPPING) {
        reader_error(reader, "invalid_type", &root->where, NULL,
                     "docs/pipelines.md starts with an example",
                     "a pipeline must be a mapping with oml_version, name and steps");
        return;
    }
    check_top_level_keys(reader, root);
    read_version(reader, yaml_get(root, "oml_version"));
    read_name(reader, yaml_get(root, "name"));
    read_metadata(reader, root);
    check_profiles(reader, root);
    pipeline_refuse_secret_params(reader, yaml_get(root, "params"), "params");
    (void)params_resolve(pipeline->document, reader->options, &reader->params,
                         reader->diagnostics);
    pipeline_read_steps(reader, yaml_get(root, "steps"));
    size_t errors = reader->diagnostics->errors;
    pipeline_read_needs(reader, yaml_get(root, "steps"));
    pipeline->has_graph = !reader->graph_is_broken && reader->diagnostics->errors == errors;
    params_check_names(&reader->params, pipeline->document, reader->options, reader->diagnostics);
    pipeline->params = json_object_get(reader->params.values);
}

int pipeline_load(const struct pipeline_options *options, struct diagnostics *diagnostics,
                  struct pipeline **out)
{
    size_t errors = diagnostics->errors;
    struct pipeline_reader reader = {.options = options, .diagnostics = diagnostics};
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);

    pipeline->path = strdup(options->path);
    reader.pipeline = pipeline;
    pipeline->registry = options->registry;
    pipeline->document = yaml_load(options->path, diagnostics);
    if (pipeline->document != NULL) {
        pipeline->source = yaml_source(pipeline->document, &pipeline->source_length);
        read_document(&reader);
    }
    params_clear(&reader.params);
    if (pipeline->document == NULL) {
        pipeline_free(pipeline);
        return -1;
    }
    pipeline->is_broken = diagnostics->errors != errors;
    *out = pipeline;
    return pipeline->is_broken ? -1 : 0;
}

static void free_step(struct pipeline_step *step)
{
    free(step->id);
    free(step->component_name);
    free(step->mode);
    free(step->run_on);
    free(step->connection);
    json_object_put(step->config);
    json_object_put(step->faulty);
    for (size_t i = 0; step->needs != NULL && step->needs[i] != NULL; i++)
        free(step->needs[i]);
    free(step->needs);
    for (size_t i = 0; i < step->input_count; i++) {
        free(step->inputs[i].name);
        free(step->inputs[i].from);
        free(step->inputs[i].output);
    }
    free(step->inputs);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    for (size_t i = 0; i < pipeline->step_count; i++)
        free_step(&pipeline->steps[i]);
    free(pipeline->steps);
    free(pipeline->oml_version);
    free(pipeline->name);
    json_object_put(pipeline->params);
    json_object_put(pipeline->metadata);
    yaml_free(pipeline->document);
    free(pipeline->path);
    free(pipeline);
}
