/*
 * A whole plug-in to copy: acme.counter, an extractor that counts, and acme.total, a writer that adds up. Public headers
 * and the kit only. See docs/drivers.md.
 */
#include <errno.h>
#include <osiris/kit.h>
#include <osiris/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* acme.counter */

static const char counter_spec[] =
    "{\"title\": \"Counter\", \"description\": \"Counts from first to last\", \"modes\": [\"extract\"],"
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"last\"],"
    " \"properties\": {\"first\": {\"type\": \"integer\", \"default\": 1},"
    "                \"last\": {\"type\": \"integer\", \"description\": \"the last number\"}}},"
    "\"examples\": [{\"config\": {\"last\": 1000}}]}";

struct counter {
    const struct osiris_host *host;
    struct osiris_builder *builder;
    int64_t next, last;
};

static int counter_open(const struct osiris_host *host, void **state)
{
    static const struct osiris_field fields[] = {{.name = "n", .type = OSIRIS_TYPE_INT64},
                                                 {.name = "text", .type = OSIRIS_TYPE_UTF8}};
    struct counter *counter = calloc(1, sizeof *counter);

    if (counter != NULL)
        counter->builder = osiris_builder_new(fields, 2, 10000);
    if (counter == NULL || counter->builder == NULL) {
        free(counter);
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, ENOMEM, NULL, NULL, "out of memory");
    }
    counter->host = host;
    counter->next = host->get_integer(host, OSIRIS_CONFIG, "first", 1);
    counter->last = host->get_integer(host, OSIRIS_CONFIG, "last", 0);
    *state = counter;
    return 0;
}

static int counter_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    const struct counter *counter = stream->private_data;

    return osiris_builder_schema(counter->builder, out) < 0 ? ENOMEM : 0;
}

static int counter_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct counter *counter = stream->private_data;
    char text[32];

    out->release = NULL; /* the end, unless there is a batch */
    if (counter->next > counter->last)
        return 0;
    while (counter->next <= counter->last && !osiris_builder_is_full(counter->builder, 1 << 20)) {
        int length = snprintf(text, sizeof text, "number %lld", (long long)counter->next);
        osiris_append_int64(osiris_builder_column(counter->builder, 0), counter->next++);
        if (osiris_append_bytes(osiris_builder_column(counter->builder, 1), text, (size_t)length) < 0)
            return EIO;
        osiris_builder_end_row(counter->builder);
    }
    return osiris_builder_finish(counter->builder, out) < 0 ? EIO : 0;
}

/* What the builder says is what a batch fails of, and there is nothing else here that could. */
static const char *counter_last_error(struct ArrowArrayStream *stream)
{
    const struct counter *counter = stream->private_data;

    return osiris_builder_error(counter->builder);
}

static void counter_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int counter_run(void *state, const struct osiris_input *inputs, size_t input_count,
                       struct ArrowArrayStream *output)
{
    (void)inputs;
    (void)input_count;
    output->get_schema = counter_get_schema;
    output->get_next = counter_get_next;
    output->get_last_error = counter_last_error;
    output->release = counter_release;
    output->private_data = state;
    return 0;
}

static void counter_close(void *state)
{
    struct counter *counter = state;

    osiris_builder_free(counter->builder);
    free(counter);
}

static const struct osiris_driver counter_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "acme.counter",
    .version = "1.0.0",
    .spec = counter_spec,
    .open = counter_open,
    .run = counter_run,
    .close = counter_close,
};

/* acme.total */

static const char total_spec[] =
    "{\"title\": \"Total\", \"description\": \"Adds up the first column, an int64\", \"modes\": [\"write\"],"
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"path\"],"
    " \"properties\": {\"path\": {\"type\": \"string\", \"minLength\": 1}}},"
    "\"x-output-files\": [{\"name\": \"path\"}],"
    "\"examples\": [{\"config\": {\"path\": \"output/total.txt\"}}]}";

static int total_open(const struct osiris_host *host, void **state)
{
    *state = (void *)host;
    return 0;
}

static int check_schema(const struct osiris_host *host, struct ArrowArrayStream *input)
{
    struct ArrowSchema schema;
    int fits;

    if (input->get_schema(input, &schema) != 0)
        return -1;
    fits = schema.n_children > 0 && strcmp(schema.children[0]->format, "l") == 0;
    schema.release(&schema);
    if (!fits)
        return osiris_fail(host, OSIRIS_ERROR_DATA, 0, 0, NULL, "put an int64 column first",
                           "the first column is not an int64");
    return 0;
}

/* A batch may be a slice: its own offset and the column's count, in the values and in the validity bitmap (NULL: no nulls). */
static int64_t add_up(const struct ArrowArray *batch, const struct ArrowArray *column)
{
    const uint8_t *valid = column->buffers[0];
    const int64_t *values = column->buffers[1];
    int64_t first = batch->offset + column->offset, total = 0;

    for (int64_t i = first; i < first + batch->length; i++)
        if (valid == NULL || (valid[i / 8] >> (i % 8) & 1) != 0)
            total += values[i];
    return total;
}

static int total_run(void *state, const struct osiris_input *inputs, size_t input_count,
                     struct ArrowArrayStream *output)
{
    const struct osiris_host *host = state;
    const struct osiris_output_options options = {
        .struct_size = sizeof options, .flags = OSIRIS_OUTPUT_CREATE_DIRECTORIES};
    struct ArrowArrayStream *input = inputs[0].stream;
    struct ArrowArray batch;
    int64_t total = 0;
    char text[32];
    int fd, length;

    (void)input_count;
    (void)output;
    if (check_schema(host, input) < 0 ||
        host->open_output(host, host->get_string(host, OSIRIS_CONFIG, "path", ""), &options, &fd) < 0)
        return -1;
    for (;;) {
        if (input->get_next(input, &batch) != 0)
            return -1;
        if (batch.release == NULL)
            break;
        total += add_up(&batch, batch.children[0]);
        batch.release(&batch);
    }
    length = snprintf(text, sizeof text, "%lld\n", (long long)total);
    if (write(fd, text, (size_t)length) != length)
        return osiris_fail(host, OSIRIS_ERROR_IO, 0, errno, NULL, NULL, "cannot write the total");
    return 0;
}

static void total_close(void *state)
{
    (void)state;
}

static const struct osiris_driver total_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "acme.total",
    .version = "1.0.0",
    .spec = total_spec,
    .open = total_open,
    .run = total_run,
    .close = total_close,
};

/* What the object exports. */

static const struct osiris_driver *const drivers[] = {&counter_driver, &total_driver, NULL};

OSIRIS_PLUGIN(acme) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "acme",
    .version = "1.0.0",
    .drivers = drivers,
};
