/*
 * test.source and test.sink: an extractor and a writer with trouble `at` a verb, of every kind that a driver cannot
 * report: it hangs (in `interruptible`: until it is interrupted), takes its time (in `busy`: and says so; in `slow`:
 * not), crashes, or ends its thread. And drivers that hand over what they may not, say too much, read too little, or
 * leave a process behind.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "test-plugin.h"

struct faulty {
    const struct osiris_host *host;
    const char *at, *how, *give;
    atomic_bool interrupted;
    bool given, good; /* the attempt is good: it has no trouble */
    int64_t rows;
};

#define SPEC(title, mode, more)                                                                          \
    "{\"title\": \"" title "\", \"modes\": [\"" mode "\"]," more                                        \
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"  \
    "\"at\": {\"type\": \"string\"},"                                                              \
    "\"how\": {\"type\": \"string\", \"enum\": [\"hang\", \"interruptible\", \"busy\", \"slow\", \"crash\", \"fail\", \"end\"]}," \
    "\"give\": {\"type\": \"string\", \"enum\": [\"no_get_schema\", \"no_get_next\", \"no_last_error\", \"odd_values\"," \
    "\"odd_offsets\", \"slices\"]},"                                                                         \
    TEST_ATTEMPT_OPTIONS "\"rows\": {\"type\": \"integer\", \"default\": 10},"                                          \
    "\"path\": {\"type\": \"string\"},"                                                            \
    "\"say_bytes\": {\"type\": \"integer\", \"description\": \"how long a text is for the log, an event, and the error\"}," \
    "\"make_folder\": {\"type\": \"string\", \"description\": \"in commit\"},"                            \
    "\"measure\": {\"type\": \"boolean\", \"description\": \"what has no measure, too\"},"          \
    "\"unread\": {\"type\": \"boolean\", \"description\": \"the inputs are\"},"                    \
    "\"detach\": {\"type\": \"string\", \"description\": \"a process that is nobody's child writes its number there\"}}}}"

static void pause_ms(int64_t ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

/* Returns if there is none here, or when it is over. */
static void trouble(struct faulty *faulty, const char *verb)
{
    const struct osiris_host *host = faulty->host;

    if (strcmp(faulty->at, verb) != 0 || strcmp(faulty->how, "fail") == 0)
        return;
    host->log(host, OSIRIS_DEBUG, "in trouble");
    if (strcmp(faulty->how, "crash") == 0)
        raise(SIGSEGV);
    if (strcmp(faulty->how, "end") == 0)
        pthread_exit(NULL);
    bool busy = strcmp(faulty->how, "busy") == 0, slow = strcmp(faulty->how, "slow") == 0;
    for (int i = 0; !(busy || slow) || i < 400; i++) {
        if (busy)
            (void)host->cancelled(host);
        if (strcmp(faulty->how, "interruptible") == 0 && atomic_load(&faulty->interrupted))
            return;
        pause_ms(10);
    }
}

static int open_faulty(const struct osiris_host *host, void **state)
{
    struct faulty *faulty = calloc(1, sizeof *faulty);

    if (faulty == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    faulty->host = host;
    faulty->at = host->get_string(host, OSIRIS_CONFIG, "at", "");
    faulty->how = host->get_string(host, OSIRIS_CONFIG, "how", "hang");
    faulty->give = host->get_string(host, OSIRIS_CONFIG, "give", "");
    faulty->rows = host->get_integer(host, OSIRIS_CONFIG, "rows", 10);
    faulty->good = !test_attempt_is_bad(host);
    if (faulty->good)
        faulty->at = "";
    *state = faulty;
    trouble(faulty, "open");
    return 0;
}

/* So that what is to get this name cannot. */
static int commit_faulty(void *state)
{
    const struct faulty *faulty = state;
    const char *folder = faulty->host->get_string(faulty->host, OSIRIS_CONFIG, "make_folder", NULL);

    if (folder != NULL && mkdir(folder, 0700) < 0)
        return test_fail(faulty->host, OSIRIS_ERROR_IO, "cannot make \"%s\"", folder);
    trouble(state, "commit");
    return 0;
}

static void abort_faulty(void *state)
{
    trouble(state, "abort");
}

static void interrupt_faulty(void *state)
{
    struct faulty *faulty = state;

    if (strcmp(faulty->at, "interrupt") == 0)
        trouble(faulty, "interrupt");
    atomic_store(&faulty->interrupted, true);
}

static void close_faulty(void *state)
{
    trouble(state, "close");
    free(state);
}

static int detach(const struct faulty *faulty, const char *path)
{
    return test_detach(path, NULL) < 0 ? test_fail(faulty->host, OSIRIS_ERROR_IO, "cannot detach a process") : 0;
}

/* The one of another attempt must be gone. */
static int find_detached(const struct faulty *faulty, const char *path)
{
    FILE *file = fopen(path, "r");
    int pid = 0;

    if (file == NULL || fscanf(file, "%d", &pid) != 1)
        return test_fail(faulty->host, OSIRIS_ERROR_INTERNAL, "no number in %s", path);
    fclose(file);
    return kill(pid, 0) == 0 ? test_fail(faulty->host, OSIRIS_ERROR_DATA, "process %d lives", pid) : 0;
}

static int say_much(const struct faulty *faulty, int64_t bytes)
{
    const struct osiris_host *host = faulty->host;
    char *text = malloc((size_t)bytes + 32);

    if (text == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    memset(text, 'x', (size_t)bytes);
    text[bytes] = '\0';
    memcpy(text, "begin ", 6);
    host->log(host, OSIRIS_INFO, text);
    host->metric(host, text, 1, text);
    host->event(host, text, NULL);
    memcpy(text, "{\"t\":\"", 6);
    memcpy(text + bytes - 2, "\"}", 2);
    host->event(host, "much", text);
    memcpy(text, "begin ", 6);
    const struct osiris_error_report report = {.struct_size = sizeof report,
                                               .category = OSIRIS_ERROR_DATA,
                                               .message = text,
                                               .hint = text,
                                               .native_state = text};
    host->error(host, &report);
    free(text);
    return -1;
}

/* For ever. */
static void hang(void *value)
{
    (void)value;
    for (;;)
        pause_ms(10);
}

/* What hangs is a destructor of the thread's, when all is over. */
static void keep_thread(void)
{
    static pthread_key_t key;

    if (pthread_key_create(&key, hang) == 0)
        (void)pthread_setspecific(key, &key);
}

static void hang_at_exit(void)
{
    hang(NULL);
}

static void release_never(struct ArrowArray *batch)
{
    (void)batch;
    hang(NULL);
}

/* What both do before they begin. */
static int begin(struct faulty *faulty)
{
    const struct osiris_host *host = faulty->host;
    const char *path = host->get_string(host, OSIRIS_CONFIG, "detach", NULL);
    int64_t bytes = host->get_integer(host, OSIRIS_CONFIG, "say_bytes", 0);

    if (path != NULL && (faulty->good ? find_detached(faulty, path) : detach(faulty, path)) < 0)
        return -1;
    if (host->get_boolean(host, OSIRIS_CONFIG, "measure", 0)) {
        host->metric(host, "odd", (double)NAN, NULL);
        host->metric(host, "odd", -(double)INFINITY, NULL);
        host->metric(host, "even", 0.5, NULL);
    }
    if (strcmp(faulty->at, "thread_end") == 0)
        keep_thread();
    if (strcmp(faulty->at, "exit") == 0)
        (void)atexit(hang_at_exit);
    trouble(faulty, "run");
    if (strcmp(faulty->at, "run") == 0 && strcmp(faulty->how, "fail") == 0)
        return test_fail(host, OSIRIS_ERROR_CONNECTION, "failed on purpose");
    return bytes > 0 ? say_much(faulty, bytes) : 0;
}

/* The stream. */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    trouble(stream->private_data, "get_schema");
    return test_make_schema(out);
}

/* One byte further than where they were. */
static const void *shifted(const void *buffer, size_t size)
{
    static _Thread_local _Alignas(8) char room[4096];

    memcpy(room + 1, buffer, size);
    return room + 1;
}

/* Of n rows those from the fourth on but the last one, the sixth being null: the batch has an offset, and its columns another. */
static void slice(struct ArrowArray *batch)
{
    static const uint8_t all_but_the_sixth[] = {0xdf, 0xff};

    batch->offset = 2;
    batch->length -= 4;
    for (int i = 0; i < 2; i++) {
        batch->children[i]->offset = 1;
        batch->children[i]->length -= 1;
    }
    batch->children[0]->buffers[0] = all_but_the_sixth;
    batch->children[0]->null_count = 1;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct faulty *faulty = stream->private_data;

    out->release = NULL;
    if (faulty->given)
        trouble(faulty, "get_next");
    if (faulty->given)
        return 0;
    faulty->given = true;
    int result = test_make_batch(0, faulty->rows, 0, out);
    if (result == 0 && strcmp(faulty->at, "release_batch") == 0)
        out->release = release_never;
    if (result == 0 && strcmp(faulty->give, "slices") == 0)
        slice(out);
    if (result == 0 && strcmp(faulty->give, "odd_values") == 0)
        out->children[0]->buffers[1] =
            shifted(out->children[0]->buffers[1], (size_t)faulty->rows * sizeof(int64_t));
    if (result == 0 && strcmp(faulty->give, "odd_offsets") == 0)
        out->children[1]->buffers[1] =
            shifted(out->children[1]->buffers[1], (size_t)(faulty->rows + 1) * sizeof(int32_t));
    return result;
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void release(struct ArrowArrayStream *stream)
{
    trouble(stream->private_data, "release");
    stream->release = NULL;
}

static int source_run(void *state, const struct osiris_input *inputs, size_t input_count,
                      struct ArrowArrayStream *output)
{
    struct faulty *faulty = state;

    (void)inputs;
    (void)input_count;
    if (begin(faulty) < 0)
        return -1;
    *output = (struct ArrowArrayStream){
        .get_schema = strcmp(faulty->give, "no_get_schema") == 0 ? NULL : get_schema,
        .get_next = strcmp(faulty->give, "no_get_next") == 0 ? NULL : get_next,
        .get_last_error = strcmp(faulty->give, "no_last_error") == 0 ? NULL : last_error,
        .release = release,
        .private_data = faulty};
    return 0;
}

static int drain(struct ArrowArrayStream *input, int64_t *rows)
{
    for (;;) {
        struct ArrowArray batch;
        if (input->get_next(input, &batch) != 0)
            return -1;
        if (batch.release == NULL)
            return 0;
        *rows += batch.length;
        batch.release(&batch);
    }
}

static int sink_run(void *state, const struct osiris_input *inputs, size_t input_count,
                    struct ArrowArrayStream *output)
{
    struct faulty *faulty = state;
    const struct osiris_host *host = faulty->host;
    const char *path = host->get_string(host, OSIRIS_CONFIG, "path", NULL);
    bool ignores = host->get_boolean(host, OSIRIS_CONFIG, "unread", 0) != 0;
    int64_t rows = 0;
    char text[32];
    int fd;

    (void)output;
    if (begin(faulty) < 0 || (path != NULL && host->open_output(host, path, NULL, &fd) < 0))
        return -1;
    for (size_t i = 0; i < input_count && !ignores; i++)
        if (drain(inputs[i].stream, &rows) < 0)
            return -1;
    int length = snprintf(text, sizeof text, "%lld rows\n", (long long)rows);
    if (path != NULL && write(fd, text, (size_t)length) != length)
        return test_fail(host, OSIRIS_ERROR_IO, "cannot write \"%s\"", path);
    return 0;
}

#define VERBS                                                                                      \
    .open = open_faulty, .commit = commit_faulty, .abort = abort_faulty,                            \
    .interrupt = interrupt_faulty, .close = close_faulty

static const struct osiris_driver source_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.source",
    .version = "1.0.0",
    .spec = SPEC("Source", "extract", ""),
    .run = source_run,
    VERBS,
};

static const struct osiris_driver patient_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.patient",
    .version = "1.0.0",
    .spec = SPEC("Patient", "extract", "\"x-bounded-waits\": true,"),
    .run = source_run,
    VERBS,
};

static const struct osiris_driver sink_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_WRITER,
    .name = "test.sink",
    .version = "1.0.0",
    .spec = SPEC("Sink", "write", ""),
    .run = sink_run,
    VERBS,
};

TEST_PLUGIN(faulty, &source_driver, &patient_driver, &sink_driver);
