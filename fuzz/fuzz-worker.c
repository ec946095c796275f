/*
 * Anything at all from an orchestrator to the whole of osiris-worker: its loop, its requests and streams, with drivers that make,
 * pass on and read every value. What it says keeps to the protocol, and it ends when the channel does. The input: see feed.h.
 *
 * The drivers are the harness's own; nothing of the input reaches a file, a folder or the environment.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "arrow-digest.h"
#include "feed.h"

/* What the worker prints at its end is of no use here; what a sanitizer prints is. */
static FILE *no_words;

#define main worker_main
#pragma push_macro("stderr")
#undef stderr
#define stderr no_words
int worker_main(int argc, char **argv);
#include "worker/main.c"
#pragma pop_macro("stderr")
#undef main

#include "../tests/plugins/test-plugin.h"
#include "core/plugin/loader.h"

#define MOST_VALUES 20000
#define PATIENCE_MS 10000

/* What a worker does to its process, its folders and its environment does not happen. */

static __thread int used_fd = -1;

int lifecycle_begin(int channel_fd, struct osiris_error *error)
{
    (void)error;
    return channel_fd;
}

int lifecycle_signal_fd(struct osiris_error *error)
{
    (void)error;
    return used_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void lifecycle_note_origin(struct worker_origin *origin)
{
    origin->output.folder = AT_FDCWD;
}

int lifecycle_enter(struct worker_origin *origin, const char *folder, struct osiris_error *error)
{
    (void)origin;
    (void)folder;
    (void)error;
    return 0;
}

void lifecycle_name_thread(const char *step_id, const char *component)
{
    (void)step_id;
    (void)component;
}

static __thread struct channel *used_channel;

struct channel *__real_channel_new(int fd, struct osiris_error *error);
struct channel *__wrap_channel_new(int fd, struct osiris_error *error);
struct channel *__wrap_channel_new(int fd, struct osiris_error *error)
{
    return used_channel = __real_channel_new(fd, error);
}

void lifecycle_end_children(void)
{
}

void lifecycle_bound_exit(void)
{
}

void lifecycle_kill_group(void)
{
    channel_free(used_channel);
    (void)close(used_fd);
    pthread_exit(NULL);
}

void __wrap_remove_tree(const char *path);
void __wrap_remove_tree(const char *path)
{
    (void)path;
}

int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
    (void)path;
    errno = EPERM;
    return -1;
}

int __wrap_setenv(const char *name, const char *value, int overwrite);
int __wrap_setenv(const char *name, const char *value, int overwrite)
{
    FUZZ_CHECK(name[0] != '\0' && strchr(name, '=') == NULL && value != NULL && overwrite == 1);
    return 0;
}

int __wrap_make_directories(const char *path, mode_t mode, struct osiris_error *error);
int __wrap_make_directories(const char *path, mode_t mode, struct osiris_error *error)
{
    (void)mode;
    return osiris_error_set_errno(error, EPERM, "cannot make \"%s\"", path);
}

/* Drivers: make, pass, read. */

struct maker {
    const struct osiris_host *host;
    int64_t rows, done, fail_after;
};

static int maker_open(const struct osiris_host *host, void **state)
{
    struct maker *maker = calloc(1, sizeof *maker);

    FUZZ_CHECK(maker != NULL);
    maker->host = host;
    maker->rows = host->get_integer(host, OSIRIS_CONFIG, "rows", 100);
    maker->fail_after = host->get_integer(host, OSIRIS_CONFIG, "fail_after", -1);
    if (maker->rows > 10000)
        maker->rows = 10000;
    host->log(host, OSIRIS_INFO, host->get_string(host, OSIRIS_CONFIG, "say", "hello"));
    host->event(host, "made", host->get_string(host, OSIRIS_CONNECTION, "event", "{}"));
    *state = maker;
    return host->get_boolean(host, OSIRIS_CONFIG, "refuse", 0)
               ? free(maker), test_fail(host, OSIRIS_ERROR_CONFIG, "refused")
               : 0;
}

static int maker_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    return test_make_schema(out);
}

static int maker_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct maker *maker = stream->private_data;
    int64_t left = maker->rows - maker->done, rows = left < 50 ? left : 50;

    out->release = NULL;
    if (maker->fail_after >= 0 && maker->done >= maker->fail_after) {
        test_fail(maker->host, OSIRIS_ERROR_DATA, "failed on purpose");
        return EIO;
    }
    maker->done += rows;
    return rows <= 0 ? 0 : test_make_batch(maker->done, rows, 40, out);
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void forget(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int maker_run(void *state, const struct osiris_input *inputs, size_t input_count,
                     struct ArrowArrayStream *output)
{
    (void)inputs;
    (void)input_count;
    *output = (struct ArrowArrayStream){.get_schema = maker_schema, .get_next = maker_next,
                                        .get_last_error = last_error, .release = forget,
                                        .private_data = state};
    return 0;
}

struct passer {
    struct ArrowArrayStream *input;
};

static int passer_open(const struct osiris_host *host, void **state)
{
    (void)host;
    *state = calloc(1, sizeof(struct passer));
    FUZZ_CHECK(*state != NULL);
    return 0;
}

static int passer_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct ArrowArrayStream *input = ((struct passer *)stream->private_data)->input;

    return input == NULL ? test_make_schema(out) : input->get_schema(input, out);
}

static int passer_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct ArrowArrayStream *input = ((struct passer *)stream->private_data)->input;

    out->release = NULL;
    return input == NULL ? 0 : input->get_next(input, out);
}

static int passer_run(void *state, const struct osiris_input *inputs, size_t input_count,
                      struct ArrowArrayStream *output)
{
    ((struct passer *)state)->input = input_count > 0 ? inputs[0].stream : NULL;
    *output = (struct ArrowArrayStream){.get_schema = passer_schema, .get_next = passer_next,
                                        .get_last_error = last_error, .release = forget,
                                        .private_data = state};
    return 0;
}

/* Every value of every batch is read. */
static int read_all(struct ArrowArrayStream *input)
{
    struct ArrowSchema schema;
    struct ArrowArray batch;
    uint64_t digest = 0;
    int result = input->get_schema(input, &schema);

    if (result != 0)
        return -1;
    while ((result = input->get_next(input, &batch)) == 0 && batch.release != NULL) {
        digest ^= arrow_digest_some(&schema, &batch, MOST_VALUES);
        batch.release(&batch);
    }
    schema.release(&schema);
    return result == 0 && digest != 1 ? 0 : -1;
}

static int reader_run(void *state, const struct osiris_input *inputs, size_t input_count,
                      struct ArrowArrayStream *output)
{
    (void)state;
    (void)output;
    for (size_t i = 0; i < input_count; i++)
        if (read_all(inputs[i].stream) < 0)
            return -1;
    return 0;
}

static void close_driver_state(void *state)
{
    free(state);
}

static const struct osiris_driver own_drivers[] = {
    {.struct_size = sizeof(struct osiris_driver), .kind = OSIRIS_EXTRACTOR, .name = "fuzz.make",
     .version = "1", .spec = "{}", .open = maker_open, .run = maker_run, .close = close_driver_state},
    {.struct_size = sizeof(struct osiris_driver), .kind = OSIRIS_PROCESSOR, .name = "fuzz.pass",
     .version = "1", .spec = "{}", .open = passer_open, .run = passer_run, .close = close_driver_state},
    {.struct_size = sizeof(struct osiris_driver), .kind = OSIRIS_WRITER, .name = "fuzz.read",
     .version = "1", .spec = "{}", .open = passer_open, .run = reader_run, .close = close_driver_state},
};
static const struct osiris_plugin own_plugin = {.abi_version = OSIRIS_ABI_VERSION,
                                                .struct_size = sizeof(struct osiris_plugin),
                                                .name = "fuzz", .version = "1"};

const struct osiris_plugin *loader_open(const char *path, struct osiris_error *error)
{
    if (strcmp(path, "/own") == 0)
        return &own_plugin;
    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "there is no \"%.64s\"", path);
    return NULL;
}

const struct osiris_driver *loader_driver(const struct osiris_plugin *plugin, const char *path,
                                          const char *name, struct osiris_error *error)
{
    (void)path;
    FUZZ_CHECK(plugin == &own_plugin);
    for (size_t i = 0; i < sizeof own_drivers / sizeof own_drivers[0]; i++)
        if (strcmp(own_drivers[i].name, name) == 0)
            return &own_drivers[i];
    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "there is no driver \"%.64s\"", name);
    return NULL;
}

const struct osiris_adapter *loader_adapter(const struct osiris_plugin *plugin, const char *path,
                                            const char *name, struct osiris_error *error)
{
    (void)plugin;
    (void)path;
    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "there is no adapter \"%.64s\"", name);
    return NULL;
}

static void *run_worker(void *context)
{
    (void)work(*(int *)context, false, -1);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed;
    pthread_t thread;
    int socket;

    if (no_words == NULL)
        no_words = fopen("/dev/null", "w");
    FUZZ_CHECK(no_words != NULL);
    feed_open(&feed, &socket, 1);
    FUZZ_CHECK(pthread_create(&thread, NULL, run_worker, &socket) == 0);
    feed_play(&feed, data, size);
    feed_end(&feed);
    feed_drain(&feed, PATIENCE_MS);
    FUZZ_CHECK(feed.ends[0].ended);
    FUZZ_CHECK(pthread_join(thread, NULL) == 0);
    feed_close(&feed);
    return 0;
}
