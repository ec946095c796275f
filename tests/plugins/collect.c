/* test.collect: a writer that counts, and fails in every way that a writer can. */
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "test-plugin.h"

struct collect {
    const struct osiris_host *host;
    int64_t fail_after, stop_after, slow_ms, hang_after, crash_after;
    int fd;
};

static int collect_open(const struct osiris_host *host, void **state)
{
    struct collect *collect = calloc(1, sizeof *collect);

    if (collect == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    collect->host = host;
    collect->fail_after = host->get_integer(host, OSIRIS_CONFIG, "fail_after", -1);
    collect->stop_after = host->get_integer(host, OSIRIS_CONFIG, "stop_after", -1);
    collect->slow_ms = host->get_integer(host, OSIRIS_CONFIG, "slow_ms", 0);
    collect->hang_after = host->get_integer(host, OSIRIS_CONFIG, "hang_after", -1);
    collect->crash_after = host->get_integer(host, OSIRIS_CONFIG, "crash_after", -1);
    if (!test_attempt_is_bad(host))
        collect->fail_after = collect->hang_after = collect->crash_after = -1;
    *state = collect;
    return 0;
}

/* As a driver does that asks often enough. */
static int hang(const struct collect *collect)
{
    struct timespec pause = {.tv_nsec = 1000000};

    collect->host->log(collect->host, OSIRIS_DEBUG, "hanging now");
    while (!collect->host->cancelled(collect->host))
        nanosleep(&pause, NULL);
    return -1;
}

/* 1, if the first column is one that can be summed up; -1: there is no schema. */
static int has_numbers(struct ArrowArrayStream *input)
{
    struct ArrowSchema schema;

    if (input->get_schema(input, &schema) != 0)
        return -1;
    bool known = schema.n_children > 0 && strcmp(schema.children[0]->format, "l") == 0;
    schema.release(&schema);
    return known;
}

static int drain(struct collect *collect, struct ArrowArrayStream *input, int64_t *rows,
                 uint64_t *checksum)
{
    int numbers = has_numbers(input);

    if (numbers < 0)
        return -1;
    for (;;) {
        struct ArrowArray batch;
        struct timespec pause = {.tv_nsec = collect->slow_ms * 1000000};
        if (input->get_next(input, &batch) != 0)
            return -1;
        if (batch.release == NULL)
            return 0;
        const int64_t *ids = numbers ? (const int64_t *)batch.children[0]->buffers[1] : NULL;
        for (int64_t i = 0; numbers && i < batch.length; i++)
            *checksum = *checksum * 31 + (uint64_t)ids[batch.children[0]->offset + i];
        *rows += batch.length;
        batch.release(&batch);
        if (collect->slow_ms > 0)
            nanosleep(&pause, NULL);
        if (collect->hang_after >= 0 && *rows >= collect->hang_after)
            return hang(collect);
        if (collect->crash_after >= 0 && *rows >= collect->crash_after)
            raise(SIGSEGV);
        if (collect->fail_after >= 0 && *rows >= collect->fail_after)
            return test_fail(collect->host, OSIRIS_ERROR_DATA, "failed on purpose after %lld rows",
                             (long long)*rows);
        if (collect->stop_after >= 0 && *rows >= collect->stop_after)
            return 0;
    }
}

static int collect_run(void *state, const struct osiris_input *inputs, size_t input_count,
                       struct ArrowArrayStream *output)
{
    struct collect *collect = state;
    const struct osiris_host *host = collect->host;
    const char *path = host->get_string(host, OSIRIS_CONFIG, "path", NULL);
    int64_t rows = 0;
    uint64_t checksum = 0;
    char text[128];

    (void)output;
    if (host->get_boolean(host, OSIRIS_CONFIG, "fail_at_once", 0) && collect->fail_after >= 0)
        return test_fail(host, OSIRIS_ERROR_CONNECTION, "failed on purpose before the first row");
    if (host->open_output(host, path, NULL, &collect->fd) < 0)
        return -1;
    for (size_t i = 0; i < input_count; i++)
        if (drain(collect, inputs[i].stream, &rows, &checksum) < 0)
            return -1;
    int length = snprintf(text, sizeof text, "%lld rows, checksum %016llx\n", (long long)rows,
                          (unsigned long long)checksum);
    if (write(collect->fd, text, (size_t)length) != length)
        return test_fail(host, OSIRIS_ERROR_IO, "cannot write \"%s\"", path);
    return 0;
}

static int collect_commit(void *state)
{
    const struct collect *collect = state;
    const struct osiris_host *host = collect->host;

    if (host->get_boolean(host, OSIRIS_CONFIG, "commit_fail", 0))
        return test_fail(host, OSIRIS_ERROR_PERMISSION, "the commit failed on purpose");
    host->log(host, OSIRIS_DEBUG, "committed");
    return 0;
}

static void collect_abort(void *state)
{
    const struct collect *collect = state;

    collect->host->log(collect->host, OSIRIS_DEBUG, "aborted");
}

static void collect_close(void *state)
{
    free(state);
}

#define OPTIONS                                                                                    \
    "\"configSchema\": {\"type\": \"object\","                                                       \
    "\"required\": [\"path\"], \"additionalProperties\": false, \"properties\": {"                   \
    "\"path\": {\"type\": \"string\"}," TEST_ATTEMPT_OPTIONS                                         \
    "\"fail_after\": {\"type\": \"integer\"}, \"stop_after\": {\"type\": \"integer\"},"              \
    "\"hang_after\": {\"type\": \"integer\"}, \"crash_after\": {\"type\": \"integer\"},"             \
    "\"fail_at_once\": {\"type\": \"boolean\"},"                                                     \
    "\"slow_ms\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 999},"                        \
    "\"commit_fail\": {\"type\": \"boolean\"}}}"

static const struct osiris_driver collect_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "test.collect",
    .version = "1.0.0",
    .spec = "{\"title\": \"Collect\", \"modes\": [\"write\"], " OPTIONS "}",
    .open = collect_open,
    .run = collect_run,
    .commit = collect_commit,
    .abort = collect_abort,
    .close = collect_close,
};

/* The same, but for what it says of itself. */
static const struct osiris_driver log_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "test.log",
    .version = "1.0.0",
    .spec = "{\"title\": \"Log\", \"modes\": [\"write\"], \"x-atomic\": false, " OPTIONS "}",
    .open = collect_open,
    .run = collect_run,
    .commit = collect_commit,
    .abort = collect_abort,
    .close = collect_close,
};

TEST_PLUGIN(collect, &collect_driver, &log_driver);
