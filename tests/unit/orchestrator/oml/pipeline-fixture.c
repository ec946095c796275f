/* See pipeline-fixture.h. */
#include "unit/orchestrator/oml/pipeline-fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/compile/compile.h"

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.read\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"],"
    " \"configSchema\": {\"properties\": {\"a\": {}, \"b\": {}, \"api_key\": {}, \"pin\": {}, \"deep\": {}}},"
    " \"x-secret\": [\"/pin\", \"/deep/hidden\"]}},"
    "{\"name\": \"x.pass\", \"kind\": \"processor\", \"version\": \"1\", \"spec\": {\"modes\": [\"transform\"],"
    " \"configSchema\": {\"additionalProperties\": true, \"properties\": {\"a\": {}}}}},"
    "{\"name\": \"x.write\", \"aliases\": [\"long.x_write\"], \"kind\": \"writer\", \"version\": \"1\", \"spec\": {"
    "  \"modes\": [\"write\"], \"configSchema\": {\"properties\": {\"path\": {}, \"write_mode\": {}, \"primary_key\": {}}}}}"
    "]}]";

#define HEAD "oml_version: \"0.1.0\"\nname: p\nsteps:\n"
#define WRITE "- {id: w, component: x.write, mode: write, config: {path: o}}\n"

static struct registry *registry;
static char path[64];

void pipeline_setup(void)
{
    json_object *descriptions = json_tokener_parse(components);

    ck_assert_ptr_nonnull(descriptions);
    registry = registry_new_from_json(descriptions);
    json_object_put(descriptions);
    ck_assert_ptr_nonnull(registry);
    strcpy(path, "/tmp/osiris-pipeline-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

void pipeline_teardown(void)
{
    registry_free(registry);
    ck_assert_int_eq(unlink(path), 0);
}

struct pipeline *load_bytes(const char *text, size_t length, const char *profile,
                            const char *const *params, struct diagnostics *diagnostics)
{
    const struct pipeline_options options = {
        .path = path, .profile = profile, .params = params, .registry = registry};
    struct pipeline *pipeline = NULL;
    size_t errors = diagnostics->errors;
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    int result = pipeline_load(&options, diagnostics, &pipeline);
    ck_assert_int_eq(result < 0, diagnostics->errors > errors);
    ck_assert(result < 0 || pipeline != NULL);
    if (result == 0)
        return pipeline;
    /* What is broken is checked to its end, too. */
    const struct compile_options compile = {.pipeline = pipeline};
    struct compiled *compiled = NULL;
    ck_assert(pipeline == NULL || compile_pipeline(&compile, diagnostics, &compiled) < 0);
    pipeline_free(pipeline);
    return NULL;
}

struct pipeline *load(const char *text, const char *profile, const char *const *params, struct diagnostics *diagnostics)
{
    return load_bytes(text, strlen(text), profile, params, diagnostics);
}

char *printed(const struct diagnostics *diagnostics)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_ptr_nonnull(stream);
    diagnostics_print(diagnostics, stream, false);
    fclose(stream);
    return text;
}

void expect_errors(const char *text, const char *const *params, size_t errors, const char *const *parts)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct pipeline *pipeline = load(text, NULL, params, &diagnostics);
    _cleanup_free_ char *said = printed(&diagnostics);

    pipeline_free(pipeline);
    ck_assert_msg(diagnostics.errors == errors, "%zu errors, not %zu: %s", diagnostics.errors, errors,
                  said);
    for (; *parts != NULL; parts++)
        ck_assert_msg(strstr(said, *parts) != NULL, "no \"%s\" in: %s", *parts, said);
}
