/*
 * test.read: an extractor that reads a file and yields a row for it: how many bytes there are, and in the text a sum of them.
 * test.write: a writer that drops its rows and writes bytes into files, in `run` and in `commit`.
 */
#include <poll.h>
#include <time.h>

#include "test-plugin.h"

struct files {
    const struct osiris_host *host;
    int64_t total, sum;
    int done, fails;
};

static int files_open(const struct osiris_host *host, void **state)
{
    struct files *files = calloc(1, sizeof *files);

    if (files == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    files->host = host;
    files->fails = test_attempt_is_bad(host);
    *state = files;
    return 0;
}

static void files_close(void *state)
{
    free(state);
}

/* Holds until the step is cancelled, or the file `hold` is gone. */
static void hold(const struct files *files)
{
    const char *path = files->host->get_string(files->host, OSIRIS_CONFIG, "hold", NULL);

    if (path != NULL)
        files->host->log(files->host, OSIRIS_DEBUG, "holding now");
    while (path != NULL && access(path, F_OK) == 0 && !files->host->cancelled(files->host))
        (void)poll(NULL, 0, 2);
}

/* Reading. */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    return test_make_schema(out);
}

static int read_all(struct files *files)
{
    const struct osiris_host *host = files->host;
    const char *path = host->get_string(host, OSIRIS_CONFIG, "path", NULL);
    int64_t limit = host->get_integer(host, OSIRIS_CONFIG, "limit", INT64_MAX);
    unsigned char bytes[65536];
    ssize_t count = 1;
    int fd;

    if (host->open_input(host, path, &fd) < 0)
        return EIO;
    hold(files);
    while (files->total < limit && (count = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < count; i++)
            files->sum = (files->sum * 31 + bytes[i]) % 1000000007;
        files->total += count;
    }
    if (count < 0)
        test_fail(host, OSIRIS_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    (void)close(fd);
    return count < 0 ? EIO : 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct files *files = stream->private_data;

    out->release = NULL;
    if (files->done)
        return 0;
    files->done = 1;
    int failed = read_all(files);
    if (failed != 0)
        return failed;
    return test_make_batch(files->total * 1000000007 + files->sum, 1, 0, out);
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "";
}

static void release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int read_run(void *state, const struct osiris_input *inputs, size_t input_count, struct ArrowArrayStream *output)
{
    (void)inputs;
    (void)input_count;
    *output = (struct ArrowArrayStream){.get_schema = get_schema,
                                        .get_next = get_next,
                                        .get_last_error = last_error,
                                        .release = release,
                                        .private_data = state};
    return 0;
}

/* Writing. */

static int drain(struct ArrowArrayStream *input)
{
    for (;;) {
        struct ArrowArray batch;
        if (input->get_next(input, &batch) != 0)
            return -1;
        if (batch.release == NULL)
            return 0;
        batch.release(&batch);
    }
}

/* Bytes that compress a little. */
static int write_bytes(const struct files *files, const char *path, int fd, int64_t count, int64_t seed)
{
    char block[32768];

    for (int64_t done = 0; done < count;) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = "0123456789abcdef\n"[((uint64_t)(done + (int64_t)i + seed) * 2654435761u >> 13) % 17];
        size_t part = count - done < (int64_t)sizeof block ? (size_t)(count - done) : sizeof block;
        ssize_t written = write(fd, block, part);
        if (written < 0)
            return test_fail(files->host, OSIRIS_ERROR_IO, "cannot write %s: %s", path, strerror(errno));
        done += written;
    }
    return 0;
}

static int write_file(const struct files *files, const char *path, int64_t bytes, int64_t seed, int *fd)
{
    const struct osiris_host *host = files->host;
    int64_t initial_size = -1;
    const struct osiris_output_options options = {
        .struct_size = sizeof options,
        .flags = (host->get_boolean(host, OSIRIS_CONFIG, "append", 0) ? OSIRIS_OUTPUT_APPEND : 0u) |
                 (host->get_boolean(host, OSIRIS_CONFIG, "create_directories", 0) ? OSIRIS_OUTPUT_CREATE_DIRECTORIES : 0u) |
                 (host->get_boolean(host, OSIRIS_CONFIG, "no_sync", 0) ? OSIRIS_OUTPUT_NO_SYNC : 0u),
        .mode = (uint32_t)host->get_integer(host, OSIRIS_CONFIG, "mode", 0),
        .initial_size = &initial_size,
    };

    if (host->open_output(host, path, &options, fd) < 0)
        return -1;
    char text[64];
    snprintf(text, sizeof text, "initial size %lld", (long long)initial_size);
    host->log(host, OSIRIS_INFO, text);
    return write_bytes(files, path, *fd, bytes, seed);
}

/* One that says which attempt it is, and one of each size. */
static int leave_artifacts(const struct files *files)
{
    const struct osiris_host *host = files->host;
    size_t count = host->get_count(host, OSIRIS_CONFIG, "artifacts");
    const char *folder = count == 0 ? "" : host->artifacts_dir(host);
    char path[4096], pointer[32];

    for (size_t i = 0; i <= count && count > 0; i++) {
        snprintf(pointer, sizeof pointer, "/artifacts/%zu", i);
        if (i < count)
            snprintf(path, sizeof path, "%s/artifact-%zu", folder, i);
        else
            snprintf(path, sizeof path, "%s/attempt-%d", folder, files->fails ? 1 : 2);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0 || write_bytes(files, path, fd, host->get_integer(host, OSIRIS_CONFIG, pointer, 0), (int64_t)i) < 0)
            return test_fail(host, OSIRIS_ERROR_IO, "no artifact %s", path);
        (void)close(fd);
    }
    return 0;
}

static int write_run(void *state, const struct osiris_input *inputs, size_t input_count, struct ArrowArrayStream *output)
{
    const struct files *files = state;
    const struct osiris_host *host = files->host;
    int64_t bytes = host->get_integer(host, OSIRIS_CONFIG, "bytes", 0);
    int finishes = host->get_boolean(host, OSIRIS_CONFIG, "finishes", 0);
    char pointer[32];

    (void)output;
    for (size_t i = 0; i < input_count; i++)
        if (drain(inputs[i].stream) < 0)
            return -1;
    for (size_t i = 0; i < host->get_count(host, OSIRIS_CONFIG, "paths"); i++) {
        int fd;
        snprintf(pointer, sizeof pointer, "/paths/%zu", i);
        if (write_file(files, host->get_string(host, OSIRIS_CONFIG, pointer, NULL), bytes, (int64_t)i, &fd) < 0)
            return -1;
        if (finishes && host->finish_output(host, fd) < 0)
            return -1;
    }
    if (leave_artifacts(files) < 0)
        return -1;
    hold(files);
    if (files->fails && host->get_boolean(host, OSIRIS_CONFIG, "fail", 0))
        return test_fail(host, OSIRIS_ERROR_DATA, "failed on purpose");
    return 0;
}

static int write_commit(void *state)
{
    const struct files *files = state;
    const char *path = files->host->get_string(files->host, OSIRIS_CONFIG, "commit_path", NULL);
    int fd;

    if (files->host->get_boolean(files->host, OSIRIS_CONFIG, "commit_fail", 0))
        return test_fail(files->host, OSIRIS_ERROR_DATA, "the commit failed on purpose");
    return path == NULL ? 0
                        : write_file(files, path, files->host->get_integer(files->host, OSIRIS_CONFIG, "bytes", 0), 99, &fd);
}

static const struct osiris_driver read_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.read",
    .version = "1.0.0",
    .spec = "{\"title\": \"Read\", \"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\", \"required\": [\"path\"],"
            "\"additionalProperties\": false, \"properties\": {\"path\": {\"type\": \"string\"},"
            "\"hold\": {\"type\": \"string\"}, \"limit\": {\"type\": \"integer\"}}}}",
    .open = files_open,
    .run = read_run,
    .close = files_close,
};

static const struct osiris_driver write_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "test.write",
    .version = "1.0.0",
    .spec = "{\"title\": \"Write\", \"modes\": [\"write\"], \"configSchema\": {\"type\": \"object\", \"required\": [\"paths\"],"
            "\"additionalProperties\": false, \"properties\": {\"paths\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},"
            TEST_ATTEMPT_OPTIONS "\"artifacts\": {\"type\": \"array\", \"items\": {\"type\": \"integer\"}},"
            "\"bytes\": {\"type\": \"integer\"}, \"mode\": {\"type\": \"integer\"}, \"append\": {\"type\": \"boolean\"},"
            "\"create_directories\": {\"type\": \"boolean\"}, \"no_sync\": {\"type\": \"boolean\"},"
            "\"finishes\": {\"type\": \"boolean\"}, \"fail\": {\"type\": \"boolean\"}, \"commit_fail\": {\"type\": \"boolean\"},"
            "\"hold\": {\"type\": \"string\"}, \"commit_path\": {\"type\": \"string\"}}}}",
    .open = files_open,
    .run = write_run,
    .commit = write_commit,
    .close = files_close,
};

TEST_PLUGIN(files, &read_driver, &write_driver);
