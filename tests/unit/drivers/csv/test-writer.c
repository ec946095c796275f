/*
 * csv.writer as a driver: each option changes what it should, odd tables, errors that name their place,
 * a full disk, cancellation, broken batches. Driven through the public descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "csv/fixture.h"
#include "unit.h"

extern const struct osiris_plugin osiris_plugin;

/* Columns b (text), a (integer), c (boolean), d (date) of two rows; the second has a null and an empty
 * text. */
static void add_batch(struct fixture *fixture, struct ArrowArray **batch)
{
    *batch = array_nested(NULL, 2, NULL, 0);
    array_add(*batch, array_text((const char *const[]){"x", ""}, NULL, 2, false, 0));
    array_add(*batch, array_fixed((const int64_t[]){-1, 2}, 8, 2, "10", 0));
    array_add(*batch, array_bits("10", NULL, 0));
    array_add(*batch, array_fixed((const int32_t[]){0, 1}, 4, 2, NULL, 0));
    fixture->batches = batch;
    fixture->batch_count = 1;
}

static void start(struct fixture *fixture, const char *config, struct ArrowArray **batch)
{
    fixture_init(fixture, config);
    schema_add(fixture->schema, schema_new("u", "b"));
    schema_add(fixture->schema, schema_new("l", "a"));
    schema_add(fixture->schema, schema_new("b", "c"));
    schema_add(fixture->schema, schema_new("tdD", "d"));
    add_batch(fixture, batch);
}

static void check_config(const char *config, const char *expected)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, config, &batch);
    fixture_run(&fixture);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_str_eq(fixture.text, expected);
    fixture_clear(&fixture);
}

START_TEST(test_defaults_sort_the_columns)
{
    check_config("{\"path\": \"p\"}", "a,b,c,d\n-1,x,True,1970-01-01\n,\"\",False,1970-01-02\n");
}
END_TEST

START_TEST(test_columns_source)
{
    check_config("{\"path\": \"p\", \"columns\": \"source\"}",
                 "b,a,c,d\nx,-1,True,1970-01-01\n\"\",,False,1970-01-02\n");
}
END_TEST

START_TEST(test_header_false)
{
    check_config("{\"path\": \"p\", \"header\": false}",
                 "-1,x,True,1970-01-01\n,\"\",False,1970-01-02\n");
}
END_TEST

START_TEST(test_newline_crlf)
{
    check_config("{\"path\": \"p\", \"newline\": \"crlf\"}",
                 "a,b,c,d\r\n-1,x,True,1970-01-01\r\n,\"\",False,1970-01-02\r\n");
}
END_TEST

START_TEST(test_delimiters)
{
    check_config("{\"path\": \"p\", \"delimiter\": \"\\t\"}",
                 "a\tb\tc\td\n-1\tx\tTrue\t1970-01-01\n\t\"\"\tFalse\t1970-01-02\n");
    /* Characters that numbers, booleans, dates and names may have make those be quoted. */
    check_config("{\"path\": \"p\", \"delimiter\": \"-\"}",
                 "a-b-c-d\n\"-1\"-x-True-\"1970-01-01\"\n-\"\"-False-\"1970-01-02\"\n");
    check_config("{\"path\": \"p\", \"delimiter\": \"e\"}",
                 "aebeced\n-1exe\"True\"e1970-01-01\ne\"\"e\"False\"e1970-01-02\n");
    check_config("{\"path\": \"p\", \"delimiter\": \"b\"}",
                 "ab\"b\"bcbd\n-1bxbTrueb1970-01-01\nb\"\"bFalseb1970-01-02\n");
}
END_TEST

START_TEST(test_quoting)
{
    check_config("{\"path\": \"p\", \"quoting\": \"all\"}",
                 "\"a\",\"b\",\"c\",\"d\"\n\"-1\",\"x\",\"True\",\"1970-01-01\"\n"
                 ",\"\",\"False\",\"1970-01-02\"\n");
    check_config("{\"path\": \"p\", \"quoting\": \"nonnumeric\"}",
                 "\"a\",\"b\",\"c\",\"d\"\n-1,\"x\",True,\"1970-01-01\"\n,\"\",False,\"1970-01-02\"\n");
    check_config("{\"path\": \"p\", \"quoting\": \"none\", \"null_text\": \"NULL\"}",
                 "a,b,c,d\n-1,x,True,1970-01-01\nNULL,,False,1970-01-02\n");
}
END_TEST

START_TEST(test_ignored_options_change_nothing)
{
    check_config("{\"path\": \"p\", \"chunk_size\": 1, \"encoding\": \"utf-8\"}",
                 "a,b,c,d\n-1,x,True,1970-01-01\n,\"\",False,1970-01-02\n");
}
END_TEST

START_TEST(test_path_and_create_dirs_reach_the_host)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, "{\"path\": \"some/where.csv\"}", &batch);
    fixture_run(&fixture);
    ck_assert_str_eq(fixture.output_path, "some/where.csv");
    ck_assert_uint_eq(fixture.output_flags, OSIRIS_OUTPUT_CREATE_DIRECTORIES);
    fixture_clear(&fixture);

    start(&fixture, "{\"path\": \"p\", \"create_dirs\": false}", &batch);
    fixture_run(&fixture);
    ck_assert_uint_eq(fixture.output_flags, 0);
    fixture_clear(&fixture);
}
END_TEST

static void check_refused_config(const char *config, const char *word)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.opened, -1);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CONFIG);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

START_TEST(test_bad_options_are_refused)
{
    check_refused_config("{}", "path");
    check_refused_config("{\"path\": \"p\", \"delimiter\": \"\"}", "delimiter");
    check_refused_config("{\"path\": \"p\", \"delimiter\": \"ab\"}", "delimiter");
    check_refused_config("{\"path\": \"p\", \"delimiter\": \"§\"}", "delimiter");
    check_refused_config("{\"path\": \"p\", \"delimiter\": \"\\\"\"}", "delimiter");
    check_refused_config("{\"path\": \"p\", \"delimiter\": \"\\n\"}", "delimiter");
    check_refused_config("{\"path\": \"p\", \"encoding\": \"utf-32\"}", "encoding");
    check_refused_config("{\"path\": \"p\", \"quoting\": \"some\"}", "quoting");
}
END_TEST

START_TEST(test_the_spec_is_complete_json)
{
    const struct osiris_driver *driver = osiris_plugin.drivers[0];
    json_object *spec = json_tokener_parse(driver->spec), *schema, *properties, *value;
    ck_assert_ptr_nonnull(spec);
    static const char *const keys[] = {"title", "description", "modes", "capabilities", "examples",
                                       "secrets"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        ck_assert_msg(json_object_object_get_ex(spec, keys[i], &value), "%s", keys[i]);
    ck_assert(json_object_object_get_ex(spec, "configSchema", &schema));
    ck_assert(json_object_object_get_ex(schema, "additionalProperties", &value));
    ck_assert(!json_object_get_boolean(value));
    ck_assert(json_object_object_get_ex(schema, "properties", &properties));
    ck_assert_int_eq(json_object_object_length(properties), 27);
    json_object_object_foreach(properties, name, option)
    {
        ck_assert_msg(json_object_object_get_ex(option, "description", &value), "%s", name);
        ck_assert_msg(json_object_object_get_ex(option, "type", &value), "%s", name);
    }
    ck_assert_str_eq(driver->name, "csv.writer");
    ck_assert_str_eq(driver->aliases[0], "filesystem.csv_writer");
    json_object_put(spec);
}
END_TEST

START_TEST(test_unquotable_value_names_row_and_column)
{
    static const char *const texts[] = {"a", "b", "c,d"};
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"quoting\": \"none\"}");
    schema_add(fixture.schema, schema_new("u", "note"));
    struct ArrowArray *batches[2];
    for (int i = 0; i < 2; i++) {
        batches[i] = array_nested(NULL, i == 0 ? 2 : 3, NULL, 0);
        array_add(batches[i], array_text(texts, NULL, i == 0 ? 2 : 3, false, 0));
    }
    fixture.batches = batches;
    fixture.batch_count = 2;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
    ck_assert_msg(strstr(fixture.message, "row 5, column \"note\"") != NULL, "%s", fixture.message);
    ck_assert_str_ne(fixture.hint, "");
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_no_rows_write_a_header)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, NULL, &batch);
    batch->release(batch);
    free(batch);
    fixture.batch_count = 0;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, 0);
    ck_assert_str_eq(fixture.text, "a,b,c,d\n");
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_empty_batches_and_sliced_ones)
{
    struct fixture fixture;
    struct ArrowArray *batches[3];
    start(&fixture, "{\"path\": \"p\", \"header\": false}", &batches[0]);
    add_batch(&fixture, &batches[1]);
    add_batch(&fixture, &batches[2]);
    batches[0]->length = 0;
    batches[1]->offset = 1;
    batches[1]->length = 1;
    fixture.batches = batches;
    fixture.batch_count = 3;
    fixture_run(&fixture);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_str_eq(fixture.text, ",\"\",False,1970-01-02\n-1,x,True,1970-01-01\n"
                                   ",\"\",False,1970-01-02\n");
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_no_columns_write_nothing)
{
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    struct ArrowArray *batch = array_nested(NULL, 3, NULL, 0);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, 0);
    ck_assert_uint_eq(fixture.size, 0);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_duplicate_and_hostile_names)
{
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    static const char *const names[] = {"same", "a\"b,\n", "same", "", "Z"};
    struct ArrowArray *batch = array_nested(NULL, 1, NULL, 0);
    for (int64_t i = 0; i < 5; i++) {
        schema_add(fixture.schema, schema_new("l", names[i]));
        array_add(batch, array_fixed(&i, 8, 1, NULL, 0));
    }
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_str_eq(fixture.text, "\"\",Z,\"a\"\"b,\n\",same,same\n3,4,1,0,2\n");
    fixture_clear(&fixture);
}
END_TEST

/* Rows of a long text between small values; the text is `size` bytes, every `every`th a quote. */
static void check_wide(size_t size, size_t every, bool binary)
{
    char *wide = malloc(size + 1);
    ck_assert_ptr_nonnull(wide);
    memset(wide, 'x', size);
    size_t quotes = 0;
    for (size_t i = 0; every > 0 && i < size; i += every, quotes++)
        wide[i] = '"';
    const char *const texts[] = {wide, "s", wide};
    const size_t sizes[] = {size, 1, size};
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"header\": false}");
    schema_add(fixture.schema, schema_new("l", "a"));
    schema_add(fixture.schema, schema_new(binary ? "z" : "u", "b"));
    schema_add(fixture.schema, schema_new("l", "c"));
    struct ArrowArray *batch = array_nested(NULL, 3, NULL, 0);
    array_add(batch, array_fixed((const int64_t[]){1, 2, 3}, 8, 3, NULL, 0));
    array_add(batch, array_text(texts, sizes, 3, false, 0));
    array_add(batch, array_fixed((const int64_t[]){INT64_MIN, 5, 6}, 8, 3, NULL, 0));
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    size_t field = binary ? 2 * size : size + quotes + (quotes > 0 ? 2 : 0);
    ck_assert_uint_eq(fixture.size, 2 * field + strlen("1,,-9223372036854775808\n2,s,5\n3,,6\n") +
                                        (binary ? 1 : 0));
    const char *rest = fixture.text + 2 + field;
    ck_assert_int_eq(strncmp(rest, ",-9223372036854775808\n2,", 24), 0);
    ck_assert_str_eq(fixture.text + fixture.size - 3, ",6\n");
    fixture_clear(&fixture);
    free(wide);
}

START_TEST(test_wide_values)
{
    check_wide((size_t)16 << 20, 0, false);
    check_wide((size_t)16 << 20, 7, false);
    check_wide((size_t)16 << 20, 0, true);
    /* About the buffer's size, where the ways of writing change over. */
    for (size_t size = ((size_t)1 << 20) - 100; size < ((size_t)1 << 20) + 400; size += 7)
        check_wide(size, size % 2 ? 1000 : 0, false);
    for (size_t size = ((size_t)1 << 19) - 100; size < ((size_t)1 << 19) + 300; size += 7)
        check_wide(size, 1, false);
}
END_TEST

START_TEST(test_many_columns)
{
    enum { COUNT = 3000 };
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"columns\": \"source\"}");
    struct ArrowArray *batch = array_nested(NULL, 40, NULL, 0);
    int64_t values[40];
    for (int i = 0; i < 40; i++)
        values[i] = INT64_MIN;
    for (int i = 0; i < COUNT; i++) {
        schema_add(fixture.schema, schema_new("l", "n"));
        array_add(batch, array_fixed(values, 8, 40, NULL, 0));
    }
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, 0);
    ck_assert_uint_eq(fixture.size, COUNT * 2 + (size_t)40 * COUNT * 21);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_full_disk)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, NULL, &batch);
    fixture.device = "/dev/full";
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_IO);
    ck_assert_int_eq(fixture.error.native_code, ENOSPC);
    ck_assert_ptr_nonnull(strstr(fixture.message, "out.csv"));
    fixture_clear(&fixture);
}
END_TEST

/* A text of 3 MiB into a pipe that takes a little at a time. */
static void start_pipe(struct fixture *fixture, int pipe_fd, struct ArrowArray **batch)
{
    static char text[3 << 20];
    memset(text, 'x', sizeof text);
    fixture_init(fixture, "{\"path\": \"p\", \"header\": false}");
    schema_add(fixture->schema, schema_new("u", "a"));
    *batch = array_nested(NULL, 1, NULL, 0);
    array_add(*batch, array_text((const char *const[]){text}, (const size_t[]){sizeof text}, 1,
                                 false, 0));
    fixture->batches = batch;
    fixture->batch_count = 1;
    fixture->fd = pipe_fd;
}

static void *drain(void *argument)
{
    static char buffer[5000];
    size_t *total = argument;
    for (ssize_t count; (count = read((int)*total, buffer, sizeof buffer)) > 0;)
        total[1] += (size_t)count;
    return NULL;
}

START_TEST(test_short_writes_are_continued)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    size_t reader[2] = {(size_t)ends[0], 0};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, drain, reader), 0);
    struct fixture fixture;
    struct ArrowArray *batch;
    start_pipe(&fixture, ends[1], &batch);
    fixture_run(&fixture);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    ck_assert_uint_eq(reader[1], (3 << 20) + 1);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_cancelled_while_the_output_takes_nothing)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct fixture fixture;
    struct ArrowArray *batch;
    start_pipe(&fixture, ends[1], &batch);
    fixture.cancel_after = 3;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CANCELLED);
    close(ends[0]);
    close(ends[1]);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_cancelled_before_a_batch)
{
    struct fixture fixture;
    struct ArrowArray *batches[2];
    start(&fixture, NULL, &batches[0]);
    add_batch(&fixture, &batches[1]);
    fixture.batches = batches;
    fixture.batch_count = 2;
    fixture.cancel_after = 1;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CANCELLED);
    ck_assert_uint_eq(fixture.size, 0);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_a_stream_that_ends_with_an_error)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, NULL, &batch);
    fixture.stream_error = EIO;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_ptr_nonnull(strstr(fixture.message, "the producer broke"));
    fixture_clear(&fixture);

    start(&fixture, NULL, &batch);
    fixture.stream_error = ECANCELED;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error_count, 0);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_several_inputs_are_refused)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    start(&fixture, NULL, &batch);
    fixture.input_count = 2;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CONFIG);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_types_that_cannot_be_written_are_refused)
{
    static const char *const formats[] = {"tiX", "+us:0", "+r", "vu", "d:0,0", "w:x", "?", ""};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture, NULL);
        schema_add(fixture.schema, schema_new(formats[i], "odd"));
        fixture_run(&fixture);
        ck_assert_msg(fixture.result == -1, "%s", formats[i]);
        ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
        ck_assert_ptr_nonnull(strstr(fixture.message, "\"odd\""));
        fixture_clear(&fixture);
    }
}
END_TEST

static void break_offsets(struct ArrowArray *batch)
{
    ((int32_t *)batch->children[0]->buffers[1])[1] = 1000000;
}
static void break_first_offset(struct ArrowArray *batch)
{
    ((int32_t *)batch->children[0]->buffers[1])[0] = -5;
}
static void break_length(struct ArrowArray *batch)
{
    batch->children[1]->length = 1;
}
static void break_children(struct ArrowArray *batch)
{
    struct ArrowArray *last = batch->children[--batch->n_children];
    last->release(last);
    free(last);
}
static void break_buffers(struct ArrowArray *batch)
{
    free((void *)batch->children[1]->buffers[1]);
    batch->children[1]->buffers[1] = NULL;
}
static void break_batch_length(struct ArrowArray *batch)
{
    batch->length = 1000;
}
static void break_negative_length(struct ArrowArray *batch)
{
    batch->children[2]->length = -1;
}

START_TEST(test_broken_batches_are_refused)
{
    static void (*const breaks[])(struct ArrowArray *) = {
        break_offsets, break_first_offset, break_length,         break_children,
        break_buffers, break_batch_length, break_negative_length};
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct fixture fixture;
        struct ArrowArray *batch;
        start(&fixture, NULL, &batch);
        breaks[i](batch);
        fixture_run(&fixture);
        ck_assert_msg(fixture.result == -1, "%zu", i);
        ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_INTERNAL);
        fixture_clear(&fixture);
    }
}
END_TEST

START_TEST(test_dictionary_index_beyond_its_end)
{
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    struct ArrowSchema *schema = schema_new("L", "v");
    schema->dictionary = schema_new("u", "");
    schema_add(fixture.schema, schema);
    struct ArrowArray *array = array_fixed((const uint64_t[]){UINT64_MAX}, 8, 1, NULL, 0);
    array->dictionary = array_text((const char *const[]){"one"}, NULL, 1, false, 0);
    struct ArrowArray *batch = array_nested(NULL, 1, NULL, 0);
    array_add(batch, array);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_ptr_nonnull(strstr(fixture.message, "dictionary"));
    fixture_clear(&fixture);
}
END_TEST

UNIT_MAIN("csv-writer", test_defaults_sort_the_columns, test_columns_source, test_header_false,
          test_newline_crlf, test_delimiters, test_quoting, test_ignored_options_change_nothing,
          test_path_and_create_dirs_reach_the_host, test_bad_options_are_refused,
          test_the_spec_is_complete_json, test_unquotable_value_names_row_and_column,
          test_no_rows_write_a_header, test_empty_batches_and_sliced_ones,
          test_no_columns_write_nothing, test_duplicate_and_hostile_names, test_wide_values,
          test_many_columns, test_full_disk, test_short_writes_are_continued,
          test_cancelled_while_the_output_takes_nothing, test_cancelled_before_a_batch,
          test_a_stream_that_ends_with_an_error, test_several_inputs_are_refused,
          test_types_that_cannot_be_written_are_refused, test_broken_batches_are_refused,
          test_dictionary_index_beyond_its_end)
