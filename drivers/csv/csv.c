/*
 * csv.writer: a table as a CSV file (RFC 4180). docs/csv-writer.md says how each type is written and why.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osiris/plugin.h>

#include "options.h"
#include "table.h"

/* clang-format off */
static const char csv_writer_spec[] =
"{"
"  \"title\": \"CSV writer\","
"  \"description\": \"Writes a table to a CSV file (RFC 4180). The file appears under its name when the whole run of its group has succeeded.\","
"  \"modes\": [\"write\"],"
"  \"capabilities\": {\"discover\": false, \"adHocAnalytics\": false, \"inMemoryMove\": false, \"streaming\": true,"
"    \"bulkOperations\": true, \"transactions\": false, \"partitioning\": false, \"customTransforms\": false},"
"  \"configSchema\": {"
"    \"type\": \"object\","
"    \"additionalProperties\": false,"
"    \"required\": [\"path\"],"
"    \"properties\": {"
"      \"path\": {\"type\": \"string\", \"minLength\": 1,"
"        \"description\": \"The file, relative to the working directory\"},"
"      \"delimiter\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 1, \"default\": \",\","
"        \"description\": \"What separates fields: one ASCII character, not a quote or line break\"},"
"      \"header\": {\"type\": \"boolean\", \"default\": true,"
"        \"description\": \"Begin with a line of the columns' names\"},"
"      \"encoding\": {\"type\": \"string\", \"enum\": [\"utf-8\"], \"default\": \"utf-8\","
"        \"description\": \"The file's encoding\"},"
"      \"newline\": {\"type\": \"string\", \"enum\": [\"lf\", \"crlf\"], \"default\": \"lf\","
"        \"description\": \"What ends a line; line breaks within values stay as they are\"},"
"      \"quoting\": {\"type\": \"string\", \"enum\": [\"minimal\", \"all\", \"nonnumeric\", \"none\"], \"default\": \"minimal\","
"        \"description\": \"Which fields are quoted: those that must be; all; all that are not numbers or booleans; none, and a value that must be is an error. NULL is never quoted unless it is a line's only field\"},"
"      \"columns\": {\"type\": \"string\", \"enum\": [\"sorted\", \"source\"], \"default\": \"sorted\","
"        \"description\": \"The order of the columns: by name, or as they come\"},"
"      \"binary\": {\"type\": \"string\", \"enum\": [\"hex\", \"base64\"], \"default\": \"hex\","
"        \"description\": \"How binary values are written\"},"
"      \"create_dirs\": {\"type\": \"boolean\", \"default\": true,"
"        \"description\": \"Make missing folders on the way to the file\"},"
"      \"chunk_size\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100000, \"default\": 1000, \"x-ignored\": true,"
"        \"description\": \"Accepted so that existing pipelines run; without meaning here, where rows are streamed\"}"
"    }"
"  },"
"  \"secrets\": [],"
"  \"examples\": ["
"    {\"title\": \"Comma-separated, with a header\", \"config\": {\"path\": \"output/orders.csv\"}},"
"    {\"title\": \"Tab-separated, without a header\","
"     \"config\": {\"path\": \"exports/orders.tsv\", \"delimiter\": \"\\t\", \"header\": false}},"
"    {\"title\": \"For spreadsheets on Windows\","
"     \"config\": {\"path\": \"output/orders.csv\", \"delimiter\": \";\", \"newline\": \"crlf\", \"columns\": \"source\"}}"
"  ]"
"}";
/* clang-format on */

struct csv_writer {
    const struct osiris_host *host;
    struct csv_options options;
};

static int writer_open(const struct osiris_host *host, void **state)
{
    struct csv_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return csv_fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL, "not enough memory");
    writer->host = host;
    if (csv_options_read(host, &writer->options) < 0) {
        free(writer);
        return -1;
    }
    *state = writer;
    return 0;
}

static void writer_close(void *state)
{
    free(state);
}

/* The stream's fault, not ours; a cancelled or failed producer has been reported by the host. */
static int fail_stream(const struct csv_writer *writer, struct ArrowArrayStream *stream, int code)
{
    if (code == ECANCELED)
        return -1;
    const char *text = stream->get_last_error(stream);
    return csv_fail(writer->host, OSIRIS_ERROR_INTERNAL, code, NULL, "cannot read the input: %s",
                    text != NULL ? text : strerror(code));
}

static int write_batches(const struct csv_writer *writer, struct csv_table *table,
                         struct ArrowArrayStream *stream)
{
    for (;;) {
        struct ArrowArray batch = {0};
        int code = stream->get_next(stream, &batch);
        if (code != 0)
            return fail_stream(writer, stream, code);
        if (batch.release == NULL)
            return csv_table_finish(table);
        int written = writer->host->cancelled(writer->host)
                          ? csv_fail(writer->host, OSIRIS_ERROR_CANCELLED, 0, NULL,
                                     "cancelled while writing %s", writer->options.path)
                          : csv_table_write_batch(table, &batch);
        batch.release(&batch);
        if (written < 0)
            return -1;
    }
}

static int write_stream(const struct csv_writer *writer, struct ArrowArrayStream *stream, int fd)
{
    struct ArrowSchema schema = {0};
    int code = stream->get_schema(stream, &schema);
    if (code != 0)
        return fail_stream(writer, stream, code);

    struct csv_table table;
    int written = csv_table_init(&table, writer->host, &writer->options, &schema, fd);
    if (schema.release != NULL)
        schema.release(&schema);
    if (written == 0 && writer->options.header)
        written = csv_table_write_header(&table);
    if (written == 0)
        written = write_batches(writer, &table, stream);
    csv_table_clear(&table);
    return written;
}

static int writer_run(void *state, const struct osiris_input *inputs, size_t input_count,
                      struct ArrowArrayStream *output)
{
    const struct csv_writer *writer = state;
    const struct osiris_host *host = writer->host;
    (void)output;
    if (input_count != 1)
        return csv_fail(host, OSIRIS_ERROR_CONFIG, 0,
                        "name one step under needs or inputs; one writer a file",
                        "%s writes one input, and the step has %zu", host->component, input_count);

    /* Before the first row is asked for: a folder that is missing should fail now. */
    const struct osiris_output_options options = {
        .struct_size = sizeof options,
        .flags = writer->options.create_dirs ? OSIRIS_OUTPUT_CREATE_DIRECTORIES : 0,
    };
    int fd = -1;
    if (host->open_output(host, writer->options.path, &options, &fd) < 0)
        return -1;
    return write_stream(writer, inputs[0].stream, fd);
}

static const char *const csv_writer_aliases[] = {"filesystem.csv_writer", NULL};

static const struct osiris_driver csv_writer = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "csv.writer",
    .aliases = csv_writer_aliases,
    .version = "1.0.0",
    .spec = csv_writer_spec,
    .open = writer_open,
    .run = writer_run,
    .close = writer_close,
};

static const struct osiris_driver *const csv_drivers[] = {&csv_writer, NULL};

OSIRIS_PLUGIN(csv) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "csv",
    .version = "1.0.0",
    .drivers = csv_drivers,
};
