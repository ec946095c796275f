/* Any bytes as a pipeline's file, through reading, checking, compiling and printing what is wrong with it. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "orchestrator/base/canonical-json.h"
#include "orchestrator/compile/compile.h"

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.read\", \"aliases\": [\"x.extractor\"], \"kind\": \"extractor\", \"version\": \"1\","
    " \"spec\": {\"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\","
    "  \"additionalProperties\": false, \"required\": [\"need\"], \"properties\": {"
    "   \"need\": {\"type\": [\"string\", \"integer\"], \"maxLength\": 9, \"pattern\": \"^[a-z]*$\"},"
    "   \"count\": {\"type\": \"integer\", \"minimum\": 1, \"default\": 7},"
    "   \"opaque\": {\"type\": \"string\"}}}, \"secrets\": [\"/opaque\"]}},"
    "{\"name\": \"x.pass\", \"kind\": \"processor\", \"version\": \"1\","
    " \"spec\": {\"modes\": [\"transform\"], \"configSchema\": {\"properties\": {}}}},"
    "{\"name\": \"x.write\", \"kind\": \"writer\", \"version\": \"1\", \"spec\": {\"modes\": [\"write\"],"
    "  \"configSchema\": {\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\"},"
    "   \"write_mode\": {\"type\": \"string\"}, \"primary_key\": {\"type\": \"string\"},"
    "   \"nested\": {\"type\": \"object\"}}}}}]}]";

static struct registry *make_registry(void)
{
    _cleanup_json_ json_object *descriptions = json_tokener_parse(components);
    struct registry *registry = registry_new_from_json(descriptions);

    FUZZ_CHECK(registry != NULL);
    return registry;
}

static void print(const struct diagnostics *diagnostics)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    FUZZ_CHECK(stream != NULL);
    diagnostics_print(diagnostics, stream, true);
    fclose(stream);
    free(text);
    json_object_put(diagnostics_to_json(diagnostics));
}

static void compile(const char *path, struct registry *registry)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    const struct pipeline_options options = {.path = path, .registry = registry};
    _cleanup_pipeline_ struct pipeline *pipeline = NULL;
    _cleanup_compiled_ struct compiled *compiled = NULL;
    int result = pipeline_load(&options, &diagnostics, &pipeline);

    FUZZ_CHECK((result < 0) == (diagnostics.errors > 0));
    FUZZ_CHECK(result < 0 || pipeline != NULL);
    if (pipeline != NULL) {
        const struct compile_options compile_options = {.pipeline = pipeline};
        result = compile_pipeline(&compile_options, &diagnostics, &compiled);
        FUZZ_CHECK((result < 0) == (diagnostics.errors > 0));
    }
    if (compiled != NULL) {
        _cleanup_buffer_ struct buffer text = BUFFER_INIT(64u << 20);
        FUZZ_CHECK(canonical_yaml(compiled->manifest, &text) == 0);
    }
    print(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct registry *registry; /* shared by all inputs */
    char path[40];
    int fd = memfd_create("pipeline", MFD_CLOEXEC);

    if (registry == NULL)
        registry = make_registry();
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    compile(path, registry);
    (void)close(fd);
    return 0;
}
