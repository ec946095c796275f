/* What the test plug-ins share: reporting, and batches of an id and a text column. Public headers only. */
#ifndef OSIRIS_TESTS_TEST_PLUGIN_H
#define OSIRIS_TESTS_TEST_PLUGIN_H

#include <errno.h>
#include <fcntl.h>
#include <osiris/plugin.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4), unused)) static int
test_fail(const struct osiris_host *host, int category, const char *format, ...)
{
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = category,
        .retryable = host->get_boolean(host, OSIRIS_CONFIG, "retryable", 0),
        .message = message};
    host->error(host, &report);
    return -1;
}

/* A process in a session of its own whose parent is gone: no process group and no parent tells whose it is. It writes its number
 * into the file, and becomes the program unless that is NULL. */
__attribute__((unused)) static int test_detach(const char *path, const char *program)
{
    int ready[2];
    char byte;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        if (setsid() > 0 && fork() == 0) {
            FILE *file = fopen(path, "w");
            if (file != NULL) {
                fprintf(file, "%d\n", (int)getpid());
                fclose(file);
            }
            (void)!write(ready[1], "x", 1);
            if (program != NULL)
                execlp(program, program, "600", (char *)NULL);
            for (;;)
                pause();
        }
        _exit(0);
    }
    (void)close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    (void)close(ready[0]);
    (void)waitpid(child, NULL, 0);
    return child < 0 ? -1 : 0;
}

/* Options of drivers whose faults pass: `retryable` marks their errors, and in a step that has `attempts_file` faults occur in
 * its first `bad_attempts` attempts. The file gets a byte in each, whatever becomes of the worker. */
#define TEST_ATTEMPT_OPTIONS                                                                       \
    "\"retryable\": {\"type\": \"boolean\"},"                                                       \
    "\"attempts_file\": {\"type\": \"string\"}, \"bad_attempts\": {\"type\": \"integer\"},"

/* Counts the attempt; whether this one is to be bad. */
__attribute__((unused)) static int test_attempt_is_bad(const struct osiris_host *host)
{
    const char *path = host->get_string(host, OSIRIS_CONFIG, "attempts_file", NULL);
    FILE *file = path == NULL ? NULL : fopen(path, "a");

    if (file == NULL)
        return 1;
    fputc('x', file);
    long attempts = ftell(file);
    fclose(file);
    return attempts <= host->get_integer(host, OSIRIS_CONFIG, "bad_attempts", 1);
}

/* Schemas: {id: int64, text: utf8}, static but for the structs. */

__attribute__((unused)) static void test_release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        free(schema->children[i]);
    free(schema->children);
    schema->release = NULL;
}

__attribute__((unused)) static void test_release_column_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

__attribute__((unused)) static int test_make_schema(struct ArrowSchema *out)
{
    static const char *const formats[] = {"l", "u"}, *const names[] = {"id", "text"};

    *out = (struct ArrowSchema){
        .format = "+s", .name = "", .n_children = 2, .release = test_release_schema};
    out->children = calloc(2, sizeof *out->children);
    if (out->children == NULL)
        return ENOMEM;
    for (int i = 0; i < 2; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        if (out->children[i] == NULL)
            return ENOMEM;
        *out->children[i] = (struct ArrowSchema){.format = formats[i],
                                                 .name = names[i],
                                                 .flags = ARROW_FLAG_NULLABLE,
                                                 .release = test_release_column_schema};
    }
    return 0;
}

/* Batches: one allocation holds all structs and buffers. */

struct test_batch {
    struct ArrowArray columns[2];
    struct ArrowArray *children[2];
    const void *own_buffers[1];
    const void *id_buffers[2];
    const void *text_buffers[3];
    char data[];
};

__attribute__((unused)) static void test_release_batch(struct ArrowArray *array)
{
    free(array->private_data);
    array->release = NULL;
}

__attribute__((unused)) static void test_release_column(struct ArrowArray *array)
{
    array->release = NULL;
}

/* `rows` rows from `first` on; the text of row n is "row n" filled up with '.' to row_bytes. */
__attribute__((unused)) static int test_make_batch(int64_t first, int64_t rows, int64_t row_bytes,
                                                   struct ArrowArray *out)
{
    size_t width = row_bytes < 24 ? 24 : (size_t)row_bytes;
    size_t ids = (size_t)rows * sizeof(int64_t), offsets = ((size_t)rows + 1) * sizeof(int32_t);
    struct test_batch *batch = calloc(1, sizeof *batch + ids + offsets + (size_t)rows * width + 1);

    if (batch == NULL)
        return ENOMEM;
    int64_t *id = (int64_t *)(void *)batch->data;
    int32_t *offset = (int32_t *)(void *)(batch->data + ids);
    char *text = batch->data + ids + offsets;
    for (int64_t i = 0; i < rows; i++) {
        id[i] = first + i;
        int length = sprintf(text + offset[i], "row %lld", (long long)(first + i));
        while (length < row_bytes)
            text[offset[i] + length++] = '.';
        offset[i + 1] = offset[i] + length;
    }
    batch->id_buffers[1] = id;
    batch->text_buffers[1] = offset;
    batch->text_buffers[2] = text;
    batch->columns[0] = (struct ArrowArray){.length = rows,
                                            .n_buffers = 2,
                                            .buffers = batch->id_buffers,
                                            .release = test_release_column};
    batch->columns[1] = (struct ArrowArray){.length = rows,
                                            .n_buffers = 3,
                                            .buffers = batch->text_buffers,
                                            .release = test_release_column};
    batch->children[0] = &batch->columns[0];
    batch->children[1] = &batch->columns[1];
    *out = (struct ArrowArray){.length = rows,
                               .n_buffers = 1,
                               .buffers = batch->own_buffers,
                               .n_children = 2,
                               .children = batch->children,
                               .release = test_release_batch,
                               .private_data = batch};
    return 0;
}

#define TEST_PLUGIN(plugin_name, ...)                                                              \
    static const struct osiris_driver *const drivers[] = {__VA_ARGS__, NULL};                      \
    OSIRIS_PLUGIN(plugin_name) = {                                                                 \
        .abi_version = OSIRIS_ABI_VERSION,                                                         \
        .struct_size = sizeof(struct osiris_plugin),                                               \
        .name = #plugin_name,                                                                      \
        .version = "1.0.0",                                                                        \
        .drivers = drivers,                                                                        \
    }

#endif
