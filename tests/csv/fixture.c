/* The test host, array builders and runner; see fixture.h. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/plugin/host-values.h"
#include "fixture.h"

extern const struct osiris_plugin osiris_plugin;

struct test_host {
    struct host_values values;
    struct osiris_host host;
    struct fixture *fixture;
    int fds[FIXTURE_PARTS_MAX];
    int cancel_calls;
};

static int32_t cancelled(const struct osiris_host *host)
{
    struct test_host *test = host->context;
    int after = test->fixture->cancel_after;
    return after >= 0 && __atomic_fetch_add(&test->cancel_calls, 1, __ATOMIC_RELAXED) >= after;
}

static void report_error(const struct osiris_host *host, const struct osiris_error_report *report)
{
    struct test_host *test = host->context;
    struct fixture *fixture = test->fixture;
    if (fixture->error_count++ > 0)
        return;
    fixture->error = *report;
    strncpy(fixture->message, report->message, sizeof fixture->message - 1);
    if (report->hint != NULL)
        strncpy(fixture->hint, report->hint, sizeof fixture->hint - 1);
}

static int memory_file(const char *data, size_t size)
{
    int fd = memfd_create("csv", MFD_CLOEXEC);
    require(fd >= 0);
    require(write(fd, data, size) == (ssize_t)size);
    return fd;
}

static int open_output(const struct osiris_host *host, const char *path,
                       const struct osiris_output_options *options, int *fd)
{
    struct test_host *test = host->context;
    struct fixture *fixture = test->fixture;
    size_t part = fixture->part_count++;
    require(part < FIXTURE_PARTS_MAX);
    bool append = (options->flags & OSIRIS_OUTPUT_APPEND) != 0 && fixture->existing != NULL;
    fixture->output_flags = options->flags;
    fixture->output_mode = options->mode;
    strncpy(fixture->output_path, path, sizeof fixture->output_path - 1);
    strncpy(fixture->parts[part].path, path, sizeof fixture->parts[part].path - 1);
    if (options->initial_size != NULL)
        *options->initial_size = append ? (int64_t)fixture->existing_size : 0;
    if (fixture->fd >= 0)
        *fd = fixture->fd;
    else if (fixture->device != NULL)
        *fd = open(fixture->device, O_WRONLY | O_CLOEXEC);
    else
        *fd = memory_file(append ? fixture->existing : "", append ? fixture->existing_size : 0);
    require(*fd >= 0);
    test->fds[part] = *fd;
    return 0;
}

static int open_input(const struct osiris_host *host, const char *path, int *fd)
{
    const struct test_host *test = host->context;
    require(strcmp(path, test->fixture->output_path) == 0);
    *fd = memory_file(test->fixture->existing, test->fixture->existing_size);
    require(lseek(*fd, 0, SEEK_SET) == 0);
    return 0;
}

static int finish_output(const struct osiris_host *host, int fd)
{
    struct test_host *test = host->context;
    size_t last = test->fixture->part_count - 1;
    require(test->fds[last] == fd);
    test->fixture->parts[last].finished = true;
    return 0;
}

/* The stream hands the fixture's batches out, then its end or its error. */
struct test_stream {
    struct fixture *fixture;
    size_t next;
};

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct test_stream *state = stream->private_data;
    *out = *state->fixture->schema;
    free(state->fixture->schema);
    state->fixture->schema = NULL;
    return 0;
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct test_stream *state = stream->private_data;
    struct fixture *fixture = state->fixture;
    if (state->next < fixture->batch_count) {
        *out = *fixture->batches[state->next];
        free(fixture->batches[state->next]);
        fixture->batches[state->next++] = NULL;
        return 0;
    }
    *out = (struct ArrowArray){0};
    return fixture->stream_error;
}

static const char *stream_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "the producer broke";
}

static void read_back(struct fixture_part *part, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    part->size = size > 0 ? (size_t)size : 0;
    part->text = calloc(1, part->size + 1);
    require(part->text != NULL);
    if (part->size > 0)
        require(pread(fd, part->text, part->size, 0) == (ssize_t)part->size);
}

static void close_outputs(struct test_host *test)
{
    struct fixture *fixture = test->fixture;
    for (size_t i = 0; i < fixture->part_count && fixture->fd < 0; i++) {
        require(fcntl(test->fds[i], F_GETFD) >= 0 || !"the driver closed the host's descriptor");
        if (fixture->device == NULL)
            read_back(&fixture->parts[i], test->fds[i]);
        close(test->fds[i]);
    }
    fixture->text = fixture->parts[0].text;
    fixture->size = fixture->parts[0].size;
}

void fixture_init(struct fixture *fixture, const char *config)
{
    *fixture = (struct fixture){.config = config, .fd = -1, .cancel_after = -1, .input_count = 1};
    fixture->schema = schema_new("+s", "");
}

void fixture_run(struct fixture *fixture)
{
    struct test_host test = {.fixture = fixture};
    test.host = (struct osiris_host){
        .abi_version = OSIRIS_ABI_VERSION,
        .struct_size = sizeof test.host,
        .context = &test,
        .run_id = fixture->run_id != NULL ? fixture->run_id : "run",
        .step_id = "write",
        .component = "csv.writer",
        .cancelled = cancelled,
        .error = report_error,
        .open_input = open_input,
        .open_output = open_output,
        .finish_output = finish_output,
    };
    host_values_fill(&test.host);
    host_values_init(&test.values);
    test.values.config =
        json_tokener_parse(fixture->config != NULL ? fixture->config : "{\"path\": \"out.csv\"}");
    require(test.values.config != NULL);

    const struct osiris_driver *driver = osiris_plugin.drivers[0];
    void *state = NULL;
    fixture->opened = driver->open(&test.host, &state);
    fixture->result = -1;
    if (fixture->opened == 0) {
        struct test_stream source = {.fixture = fixture};
        struct ArrowArrayStream stream = {.get_schema = stream_schema,
                                          .get_next = stream_next,
                                          .get_last_error = stream_error,
                                          .private_data = &source};
        const struct osiris_input inputs[2] = {{"df", "extract", &stream}, {"df2", "other", NULL}};
        fixture->result = driver->run(state, inputs, fixture->input_count, NULL);
        driver->close(state);
    }
    close_outputs(&test);
    host_values_clear(&test.values);
}

void fixture_clear(struct fixture *fixture)
{
    if (fixture->schema != NULL) {
        fixture->schema->release(fixture->schema);
        free(fixture->schema);
    }
    for (size_t i = 0; i < fixture->batch_count; i++)
        if (fixture->batches[i] != NULL) {
            fixture->batches[i]->release(fixture->batches[i]);
            free(fixture->batches[i]);
            fixture->batches[i] = NULL;
        }
    for (size_t i = 0; i < fixture->part_count; i++)
        free(fixture->parts[i].text);
}

static void *copied(const void *from, size_t size)
{
    /* Exactly as long as it must be, so that a sanitizer sees what is read behind it. */
    void *copy = malloc(size > 0 ? size : 1);
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, from, size);
    return copy;
}

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    if (schema->dictionary != NULL) {
        schema->dictionary->release(schema->dictionary);
        free(schema->dictionary);
    }
    free(schema->children);
    free((char *)schema->format);
    free((char *)schema->name);
    schema->release = NULL;
}

struct ArrowSchema *schema_new(const char *format, const char *name)
{
    struct ArrowSchema *schema = calloc(1, sizeof *schema);
    require(schema != NULL);
    schema->format = strdup(format);
    schema->name = strdup(name);
    schema->flags = ARROW_FLAG_NULLABLE;
    schema->release = release_schema;
    return schema;
}

void schema_add(struct ArrowSchema *parent, struct ArrowSchema *child)
{
    size_t count = (size_t)parent->n_children++;
    parent->children = realloc(parent->children, (count + 1) * sizeof *parent->children);
    parent->children[count] = child;
}

static void release_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    if (array->dictionary != NULL) {
        array->dictionary->release(array->dictionary);
        free(array->dictionary);
    }
    for (int64_t i = 0; i < array->n_buffers; i++)
        free((void *)array->buffers[i]);
    free(array->buffers);
    free(array->children);
    array->release = NULL;
}

static struct ArrowArray *array_new(int64_t buffers, int64_t length, int64_t skip)
{
    struct ArrowArray *array = calloc(1, sizeof *array);
    require(array != NULL);
    array->length = length - skip;
    array->offset = skip;
    array->n_buffers = buffers;
    array->buffers = calloc((size_t)buffers + 1, sizeof *array->buffers);
    array->release = release_array;
    return array;
}

static uint8_t *bitmap(const char *bits, int64_t length)
{
    uint8_t *bytes = calloc(1, (size_t)(length + 7) / 8 + 1);
    require(bytes != NULL);
    for (int64_t i = 0; i < length; i++)
        bytes[i / 8] |= (uint8_t)((bits[i] == '1') << (i % 8));
    return bytes;
}

static void set_validity(struct ArrowArray *array, const char *valid, int64_t length)
{
    array->null_count = valid == NULL ? 0 : -1;
    if (valid != NULL)
        array->buffers[0] = bitmap(valid, length);
}

struct ArrowArray *array_fixed(const void *values, size_t width, int64_t length, const char *valid,
                               int64_t skip)
{
    struct ArrowArray *array = array_new(2, length, skip);
    set_validity(array, valid, length);
    array->buffers[1] = copied(values, width * (size_t)length);
    return array;
}

struct ArrowArray *array_bits(const char *bits, const char *valid, int64_t skip)
{
    int64_t length = (int64_t)strlen(bits);
    struct ArrowArray *array = array_new(2, length, skip);
    set_validity(array, valid, length);
    array->buffers[1] = bitmap(bits, length);
    return array;
}

struct ArrowArray *array_text(const char *const *texts, const size_t *sizes, int64_t length,
                              bool large, int64_t skip)
{
    struct ArrowArray *array = array_new(3, length, skip);
    char *valid = calloc(1, (size_t)length + 1);
    int32_t *offsets32 = calloc((size_t)length + 1, sizeof *offsets32);
    int64_t *offsets64 = calloc((size_t)length + 1, sizeof *offsets64);
    require(valid != NULL && offsets32 != NULL && offsets64 != NULL);
    char *data = NULL;
    size_t total = 0;
    for (int64_t i = 0; i < length; i++) {
        valid[i] = texts[i] != NULL ? '1' : '0';
        size_t size = texts[i] == NULL ? 0 : sizes != NULL ? sizes[i] : strlen(texts[i]);
        if (size > 0) {
            data = realloc(data, total + size);
            require(data != NULL);
            memcpy(data + total, texts[i], size);
        }
        total += size;
        offsets32[i + 1] = (int32_t)total;
        offsets64[i + 1] = (int64_t)total;
    }
    set_validity(array, strchr(valid, '0') != NULL ? valid : NULL, length);
    array->buffers[1] = large ? (void *)offsets64 : (void *)offsets32;
    array->buffers[2] = data;
    free(large ? (void *)offsets32 : (void *)offsets64);
    free(valid);
    return array;
}

struct ArrowArray *array_nested(const int32_t *offsets, int64_t length, const char *valid,
                                int64_t skip)
{
    struct ArrowArray *array = array_new(offsets != NULL ? 2 : 1, length, skip);
    set_validity(array, valid, length);
    if (offsets != NULL)
        array->buffers[1] = copied(offsets, ((size_t)length + 1) * sizeof *offsets);
    return array;
}

struct ArrowArray *array_empty(void)
{
    return array_new(0, 0, 0);
}

void array_add(struct ArrowArray *parent, struct ArrowArray *child)
{
    size_t count = (size_t)parent->n_children++;
    parent->children = realloc(parent->children, (count + 1) * sizeof *parent->children);
    parent->children[count] = child;
}

char *write_column(const char *config, const char *format, struct ArrowArray *array)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    schema_add(fixture.schema, schema_new(format, "v"));
    struct ArrowArray *batch = array_nested(NULL, array->length, NULL, 0);
    array_add(batch, array);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    if (fixture.result != 0)
        fprintf(stderr, "%s: %s\n", format, fixture.message);
    require(fixture.result == 0);
    char *body = strchr(fixture.text, '\n');
    require(body != NULL);
    char *copy = strdup(body + 1);
    require(copy != NULL);
    fixture_clear(&fixture);
    return copy;
}
