/* mysql.extractor: a reader's batches as the step's output. Everything runs on the step's thread but interrupt. */
#include <errno.h>
#include <stdlib.h>

#include "reader.h"

struct extractor {
    const struct osiris_host *host;
    struct mysql_reader reader;
    struct mysql_resume resume;
};

static int extractor_open(const struct osiris_host *host, void **state)
{
    struct extractor *extractor = calloc(1, sizeof *extractor);

    if (extractor == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    extractor->host = host;
    if (mysql_check_statement(host) < 0 || mysql_resume_check(host) < 0 ||
        mysql_reader_init(&extractor->reader, host) < 0) {
        free(extractor);
        return -1;
    }
    *state = extractor;
    return 0;
}

/* The stream. */

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct extractor *extractor = stream->private_data;

    return mysql_reader_schema(&extractor->reader, out) < 0 ? ENOMEM : 0;
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct extractor *extractor = stream->private_data;

    return mysql_reader_next(&extractor->reader, out) < 0 ? EIO : 0;
}

/* What went wrong was reported through the host. */
static const char *stream_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int extractor_run(void *state, const struct osiris_input *inputs, size_t input_count,
                         struct ArrowArrayStream *output)
{
    struct extractor *extractor = state;

    (void)inputs;
    (void)input_count;
    if (mysql_reader_connect(&extractor->reader) < 0 ||
        mysql_reader_find_key(&extractor->reader, &extractor->resume) < 0 ||
        mysql_reader_execute(&extractor->reader) < 0)
        return -1;
    *output = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                        .get_next = stream_get_next,
                                        .get_last_error = stream_last_error,
                                        .release = stream_release,
                                        .private_data = extractor};
    return 0;
}

static void extractor_interrupt(void *state)
{
    struct extractor *extractor = state;

    mysql_reader_interrupt(&extractor->reader);
}

static void extractor_close(void *state)
{
    struct extractor *extractor = state;

    mysql_reader_clear(&extractor->reader);
    mysql_resume_clear(&extractor->resume);
    free(extractor);
    mysql_thread_end();
}

const struct osiris_driver mysql_extractor = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "mysql.extractor",
    .version = "1.0.0",
    .spec = mysql_extractor_spec,
    .open = extractor_open,
    .run = extractor_run,
    .interrupt = extractor_interrupt,
    .close = extractor_close,
};
