/* test.generate: an extractor that makes rows, and every kind of trouble on demand. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "test-plugin.h"

struct generate {
    const struct osiris_host *host;
    int64_t rows, batch_rows, row_bytes, done;
    int64_t fail_after, crash_after, exit_after, hang_after, delay_ms;
    int print_batches;
    const char *garbage;
    int ignore_cancel;
    atomic_int interrupted;
    char error[128];
};

static const char spec[] =
    "{\"title\": \"Generate\", \"description\": \"Makes rows for tests\", \"modes\": [\"extract\"],"
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"rows\": {\"type\": \"integer\", \"minimum\": 0, \"default\": 10},"
    "\"batch_rows\": {\"type\": \"integer\", \"minimum\": 1, \"default\": 1000},"
    "\"row_bytes\": {\"type\": \"integer\", \"minimum\": 0, \"default\": 0},"
    "\"fail_after\": {\"type\": \"integer\", \"description\": \"fails after so many rows\"},"
    "\"crash_after\": {\"type\": \"integer\", \"description\": \"raises SIGSEGV after so many rows\"},"
    "\"exit_after\": {\"type\": \"integer\", \"description\": \"ends the process\"},"
    "\"hang_after\": {\"type\": \"integer\", \"description\": \"waits for an interrupt\"},"
    TEST_ATTEMPT_OPTIONS
    "\"leave\": {\"type\": \"string\", \"description\": \"makes a file of this name among the artifacts and one that is temporary\"},"
    "\"ignore_cancel\": {\"type\": \"boolean\", \"default\": false},"
    "\"delay_ms\": {\"type\": \"integer\", \"minimum\": 0, \"default\": 0},"
    "\"print_stdout\": {\"type\": \"boolean\", \"default\": false},"
    "\"print_secret\": {\"type\": \"boolean\", \"default\": false},"
    "\"print_batches\": {\"type\": \"boolean\", \"default\": false, \"description\": \"prints a line about each batch\"},"
    "\"print_environment\": {\"type\": \"boolean\", \"default\": false},"
    "\"spawn_child\": {\"type\": \"boolean\", \"default\": false},"
    "\"scratch\": {\"type\": \"boolean\", \"default\": false, \"description\": \"leaves a file in temp_dir\"},"
    "\"garbage\": {\"type\": \"string\", \"enum\": [\"none\", \"negative_length\", \"huge_length\","
    "\"negative_offset\", \"short_child\", \"no_children\", \"missing_child\", \"no_data\","
    "\"descending_offsets\", \"negative_offsets\", \"huge_offsets\", \"no_offsets\", \"null_count\","
    "\"buffer_count\", \"bad_format\", \"text_view\", \"not_a_struct\", \"no_schema\", \"silent_failure\"]},"
    "\"password\": {\"type\": \"string\"}}},"
    "\"secrets\": [\"/password\"],"
    "\"x-connection-fields\": [{\"name\": \"password\", \"override\": \"forbidden\"}]}";

static void spawn_child(void)
{
    if (fork() == 0) {
        for (;;)
            pause();
    }
}

static void print_secret(const struct osiris_host *host)
{
    const char *password = host->get_string(host, OSIRIS_CONNECTION, "password", "");
    char text[256];

    snprintf(text, sizeof text, "the password is %s, really", password);
    host->log(host, OSIRIS_INFO, text);
    puts(text);
    fflush(stdout);
    fprintf(stderr, "%s\n", text);
    snprintf(text, sizeof text, "{\"note\": \"uses %s\", \"password\": \"%s\"}", password, password);
    host->event(host, "secret_used", text);
}

static int leave_scratch(const struct osiris_host *host)
{
    const char *folder = host->temp_dir(host);
    char path[4096];

    if (folder == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/scratch", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return test_fail(host, OSIRIS_ERROR_IO, "cannot make %s", path);
    fclose(file);
    return 0;
}

static int generate_open(const struct osiris_host *host, void **state)
{
    struct generate *generate = calloc(1, sizeof *generate);

    if (generate == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    generate->host = host;
    generate->rows = host->get_integer(host, OSIRIS_CONFIG, "rows", 10);
    generate->batch_rows = host->get_integer(host, OSIRIS_CONFIG, "batch_rows", 1000);
    generate->row_bytes = host->get_integer(host, OSIRIS_CONFIG, "row_bytes", 0);
    generate->fail_after = host->get_integer(host, OSIRIS_CONFIG, "fail_after", -1);
    generate->crash_after = host->get_integer(host, OSIRIS_CONFIG, "crash_after", -1);
    generate->exit_after = host->get_integer(host, OSIRIS_CONFIG, "exit_after", -1);
    generate->hang_after = host->get_integer(host, OSIRIS_CONFIG, "hang_after", -1);
    generate->delay_ms = host->get_integer(host, OSIRIS_CONFIG, "delay_ms", 0);
    generate->print_batches = host->get_boolean(host, OSIRIS_CONFIG, "print_batches", 0) != 0;
    generate->garbage = host->get_string(host, OSIRIS_CONFIG, "garbage", "none");
    generate->ignore_cancel = host->get_boolean(host, OSIRIS_CONFIG, "ignore_cancel", 0);
    if (host->get_boolean(host, OSIRIS_CONFIG, "scratch", 0) && leave_scratch(host) < 0) {
        free(generate);
        return -1;
    }
    if (!test_attempt_is_bad(host))
        generate->fail_after = generate->crash_after = generate->exit_after = generate->hang_after =
            -1;
    *state = generate;
    return 0;
}

static void leave_file(const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder == NULL ? "/nowhere" : folder, name);
    FILE *file = fopen(path, "wx");
    if (file == NULL)
        abort(); /* what another attempt has left is here */
    fclose(file);
}

static void wait_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

/* Sits as in a library call: only interrupt (not the cancel flag) gets it out, or nothing. */
static int hang(struct generate *generate)
{
    generate->host->log(generate->host, OSIRIS_DEBUG, "hanging now");
    while (generate->ignore_cancel || !atomic_load(&generate->interrupted))
        wait_ms(5);
    return test_fail(generate->host, OSIRIS_ERROR_CONNECTION, "the wait was interrupted");
}

static void spoil_schema(const char *garbage, struct ArrowSchema *schema)
{
    if (strcmp(garbage, "bad_format") == 0)
        schema->children[0]->format = "?";
    else if (strcmp(garbage, "text_view") == 0)
        schema->children[0]->format = "vu";
    else if (strcmp(garbage, "not_a_struct") == 0)
        schema->format = "l";
}

static void spoil_batch(const char *garbage, struct ArrowArray *batch)
{
    struct ArrowArray *text = batch->children[1];
    int32_t *offsets = (int32_t *)text->buffers[1];

    if (strcmp(garbage, "negative_length") == 0)
        batch->length = -1;
    else if (strcmp(garbage, "huge_length") == 0)
        batch->length = INT64_MAX;
    else if (strcmp(garbage, "negative_offset") == 0)
        text->offset = -5;
    else if (strcmp(garbage, "short_child") == 0)
        text->length--;
    else if (strcmp(garbage, "no_children") == 0)
        batch->n_children = 0;
    else if (strcmp(garbage, "missing_child") == 0)
        batch->children[0] = NULL;
    else if (strcmp(garbage, "no_data") == 0)
        batch->children[0]->buffers[1] = NULL;
    else if (strcmp(garbage, "descending_offsets") == 0)
        offsets[1] = offsets[text->length] + 1000;
    else if (strcmp(garbage, "negative_offsets") == 0)
        offsets[0] = -100;
    else if (strcmp(garbage, "huge_offsets") == 0)
        offsets[0] = offsets[text->length] = INT32_MAX;
    else if (strcmp(garbage, "no_offsets") == 0)
        text->buffers[1] = NULL;
    else if (strcmp(garbage, "null_count") == 0)
        text->null_count = text->length;
    else if (strcmp(garbage, "buffer_count") == 0)
        text->n_buffers = 2;
}

static int generate_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct generate *generate = stream->private_data;
    int result;

    if (strcmp(generate->garbage, "no_schema") == 0) {
        *out = (struct ArrowSchema){0};
        return 0;
    }
    result = test_make_schema(out);
    if (result == 0)
        spoil_schema(generate->garbage, out);
    return result;
}

static int reached(const struct generate *generate, int64_t limit)
{
    return limit >= 0 && generate->done >= limit;
}

static int generate_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct generate *generate = stream->private_data;
    int64_t left = generate->rows - generate->done;
    int64_t rows = left < generate->batch_rows ? left : generate->batch_rows;

    out->release = NULL;
    if (reached(generate, generate->crash_after))
        raise(SIGSEGV);
    if (reached(generate, generate->exit_after))
        exit(3);
    if (reached(generate, generate->fail_after)) {
        if (strcmp(generate->garbage, "silent_failure") != 0)
            test_fail(generate->host, OSIRIS_ERROR_DATA, "failed on purpose after %lld rows",
                      (long long)generate->done);
        return EIO;
    }
    if (reached(generate, generate->hang_after)) {
        hang(generate);
        return EIO;
    }
    if (strcmp(generate->garbage, "silent_failure") == 0)
        return EIO;
    if (generate->delay_ms > 0)
        wait_ms(generate->delay_ms);
    if (rows <= 0)
        return 0;
    if (generate->print_batches)
        fprintf(stderr, "a batch from row %08lld.\n", (long long)generate->done);
    int result = test_make_batch(generate->done, rows, generate->row_bytes, out);
    if (result == 0)
        spoil_batch(generate->garbage, out);
    generate->done += rows;
    return result;
}

static const char *generate_last_error(struct ArrowArrayStream *stream)
{
    const struct generate *generate = stream->private_data;

    return generate->error;
}

static void generate_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int generate_run(void *state, const struct osiris_input *inputs, size_t input_count,
                        struct ArrowArrayStream *output)
{
    struct generate *generate = state;
    const struct osiris_host *host = generate->host;

    (void)inputs;
    (void)input_count;
    if (host->get_boolean(host, OSIRIS_CONFIG, "print_stdout", 0)) {
        puts("{\"status\": \"this is not what osiris says\"}");
        fflush(stdout);
    }
    if (host->get_boolean(host, OSIRIS_CONFIG, "print_secret", 0))
        print_secret(host);
    for (char **name = environ; host->get_boolean(host, OSIRIS_CONFIG, "print_environment", 0) && name && *name; name++)
        fprintf(stderr, "%s\n", *name);
    const char *leave = host->get_string(host, OSIRIS_CONFIG, "leave", NULL);
    if (leave != NULL) {
        leave_file(host->artifacts_dir(host), leave);
        leave_file(host->temp_dir(host), leave);
    }
    if (host->get_boolean(host, OSIRIS_CONFIG, "spawn_child", 0))
        spawn_child();
    *output = (struct ArrowArrayStream){.get_schema = generate_get_schema,
                                        .get_next = generate_get_next,
                                        .get_last_error = generate_last_error,
                                        .release = generate_release,
                                        .private_data = generate};
    return 0;
}

static void generate_interrupt(void *state)
{
    struct generate *generate = state;

    atomic_store(&generate->interrupted, 1);
}

static void generate_close(void *state)
{
    free(state);
}

static const struct osiris_driver generate_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "test.generate",
    .version = "1.0.0",
    .spec = spec,
    .open = generate_open,
    .run = generate_run,
    .interrupt = generate_interrupt,
    .close = generate_close,
};

TEST_PLUGIN(generate, &generate_driver);
