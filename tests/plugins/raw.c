/*
 * test.raw: a writer of what the batches hold, byte by byte, for tests that compare every value. A line a column of the
 * schema ("column FORMAT NAME"), a line "batch ROWS" before each batch, and a line a row: its cells, separated by
 * spaces, "~" for NULL, else the value's bytes in hex with "x" before it (a boolean is x00 or x01).
 */
#include <unistd.h>

#include "test-plugin.h"

struct raw {
    const struct osiris_host *host;
    FILE *file;
};

static int raw_open(const struct osiris_host *host, void **state)
{
    struct raw *raw = calloc(1, sizeof *raw);

    if (raw == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    raw->host = host;
    *state = raw;
    return 0;
}

static size_t value_size(const char *format)
{
    static const struct {
        const char *format;
        size_t size;
    } sizes[] = {{"c", 1},   {"C", 1},   {"s", 2},   {"S", 2}, {"i", 4}, {"I", 4},  {"l", 8},
                 {"L", 8},   {"f", 4},   {"g", 8},   {"tdD", 4}, {"ttu", 8}, {"tDu", 8}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (strcmp(format, sizes[i].format) == 0)
            return sizes[i].size;
    if (strncmp(format, "tsu:", 4) == 0)
        return 8;
    return strstr(format, ",256") != NULL ? 32 : 16;
}

static void write_hex(FILE *file, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    putc_unlocked('x', file);
    for (size_t i = 0; i < count; i++) {
        putc_unlocked(digits[bytes[i] >> 4], file);
        putc_unlocked(digits[bytes[i] & 15], file);
    }
}

static void write_cell(FILE *file, const char *format, const struct ArrowArray *column, int64_t row)
{
    int64_t at = row + column->offset;
    const uint8_t *validity = column->n_buffers > 0 ? column->buffers[0] : NULL;

    if (strcmp(format, "n") == 0 || (validity != NULL && (validity[at >> 3] >> (at & 7) & 1) == 0)) {
        putc_unlocked('~', file);
    } else if (strcmp(format, "u") == 0 || strcmp(format, "z") == 0) {
        const int32_t *offsets = column->buffers[1];
        const uint8_t *bytes = column->buffers[2];
        write_hex(file, bytes + offsets[at], (size_t)(offsets[at + 1] - offsets[at]));
    } else if (strcmp(format, "b") == 0) {
        const uint8_t *bits = column->buffers[1];
        const uint8_t bit = bits[at >> 3] >> (at & 7) & 1;
        write_hex(file, &bit, 1);
    } else {
        const size_t size = value_size(format);
        write_hex(file, (const uint8_t *)column->buffers[1] + (size_t)at * size, size);
    }
}

static void write_batch(FILE *file, const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
    fprintf(file, "batch %lld\n", (long long)batch->length);
    for (int64_t row = 0; row < batch->length; row++) {
        for (int64_t i = 0; i < batch->n_children; i++) {
            if (i > 0)
                putc_unlocked(' ', file);
            write_cell(file, schema->children[i]->format, batch->children[i], row);
        }
        putc_unlocked('\n', file);
    }
}

static int drain(struct raw *raw, struct ArrowArrayStream *input, const struct ArrowSchema *schema)
{
    struct ArrowArray batch;

    for (;;) {
        if (input->get_next(input, &batch) != 0)
            return -1;
        if (batch.release == NULL)
            return 0;
        write_batch(raw->file, schema, &batch);
        batch.release(&batch);
    }
}

static int raw_run(void *state, const struct osiris_input *inputs, size_t input_count,
                   struct ArrowArrayStream *output)
{
    struct raw *raw = state;
    const struct osiris_host *host = raw->host;
    struct ArrowSchema schema;
    int fd;

    (void)output;
    if (input_count != 1 || host->open_output(host, host->get_string(host, OSIRIS_CONFIG, "path", ""), NULL, &fd) < 0)
        return -1;
    /* The descriptor is the host's. */
    fd = dup(fd);
    raw->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (raw->file == NULL || inputs[0].stream->get_schema(inputs[0].stream, &schema) != 0)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "cannot begin");
    for (int64_t i = 0; i < schema.n_children; i++)
        fprintf(raw->file, "column %s %s\n", schema.children[i]->format, schema.children[i]->name);
    int result = drain(raw, inputs[0].stream, &schema);
    schema.release(&schema);
    if (result == 0 && fflush(raw->file) != 0)
        return test_fail(host, OSIRIS_ERROR_IO, "cannot write");
    return result;
}

static void raw_close(void *state)
{
    struct raw *raw = state;

    if (raw->file != NULL)
        fclose(raw->file);
    free(raw);
}

static const struct osiris_driver raw_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "test.raw",
    .version = "1.0.0",
    .spec = "{\"title\": \"Raw\", \"modes\": [\"write\"], \"configSchema\": {\"type\": \"object\","
            "\"required\": [\"path\"], \"additionalProperties\": false, \"properties\": {"
            "\"path\": {\"type\": \"string\"}}}}",
    .open = raw_open,
    .run = raw_run,
    .close = raw_close,
};

TEST_PLUGIN(raw, &raw_driver);
