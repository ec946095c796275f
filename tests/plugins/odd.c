/*
 * test.odd_source, test.odd_pass and test.odd_sink: drivers that live (no crash, no hang), and do what a careless
 * author's or another library's would: report an error and return 0, return an errno, move an input or read it when it
 * is released, change the process's folder and umask, pass NULL, leave pipes among their artifacts, leave a thread
 * behind.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test-plugin.h"

struct odd {
    const struct osiris_host *host;
    const char *report_in, *return_in, *reads;
    int result;
    int64_t rows;
    bool given;
    struct ArrowArrayStream input; /* moved here, or none */
};

/* What a verb returns: as the options say. */
static int end(const struct odd *odd, const char *verb)
{
    if (strcmp(odd->report_in, verb) == 0)
        (void)test_fail(odd->host, OSIRIS_ERROR_DATA, "told in %s", verb);
    return strcmp(odd->return_in, verb) == 0 ? odd->result : 0;
}

static int validate_odd(const struct osiris_host *host)
{
    if (strcmp(host->get_string(host, OSIRIS_CONFIG, "report_in", ""), "validate") == 0)
        (void)test_fail(host, OSIRIS_ERROR_DATA, "told in validate");
    if (strcmp(host->get_string(host, OSIRIS_CONFIG, "null", ""), "validate") == 0) {
        host->error(host, NULL);
        host->log(NULL, OSIRIS_INFO, "x");
    }
    return strcmp(host->get_string(host, OSIRIS_CONFIG, "return_in", ""), "validate") == 0
               ? (int)host->get_integer(host, OSIRIS_CONFIG, "result", 0)
               : 0;
}

static int open_odd(const struct osiris_host *host, void **state)
{
    struct odd *odd = calloc(1, sizeof *odd);
    const char *folder = host->get_string(host, OSIRIS_CONFIG, "go_to", NULL);

    if (odd == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    odd->host = host;
    odd->report_in = host->get_string(host, OSIRIS_CONFIG, "report_in", "");
    odd->return_in = host->get_string(host, OSIRIS_CONFIG, "return_in", "");
    odd->result = (int)host->get_integer(host, OSIRIS_CONFIG, "result", 0);
    odd->reads = host->get_string(host, OSIRIS_CONFIG, "reads", "");
    odd->rows = host->get_integer(host, OSIRIS_CONFIG, "rows", 10);
    if (host->value_type(host, OSIRIS_CONFIG, "umask") != OSIRIS_ABSENT)
        (void)umask((mode_t)host->get_integer(host, OSIRIS_CONFIG, "umask", 0));
    if (folder != NULL && chdir(folder) < 0)
        return test_fail(host, OSIRIS_ERROR_IO, "cannot go to %s", folder);
    *state = odd;
    int result = end(odd, "open");
    if (strcmp(odd->report_in, "open") == 0 || result != 0)
        free(odd);
    return result;
}

static int ask(const struct odd *odd, const char *verb)
{
    odd->host->result(odd->host, "{\"databases\": []}");
    return end(odd, verb);
}

static int check_odd(void *state)
{
    return ask(state, "check");
}

static int discover_odd(void *state)
{
    return ask(state, "discover");
}

/* NULL. */

static void pass_null(const struct odd *odd, const char *what)
{
    const struct osiris_host *host = odd->host;
    const char *options = "x";
    int fd = -1;

#define CASE(name) if (strcmp(what, name) == 0)
    CASE("log") host->log(host, OSIRIS_INFO, NULL);
    CASE("event") host->event(host, NULL, "{}");
    CASE("metric") host->metric(host, NULL, 1, NULL);
    CASE("error") host->error(host, NULL);
    CASE("result") host->result(host, NULL);
    CASE("open_input") (void)host->open_input(host, NULL, &fd);
    CASE("open_input fd") (void)host->open_input(host, "/dev/null", NULL);
    CASE("open_output") (void)host->open_output(host, NULL, NULL, &fd);
    CASE("open_output fd") (void)host->open_output(host, "null.txt", NULL, NULL);
    CASE("value_type") (void)host->value_type(host, OSIRIS_CONFIG, NULL);
    CASE("get_string") options = host->get_string(host, OSIRIS_CONFIG, NULL, options);
    CASE("get_integer") (void)host->get_integer(host, OSIRIS_CONNECTION, NULL, 1);
    CASE("get_number") (void)host->get_number(host, OSIRIS_CONFIG, NULL, 1);
    CASE("get_boolean") (void)host->get_boolean(host, OSIRIS_CONFIG, NULL, 1);
    CASE("get_count") (void)host->get_count(host, OSIRIS_CONFIG, NULL);
    CASE("get_json") (void)host->get_json(host, OSIRIS_CONFIG, NULL);
    CASE("log host") host->log(NULL, OSIRIS_INFO, "x");
    CASE("event host") host->event(NULL, "x", NULL);
    CASE("metric host") host->metric(NULL, "x", 1, NULL);
    CASE("error host") host->error(NULL, NULL);
    CASE("result host") host->result(NULL, "{}");
    CASE("cancelled host") (void)host->cancelled(NULL);
    CASE("artifacts_dir host") (void)host->artifacts_dir(NULL);
    CASE("temp_dir host") (void)host->temp_dir(NULL);
    CASE("open_input host") (void)host->open_input(NULL, "x", &fd);
    CASE("open_output host") (void)host->open_output(NULL, "x", NULL, &fd);
    CASE("finish_output host") (void)host->finish_output(NULL, 1);
    CASE("get_string host") (void)host->get_string(NULL, OSIRIS_CONFIG, "x", NULL);
#undef CASE
}

/* Artifacts. */

static int make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || close(fd) < 0 ? -1 : 0;
}

static int make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 ? -1 : 0;
}

static int leave_artifacts(const struct odd *odd)
{
    const char *folder = odd->host->artifacts_dir(odd->host);

    if (folder == NULL)
        return -1;
    /* Short names: a socket's path has little room. */
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = chdir(folder) < 0 || make_file("file") < 0 || mkdir("sub", 0755) < 0 || make_file("sub/file") < 0 ||
                 make_file("gr\303\274n \342\202\254") < 0 || symlink("../file", "sub/inside") < 0 || symlink("sub", "down") < 0 ||
                 symlink("nothing", "dangling") < 0 || mkfifo("pipe", 0644) < 0 || make_socket("socket") < 0 ||
                 symlink("/etc/passwd", "absolute") < 0 || symlink("../../../../x", "out") < 0 ||
                 symlink("../..", "sub/up") < 0 || symlink("down/../../..", "round") < 0 || symlink("loop", "loop") < 0 ||
                 make_file("red\033[31m") < 0 || make_file("c1\302\233x") < 0 || make_file("\377\376") < 0 ||
                 mkdir("line\nbreak", 0755) < 0 || make_file("line\nbreak/file") < 0;
    if (here >= 0 && fchdir(here) == 0)
        (void)close(here);
    return failed ? test_fail(odd->host, OSIRIS_ERROR_IO, "cannot leave artifacts: %s", strerror(errno)) : 0;
}

/* A thread that outlives its step: when another step says so, it calls the host that it knows, and the input if there is one. */

static sem_t go, done;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_semaphores(void)
{
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
}

static void call_all(const struct osiris_host *host)
{
    const struct osiris_error_report report = {
        .struct_size = sizeof report, .category = OSIRIS_ERROR_DATA, .message = "stray error"};
    int fd = -1;

    host->log(host, OSIRIS_WARNING, "stray line");
    host->event(host, "stray_event", "{\"a\": 1}");
    host->metric(host, "stray_metric", 1, NULL);
    host->error(host, &report);
    host->result(host, "{}");
    (void)host->get_string(host, OSIRIS_CONFIG, "path", NULL);
    (void)host->get_json(host, OSIRIS_CONFIG, "path");
    (void)host->artifacts_dir(host);
    (void)host->temp_dir(host);
    (void)host->open_output(host, "stray.txt", NULL, &fd);
    (void)host->finish_output(host, fd);
    (void)host->cancelled(host);
}

static void *stray(void *context)
{
    struct odd *odd = context;
    struct ArrowArrayStream input = odd->input;
    struct ArrowArray batch;
    struct ArrowSchema schema;

    while (sem_wait(&go) < 0)
        continue;
    for (int i = 0; i < 100; i++)
        call_all(odd->host);
    if (input.release != NULL) {
        (void)input.get_schema(&input, &schema);
        (void)input.get_next(&input, &batch);
        (void)input.get_last_error(&input);
        input.release(&input);
    }
    sem_post(&done);
    /* Until the process ends. */
    for (;;)
        odd->host->log(odd->host, OSIRIS_WARNING, "stray line");
    return NULL;
}

static int leave_thread(struct odd *odd)
{
    pthread_t thread;

    return pthread_create(&thread, NULL, stray, odd) != 0 || pthread_detach(thread) != 0
               ? test_fail(odd->host, OSIRIS_ERROR_INTERNAL, "no thread")
               : 0;
}

/* What all do in run. */

static int write_file(const struct odd *odd, const char *option)
{
    const char *path = odd->host->get_string(odd->host, OSIRIS_CONFIG, option, NULL);
    const struct osiris_output_options options = {.struct_size = sizeof options, .flags = OSIRIS_OUTPUT_CREATE_DIRECTORIES};
    int fd;

    if (path == NULL)
        return 0;
    if (odd->host->open_output(odd->host, path, &options, &fd) < 0)
        return -1;
    return write(fd, "all\n", 4) == 4 ? 0 : test_fail(odd->host, OSIRIS_ERROR_IO, "cannot write");
}

/* The folder it has for it is one that it can use. */
static int use_temp_dir(const struct odd *odd)
{
    const char *folder = odd->host->temp_dir(odd->host);
    char path[4096];

    if (folder == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 || close(fd) < 0 ? test_fail(odd->host, OSIRIS_ERROR_IO, "no file %s: %s", path, strerror(errno)) : 0;
}

static int begin(struct odd *odd)
{
    const struct osiris_host *host = odd->host;
    const char *null = host->get_string(host, OSIRIS_CONFIG, "null", NULL);
    const char *other = host->get_string(host, OSIRIS_CONFIG, "input", NULL);

    if (null != NULL)
        pass_null(odd, null);
    if (other != NULL) {
        int fd;
        if (host->open_input(host, other, &fd) < 0)
            return -1;
        (void)close(fd);
    }
    if (host->get_boolean(host, OSIRIS_CONFIG, "artifacts", 0) && leave_artifacts(odd) < 0)
        return -1;
    if (host->get_boolean(host, OSIRIS_CONFIG, "temp_dir", 0) && use_temp_dir(odd) < 0)
        return -1;
    (void)pthread_once(&once, make_semaphores);
    if (host->get_boolean(host, OSIRIS_CONFIG, "stirs", 0)) {
        sem_post(&go);
        while (sem_wait(&done) < 0)
            continue;
    }
    return write_file(odd, "path");
}

/* The stream. */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct odd *odd = stream->private_data;
    const char *names = odd->host->get_string(odd->host, OSIRIS_CONFIG, "names", NULL);
    int result = end(odd, "get_schema");

    if (result == 0)
        result = test_make_schema(out);
    if (result == 0 && names != NULL)
        out->children[0]->name = out->children[1]->name = names;
    return result;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct odd *odd = stream->private_data;

    out->release = NULL;
    if (odd->given)
        return end(odd, "get_next");
    odd->given = true;
    return test_make_batch(0, odd->rows, 0, out);
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void release(struct ArrowArrayStream *stream)
{
    (void)end(stream->private_data, "release");
    stream->release = NULL;
}

static void move_input(struct odd *odd, const struct osiris_input *inputs)
{
    odd->input = *inputs[0].stream;
    *inputs[0].stream = (struct ArrowArrayStream){0}; /* as arrow-rs does */
}

static int source_run(void *state, const struct osiris_input *inputs, size_t input_count,
                      struct ArrowArrayStream *output)
{
    struct odd *odd = state;

    (void)inputs, (void)input_count;
    if (begin(odd) < 0)
        return -1;
    if (odd->host->get_boolean(odd->host, OSIRIS_CONFIG, "stray", 0) && leave_thread(odd) < 0)
        return -1;
    *output = (struct ArrowArrayStream){.get_schema = get_schema,
                                        .get_next = get_next,
                                        .get_last_error = last_error,
                                        .release = release,
                                        .private_data = odd};
    return end(odd, "run");
}

/* test.odd_pass moves its input into its output. */
static int pass_run(void *state, const struct osiris_input *inputs, size_t input_count, struct ArrowArrayStream *output)
{
    struct odd *odd = state;

    (void)input_count;
    if (begin(odd) < 0)
        return -1;
    *output = *inputs[0].stream;
    inputs[0].stream->release = NULL; /* as Arrow C++ and nanoarrow do */
    return end(odd, "run");
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

/* The first batch, and no more. */
static int read_one(struct ArrowArrayStream *input, int64_t *rows)
{
    struct ArrowArray batch;

    if (input->get_next(input, &batch) != 0)
        return -1;
    if (batch.release != NULL) {
        *rows += batch.length;
        batch.release(&batch);
    }
    return 0;
}

static int read_input(struct odd *odd, const struct osiris_input *inputs, int64_t *rows)
{
    struct ArrowArrayStream *input = inputs[0].stream;
    struct ArrowArrayStream copy = *input;
    const char *reads = odd->reads;

    if (strcmp(reads, "") == 0)
        return drain(input, rows);
    if (strcmp(reads, "released") == 0) {
        if (drain(input, rows) < 0)
            return -1;
        input->release(input);
        return 0;
    }
    if (strcmp(reads, "nothing") == 0) {
        input->release(input);
        return 0;
    }
    if (strcmp(reads, "again") == 0) { /* half, then what is left as if nothing had been released */
        if (read_one(input, rows) < 0)
            return -1;
        input->release(input);
        (void)drain(input, rows); /* whatever it says */
        return 0;
    }
    if (strcmp(reads, "copy_again") == 0) {
        if (read_one(input, rows) < 0)
            return -1;
        input->release(input);
        (void)drain(&copy, rows);
        return 0;
    }
    move_input(odd, inputs);
    if (strcmp(reads, "moved_nothing") != 0 && drain(&odd->input, rows) < 0)
        return -1;
    if (strcmp(reads, "moved") == 0 || strcmp(reads, "moved_nothing") == 0)
        odd->input.release(&odd->input);
    /* moved_for_ever, moved_to_commit, moved_to_close: later, or never */
    return 0;
}

static int sink_run(void *state, const struct osiris_input *inputs, size_t input_count,
                    struct ArrowArrayStream *output)
{
    struct odd *odd = state;
    int64_t rows = 0;

    (void)output;
    if (input_count != 1 || begin(odd) < 0 || read_input(odd, inputs, &rows) < 0)
        return -1;
    if (odd->host->get_boolean(odd->host, OSIRIS_CONFIG, "stray", 0) && leave_thread(odd) < 0)
        return -1;
    return end(odd, "run");
}

static int commit_odd(void *state)
{
    struct odd *odd = state;
    int64_t rows = 0;

    if (strcmp(odd->reads, "moved_to_commit") == 0)
        (void)drain(&odd->input, &rows);
    return write_file(odd, "path_of_commit") < 0 ? -1 : end(odd, "commit");
}

static void abort_odd(void *state)
{
    (void)end(state, "abort");
}

static void close_odd(void *state)
{
    struct odd *odd = state;

    (void)write_file(odd, "path_of_close");
    (void)end(odd, "close");
    if (strcmp(odd->reads, "moved_to_close") == 0)
        odd->input.release(&odd->input);
    if (!odd->host->get_boolean(odd->host, OSIRIS_CONFIG, "stray", 0)) /* else its thread has it */
        free(odd);
}

#define TEXT(name) "\"" name "\": {\"type\": \"string\"},"
#define FLAG(name) "\"" name "\": {\"type\": \"boolean\"},"
#define SPEC(title, modes)                                                                                   \
    "{\"title\": \"" title "\", \"modes\": [" modes "], \"configSchema\": {\"type\": \"object\","            \
    "\"additionalProperties\": false, \"properties\": {" TEXT("report_in") TEXT("return_in") TEXT("reads")   \
    TEXT("path") TEXT("path_of_commit") TEXT("path_of_close") TEXT("go_to") TEXT("null") TEXT("names")       \
    TEXT("input") FLAG("artifacts") FLAG("temp_dir") FLAG("stray") FLAG("stirs") TEST_ATTEMPT_OPTIONS        \
    "\"umask\": {\"type\": \"integer\"}, \"result\": {\"type\": \"integer\"}, \"rows\": {\"type\": \"integer\"}}}}"

#define VERBS                                                                                      \
    .struct_size = sizeof(struct osiris_driver), .version = "1.0.0", .open = open_odd,             \
    .commit = commit_odd, .abort = abort_odd, .close = close_odd, .check = check_odd,              \
    .discover = discover_odd, .validate = validate_odd

static const struct osiris_driver source_driver = {
    VERBS,
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.odd_source",
    .spec = SPEC("Odd source", "\"extract\", \"discover\""),
    .run = source_run,
};

static const struct osiris_driver pass_driver = {
    VERBS,
    .kind = OSIRIS_PROCESSOR,
    .name = "test.odd_pass",
    .spec = SPEC("Odd pass", "\"transform\""),
    .run = pass_run,
};

static const struct osiris_driver sink_driver = {
    VERBS,
    .kind = OSIRIS_WRITER,
    .name = "test.odd_sink",
    .spec = SPEC("Odd sink", "\"write\""),
    .run = sink_run,
};

TEST_PLUGIN(odd, &source_driver, &pass_driver, &sink_driver);
