/*
 * test.careless: an extractor that closes descriptors that are not its own, `at` a verb (or with its second batch), and takes their numbers
 * for its own: `closes` says which, by a part of what /proc says they are ("": all of them from 3 on), and `fills` with what.
 */
#include <dirent.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "test-plugin.h"

#define MOST 64

struct careless {
    const struct osiris_host *host;
    int64_t given;
};

static const char *option(const struct careless *careless, const char *name)
{
    return careless->host->get_string(careless->host, OSIRIS_CONFIG, name, "");
}

/* Numbers whose link contains `part`. */
static size_t find(const char *part, int found[MOST])
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    for (const struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL && count < MOST; entry = readdir(dir)) {
        char target[4096];
        int fd = atoi(entry->d_name);
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        if (fd >= 3 && fd != dirfd(dir) && length > 0 && strstr(target, part) != NULL)
            found[count++] = fd;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

/* What is written to it would be found there. */
static int open_own(const char *fills, size_t number)
{
    char path[64];

    snprintf(path, sizeof path, "own-%zu", number);
    if (strcmp(fills, "files") == 0)
        return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    (void)mkdir(path, 0755);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void be_careless(const struct careless *careless, const char *at)
{
    const char *fills = option(careless, "fills");
    int numbers[MOST];

    if (strcmp(option(careless, "at"), at) != 0)
        return;
    size_t count = find(option(careless, "closes"), numbers);
    for (size_t i = 0; i < count; i++)
        (void)close(numbers[i]);
    for (size_t i = 0; i < count && fills[0] != '\0'; i++) {
        int own = open_own(fills, i);
        if (own != numbers[i]) {
            (void)dup3(own, numbers[i], O_CLOEXEC);
            (void)close(own);
        }
    }
}

static int open_careless(const struct osiris_host *host, void **state)
{
    struct careless *careless = calloc(1, sizeof *careless);

    if (careless == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    careless->host = host;
    *state = careless;
    be_careless(careless, "open");
    return 0;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    return test_make_schema(out);
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct careless *careless = stream->private_data;
    int64_t rows = careless->host->get_integer(careless->host, OSIRIS_CONFIG, "rows", 1000);

    out->release = NULL;
    if (careless->given > 0)
        be_careless(careless, "batch");
    if (careless->given >= rows)
        return 0;
    careless->given += 100;
    return test_make_batch(careless->given - 100, 100, 0, out);
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int run_careless(void *state, const struct osiris_input *inputs, size_t input_count, struct ArrowArrayStream *output)
{
    struct careless *careless = state;

    (void)inputs, (void)input_count;
    be_careless(careless, "run");
    *output = (struct ArrowArrayStream){.get_schema = get_schema,
                                        .get_next = get_next,
                                        .get_last_error = last_error,
                                        .release = release,
                                        .private_data = careless};
    return 0;
}

static int commit_careless(void *state)
{
    be_careless(state, "commit");
    return 0;
}

static void abort_careless(void *state)
{
    be_careless(state, "abort");
}

static void close_careless(void *state)
{
    be_careless(state, "close");
    free(state);
}

static const struct osiris_driver driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.careless",
    .version = "1.0.0",
    .spec = "{\"title\": \"Careless\", \"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\","
            "\"additionalProperties\": false, \"properties\": {\"at\": {\"type\": \"string\"}, \"closes\": {\"type\": \"string\"},"
            "\"fills\": {\"enum\": [\"\", \"files\", \"folders\"]}, \"rows\": {\"type\": \"integer\"}}}}",
    .open = open_careless,
    .run = run_careless,
    .commit = commit_careless,
    .abort = abort_careless,
    .close = close_careless,
};

TEST_PLUGIN(careless, &driver);
