/*
 * csv.writer: a table as a CSV file (RFC 4180). docs/csv-writer.md says how each type is written and why.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <osiris/plugin.h>

#include "options.h"
#include "report.h"
#include "spec.h"
#include "table.h"

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

static int writer_validate(const struct osiris_host *host)
{
    struct csv_options options;
    return csv_options_read(host, &options);
}

static void writer_close(void *state)
{
    free(state);
}

/* The stream's fault, not ours; the host has reported a cancelled or failed producer. */
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

static int write_stream(const struct csv_writer *writer, struct ArrowArrayStream *stream,
                        struct csv_parts *parts)
{
    struct ArrowSchema schema = {0};
    int code = stream->get_schema(stream, &schema);
    if (code != 0)
        return fail_stream(writer, stream, code);

    struct csv_table table;
    int written = csv_table_init(&table, parts, &schema);
    if (schema.release != NULL)
        schema.release(&schema);
    if (written == 0)
        written = csv_table_begin(&table);
    if (written == 0)
        written = write_batches(writer, &table, stream);
    csv_table_clear(&table);
    return written;
}

/* Numbers are printed in the C locale, whatever locale a library has set for the process. */
static int write_in_c_locale(const struct csv_writer *writer, struct ArrowArrayStream *stream,
                             struct csv_parts *parts)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return csv_fail(writer->host, OSIRIS_ERROR_INTERNAL, errno, NULL, "not enough memory");
    locale_t before = uselocale(plain);
    int written = write_stream(writer, stream, parts);
    uselocale(before);
    freelocale(plain);
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
                        "name one step under needs or inputs, and use one writer for each file",
                        "%s writes exactly one input, and the step has %zu", host->component, input_count);

    /* Opened before the first row is requested, so that a missing folder fails at once. */
    struct csv_parts parts;
    int written = csv_parts_init(&parts, host, &writer->options) < 0
                      ? -1
                      : write_in_c_locale(writer, inputs[0].stream, &parts);
    csv_parts_clear(&parts);
    return written;
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
    .validate = writer_validate,
};

static const struct osiris_driver *const csv_drivers[] = {&csv_writer, NULL};

OSIRIS_PLUGIN(csv) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "csv",
    .version = "1.0.0",
    .drivers = csv_drivers,
};
