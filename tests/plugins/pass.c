/* test.pass: a processor that forwards its input; test.join: one that reads its first input to the end, then the next. */
#include "test-plugin.h"

struct pass {
    const struct osiris_host *host;
    const struct osiris_input *inputs;
    size_t input_count, current;
};

static int pass_open(const struct osiris_host *host, void **state)
{
    struct pass *pass = calloc(1, sizeof *pass);

    if (pass == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    pass->host = host;
    *state = pass;
    return 0;
}

static int pass_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    const struct pass *pass = stream->private_data;
    struct ArrowArrayStream *input = pass->inputs[0].stream;

    return input->get_schema(input, out);
}

static int pass_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct pass *pass = stream->private_data;

    out->release = NULL;
    while (pass->current < pass->input_count) {
        struct ArrowArrayStream *input = pass->inputs[pass->current].stream;
        int result = input->get_next(input, out);
        if (result != 0 || out->release != NULL)
            return result;
        pass->current++;
    }
    return 0;
}

static const char *pass_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "";
}

static void pass_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int pass_run(void *state, const struct osiris_input *inputs, size_t input_count,
                    struct ArrowArrayStream *output)
{
    struct pass *pass = state;

    /* The inputs live for as long as the output is pulled. */
    pass->inputs = inputs;
    pass->input_count = input_count;
    *output = (struct ArrowArrayStream){.get_schema = pass_get_schema,
                                        .get_next = pass_get_next,
                                        .get_last_error = pass_last_error,
                                        .release = pass_release,
                                        .private_data = pass};
    return 0;
}

static void pass_close(void *state)
{
    free(state);
}

static const char spec[] = "{\"title\": \"Pass\", \"modes\": [\"transform\"], \"configSchema\": "
                           "{\"type\": \"object\", \"properties\": {}, "
                           "\"additionalProperties\": false}}";

static const struct osiris_driver pass_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_PROCESSOR,
    .name = "test.pass",
    .version = "1.0.0",
    .spec = spec,
    .open = pass_open,
    .run = pass_run,
    .close = pass_close,
};

#ifndef ONLY_PASS
static const struct osiris_driver join_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_PROCESSOR,
    .name = "test.join",
    .version = "1.0.0",
    .spec = spec,
    .open = pass_open,
    .run = pass_run,
    .close = pass_close,
};

TEST_PLUGIN(processors, &pass_driver, &join_driver);
#else
TEST_PLUGIN(pass, &pass_driver);
#endif
