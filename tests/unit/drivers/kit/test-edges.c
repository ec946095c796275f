/* The kit where it could go wrong: edges of values and sizes, other threads, reports. */
#include <osiris/kit.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/arrow/check.h"
#include "unit.h"

static struct osiris_builder *build(const struct osiris_field *fields, size_t count, int64_t rows)
{
    struct osiris_builder *builder = osiris_builder_new(fields, count, rows);

    ck_assert_ptr_nonnull(builder);
    return builder;
}

/* Finishes the batch, which has to pass the check that the worker makes of every driver's. */
static struct ArrowArray finish(struct osiris_builder *builder)
{
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct osiris_error error = {0};

    ck_assert_int_eq(osiris_builder_schema(builder, &schema), 0);
    ck_assert_int_eq(arrow_check_schema(&schema, &error), 0);
    ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
    ck_assert_int_eq(arrow_check_array(&schema, &batch, &error), 0);
    schema.release(&schema);
    return batch;
}

static bool is_valid(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *bitmap = array->buffers[0];
    return bitmap == NULL || (bitmap[row / 8] >> (row % 8) & 1) != 0;
}

static const char *text_at(const struct ArrowArray *array, int64_t row, size_t *length)
{
    const int32_t *offsets = array->buffers[1];
    *length = (size_t)(offsets[row + 1] - offsets[row]);
    return (const char *)array->buffers[2] + offsets[row];
}

#define CHECK_EDGES(ctype, append, osiris_type, ...)                                               \
    do {                                                                                           \
        static const ctype edges[] = {__VA_ARGS__};                                                \
        const size_t count = sizeof edges / sizeof edges[0];                                       \
        const struct osiris_field field = {"x", osiris_type, 0, 0, NULL};                          \
        struct osiris_builder *builder = build(&field, 1, (int64_t)count);                         \
        for (size_t i = 0; i < count; i++) {                                                       \
            append(osiris_builder_column(builder, 0), edges[i]);                                   \
            osiris_builder_end_row(builder);                                                       \
        }                                                                                          \
        struct ArrowArray batch = finish(builder);                                                 \
        ck_assert_int_eq(batch.length, (int64_t)count);                                            \
        ck_assert_mem_eq(batch.children[0]->buffers[1], edges, sizeof edges);                      \
        ck_assert_ptr_null(batch.children[0]->buffers[0]);                                         \
        batch.release(&batch);                                                                     \
        osiris_builder_free(builder);                                                              \
    } while (0)

START_TEST(test_values_at_the_edges)
{
    CHECK_EDGES(int8_t, osiris_append_int8, OSIRIS_TYPE_INT8, INT8_MIN, -1, 0, 1, INT8_MAX);
    CHECK_EDGES(uint8_t, osiris_append_uint8, OSIRIS_TYPE_UINT8, 0, 1, UINT8_MAX);
    CHECK_EDGES(int16_t, osiris_append_int16, OSIRIS_TYPE_INT16, INT16_MIN, -1, 0, INT16_MAX);
    CHECK_EDGES(uint16_t, osiris_append_uint16, OSIRIS_TYPE_UINT16, 0, UINT16_MAX);
    CHECK_EDGES(int32_t, osiris_append_int32, OSIRIS_TYPE_INT32, INT32_MIN, -1, 0, INT32_MAX);
    CHECK_EDGES(uint32_t, osiris_append_uint32, OSIRIS_TYPE_UINT32, 0, UINT32_MAX);
    CHECK_EDGES(int64_t, osiris_append_int64, OSIRIS_TYPE_INT64, INT64_MIN, -1, 0, INT64_MAX);
    CHECK_EDGES(uint64_t, osiris_append_uint64, OSIRIS_TYPE_UINT64, 0, UINT64_MAX);
    CHECK_EDGES(float, osiris_append_float, OSIRIS_TYPE_FLOAT, 0.0f, 1.5f, -3.4e38f);
    CHECK_EDGES(double, osiris_append_double, OSIRIS_TYPE_DOUBLE, 0.0, 0.1, -1.7e308);
    CHECK_EDGES(int32_t, osiris_append_date32, OSIRIS_TYPE_DATE32, -719528, 0, 2932896);
    CHECK_EDGES(int64_t, osiris_append_time64, OSIRIS_TYPE_TIME64_US, 0, INT64_C(86399999999));
    CHECK_EDGES(int64_t, osiris_append_timestamp, OSIRIS_TYPE_TIMESTAMP_US, INT64_MIN, INT64_MAX);
    CHECK_EDGES(int64_t, osiris_append_duration, OSIRIS_TYPE_DURATION_US, -1, INT64_C(3020399000000));
}
END_TEST

START_TEST(test_booleans_and_nulls_are_bits)
{
    static const struct osiris_field field = {"flag", OSIRIS_TYPE_BOOLEAN, 0, 0, NULL};
    struct osiris_builder *builder = build(&field, 1, 100);

    for (int round = 0; round < 2; round++) { /* the second batch starts clean */
        for (int i = 0; i < 100; i++) {
            if (i % 7 == 3)
                osiris_append_null(osiris_builder_column(builder, 0));
            else
                osiris_append_boolean(osiris_builder_column(builder, 0), (i + round) % 3 == 0 ? 5 : 0);
            osiris_builder_end_row(builder);
        }
        struct ArrowArray batch = finish(builder);
        const struct ArrowArray *flag = batch.children[0];
        ck_assert_int_eq(flag->null_count, 14);
        for (int i = 0; i < 100; i++) {
            int bit = ((const uint8_t *)flag->buffers[1])[i / 8] >> (i % 8) & 1;
            ck_assert_int_eq(is_valid(flag, i), i % 7 != 3);
            ck_assert_int_eq(bit, i % 7 != 3 && (i + round) % 3 == 0);
        }
        batch.release(&batch);
    }
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_the_bitmap_comes_with_the_first_null)
{
    static const struct osiris_field field = {"x", OSIRIS_TYPE_INT64, 0, 0, NULL};
    struct osiris_builder *builder = build(&field, 1, 20);
    struct osiris_column *column = osiris_builder_column(builder, 0);

    for (int i = 0; i < 17; i++) {
        osiris_append_int64(column, i);
        osiris_builder_end_row(builder);
        ck_assert_ptr_null(column->validity);
    }
    osiris_append_null(column);
    osiris_builder_end_row(builder);
    osiris_append_int64(column, 18);
    osiris_builder_end_row(builder);
    struct ArrowArray batch = finish(builder);
    for (int i = 0; i < 19; i++)
        ck_assert_int_eq(is_valid(batch.children[0], i), i != 17);
    ck_assert_int_eq(((const int64_t *)batch.children[0]->buffers[1])[17], 0);
    ck_assert_int_eq(batch.children[0]->null_count, 1);
    batch.release(&batch);

    /* The next batch has no nulls, so no bitmap. */
    osiris_append_int64(column, 1);
    osiris_builder_end_row(builder);
    batch = finish(builder);
    ck_assert_ptr_null(batch.children[0]->buffers[0]);
    ck_assert_int_eq(batch.children[0]->null_count, 0);
    batch.release(&batch);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_decimals)
{
    static const struct osiris_field fields[] = {{"small", OSIRIS_TYPE_DECIMAL128, 38, 2, NULL},
                                                 {"large", OSIRIS_TYPE_DECIMAL256, 65, 30, NULL}};
    static const uint64_t small[] = {UINT64_MAX - 122, UINT64_MAX}; /* -1.23 */
    static const uint64_t large[] = {1, 2, 3, 4};
    struct osiris_builder *builder = build(fields, 2, 3);

    for (int i = 0; i < 3; i++) {
        if (i == 1)
            osiris_append_null(osiris_builder_column(builder, 0));
        else
            osiris_append_decimal(osiris_builder_column(builder, 0), small);
        osiris_append_decimal(osiris_builder_column(builder, 1), large);
        osiris_builder_end_row(builder);
    }
    struct ArrowArray batch = finish(builder);
    const char *values = batch.children[0]->buffers[1];
    ck_assert_mem_eq(values, small, 16);
    ck_assert_mem_eq(values + 32, small, 16);
    ck_assert_mem_eq((const char *)batch.children[1]->buffers[1] + 64, large, 32);
    batch.release(&batch);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_text_of_all_lengths)
{
    static const struct osiris_field field = {"text", OSIRIS_TYPE_UTF8, 0, 0, NULL};
    static const size_t lengths[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 100000, 0, 3, 2000000};
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    struct osiris_builder *builder = build(&field, 1, COUNT + 1);
    struct osiris_column *column = osiris_builder_column(builder, 0);
    char *source = malloc(2000000);
    size_t total = 0, length;

    ck_assert_ptr_nonnull(source);
    for (size_t i = 0; i < 2000000; i++)
        source[i] = (char)('a' + i % 23);
    for (int round = 0; round < 2; round++) {
        total = 0;
        for (size_t i = 0; i < COUNT; i++) {
            ck_assert_int_eq(osiris_append_bytes(column, source + i, lengths[i] < i ? 0 : lengths[i] - i), 0);
            total += lengths[i] < i ? 0 : lengths[i] - i;
            osiris_builder_end_row(builder);
        }
        osiris_append_null(column);
        osiris_builder_end_row(builder);
        ck_assert_uint_ge(osiris_builder_bytes(builder), total);
        struct ArrowArray batch = finish(builder);
        for (size_t i = 0; i < COUNT; i++) {
            const char *text = text_at(batch.children[0], (int64_t)i, &length);
            ck_assert_uint_eq(length, lengths[i] < i ? 0 : lengths[i] - i);
            ck_assert(memcmp(text, source + i, length) == 0);
        }
        text_at(batch.children[0], COUNT, &length);
        ck_assert_uint_eq(length, 0);
        ck_assert(!is_valid(batch.children[0], COUNT));
        batch.release(&batch);
        ck_assert_uint_eq(osiris_builder_bytes(builder), 0);
    }
    free(source);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_bytes_beyond_the_offsets_are_refused)
{
    static const struct osiris_field field = {"blob", OSIRIS_TYPE_BINARY, 0, 0, NULL};
    /* Volatile: compilers see through it otherwise, and warn. */
    static const volatile size_t lengths[] = {(size_t)INT32_MAX - 2, (size_t)INT32_MAX + 1, SIZE_MAX - 2,
                                              SIZE_MAX};
    struct osiris_builder *builder = build(&field, 1, 4);
    struct osiris_column *column = osiris_builder_column(builder, 0);

    /* The lengths are refused before a byte is read or taken. */
    ck_assert_int_eq(osiris_append_bytes(column, "abc", 3), 0);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        ck_assert_int_eq(osiris_append_bytes(column, "", lengths[i]), -1);
    ck_assert_int_eq(column->length, 1);
    osiris_builder_end_row(builder);
    struct ArrowArray batch = finish(builder);
    ck_assert_int_eq(batch.length, 1);
    batch.release(&batch);
    osiris_builder_free(builder);
}
END_TEST

/* Offsets reach INT32_MAX; a buffer is padded to 64 bytes beyond it, and the padding must not be used. */
START_TEST(test_padding_is_not_room)
{
    static const struct osiris_field field = {"blob", OSIRIS_TYPE_BINARY, 0, 0, NULL};
    struct osiris_builder *builder = build(&field, 1, 4);
    struct osiris_column *column = osiris_builder_column(builder, 0);
    struct ArrowArray batch;

    /* As after a batch of nearly 2 GiB, without its bytes: the next one begins as large. */
    column->data_length = (size_t)INT32_MAX - 10;
    ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
    ck_assert_uint_le(column->data_capacity, INT32_MAX);
    ck_assert_uint_gt(column->data_capacity, INT32_MAX / 2);
    batch.release(&batch);
    column->data_length = 0;
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_a_moved_child_lives_on)
{
    static const struct osiris_field fields[] = {{"a", OSIRIS_TYPE_INT32, 0, 0, NULL},
                                                 {"b", OSIRIS_TYPE_INT32, 0, 0, NULL}};
    struct osiris_builder *builder = build(fields, 2, 5);

    osiris_append_int32(osiris_builder_column(builder, 0), 7);
    osiris_append_int32(osiris_builder_column(builder, 1), 8);
    osiris_builder_end_row(builder);
    struct ArrowArray batch = finish(builder);
    struct ArrowArray child = *batch.children[1]; /* moved, as the C data interface says */
    batch.children[1]->release = NULL;
    batch.release(&batch);
    ck_assert_int_eq(((const int32_t *)child.buffers[1])[0], 8);
    child.release(&child);
    ck_assert_ptr_null(child.release);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_full_by_rows_or_bytes)
{
    static const struct osiris_field fields[] = {{"a", OSIRIS_TYPE_INT64, 0, 0, NULL},
                                                 {"b", OSIRIS_TYPE_UTF8, 0, 0, NULL}};
    struct osiris_builder *builder = build(fields, 2, 3);

    for (int i = 0; i < 3; i++) {
        ck_assert(!osiris_builder_is_full(builder, 1 << 20));
        osiris_append_int64(osiris_builder_column(builder, 0), i);
        ck_assert_int_eq(osiris_append_bytes(osiris_builder_column(builder, 1), "0123456789", 10), 0);
        osiris_builder_end_row(builder);
        ck_assert_int_eq(osiris_builder_rows(builder), i + 1);
        ck_assert_uint_eq(osiris_builder_bytes(builder), (size_t)(i + 1) * (8 + 4 + 10));
    }
    ck_assert(osiris_builder_is_full(builder, 1 << 20));
    struct ArrowArray batch = finish(builder);
    batch.release(&batch);
    ck_assert(!osiris_builder_is_full(builder, 22));
    osiris_append_int64(osiris_builder_column(builder, 0), 1);
    ck_assert_int_eq(osiris_append_bytes(osiris_builder_column(builder, 1), "0123456789", 10), 0);
    osiris_builder_end_row(builder);
    ck_assert(osiris_builder_is_full(builder, 22));
    ck_assert(!osiris_builder_is_full(builder, 23));
    osiris_builder_free(builder); /* with a batch begun: leaks are the sanitizer's to see */
}
END_TEST

START_TEST(test_no_rows_and_no_columns)
{
    static const struct osiris_field field = {"x", OSIRIS_TYPE_UTF8, 0, 0, NULL};
    struct osiris_builder *builder = build(&field, 1, 5);
    struct ArrowArray batch = finish(builder);

    ck_assert_int_eq(batch.length, 0);
    batch.release(&batch);
    osiris_builder_free(builder);
    builder = build(NULL, 0, 5);
    osiris_builder_end_row(builder);
    ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
    ck_assert_int_eq(batch.length, 1);
    ck_assert_int_eq(batch.n_children, 0);
    batch.release(&batch);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_sizes)
{
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_NULL), 0);
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_BOOLEAN), 0);
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_UTF8), 4);
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_DECIMAL256), 32);
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_DURATION_US), 8);
    ck_assert_uint_eq(osiris_type_size(-1), 0);
    ck_assert_uint_eq(osiris_type_size(OSIRIS_TYPE_DURATION_US + 1), 0);
}
END_TEST

static void *release_elsewhere(void *batch)
{
    struct ArrowArray *array = batch;
    array->release(array);
    return NULL;
}

START_TEST(test_batches_are_released_on_other_threads)
{
    static const struct osiris_field field = {"x", OSIRIS_TYPE_UTF8, 0, 0, NULL};
    struct osiris_builder *builder = build(&field, 1, 50);
    struct ArrowArray batches[20];
    pthread_t threads[20];

    for (int i = 0; i < 20; i++) {
        for (int row = 0; row < 50; row++) {
            ck_assert_int_eq(osiris_append_bytes(osiris_builder_column(builder, 0), "some text", 9), 0);
            osiris_builder_end_row(builder);
        }
        batches[i] = finish(builder);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release_elsewhere, &batches[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_ptr_null(batches[i].release);
    }
    osiris_builder_free(builder);
}
END_TEST

/* Reports. */

static char said[8192];
static struct osiris_error_report reported;
static int32_t said_at;

static void hear_error(const struct osiris_host *host, const struct osiris_error_report *report)
{
    (void)host;
    reported = *report;
    snprintf(said, sizeof said, "%s", report->message);
}

static void hear_log(const struct osiris_host *host, int32_t level, const char *message)
{
    (void)host;
    said_at = level;
    snprintf(said, sizeof said, "%s", message);
}

START_TEST(test_reports)
{
    const struct osiris_host host = {.struct_size = sizeof host, .error = hear_error, .log = hear_log};
    char endless[6000];

    ck_assert_int_eq(osiris_fail(&host, OSIRIS_ERROR_AUTH, 1, 1045, "28000", "look", "no %s, %d", "way", 7), -1);
    ck_assert_str_eq(said, "no way, 7");
    ck_assert_int_eq(reported.category, OSIRIS_ERROR_AUTH);
    ck_assert_int_eq(reported.retryable, 1);
    ck_assert_int_eq(reported.native_code, 1045);
    ck_assert_str_eq(reported.native_state, "28000");
    ck_assert_str_eq(reported.hint, "look");
    ck_assert_uint_eq(reported.struct_size, sizeof reported);
    osiris_log(&host, OSIRIS_WARNING, "%d rows", 3);
    ck_assert_str_eq(said, "3 rows");
    ck_assert_int_eq(said_at, OSIRIS_WARNING);

    /* Longer than the message may be: cut, not overrun. */
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    osiris_fail(&host, OSIRIS_ERROR_DATA, 0, 0, NULL, NULL, "%s", endless);
    ck_assert_uint_eq(strlen(said), 4095);
}
END_TEST

UNIT_MAIN("kit-edges", test_values_at_the_edges, test_booleans_and_nulls_are_bits,
          test_the_bitmap_comes_with_the_first_null, test_decimals, test_text_of_all_lengths,
          test_bytes_beyond_the_offsets_are_refused, test_padding_is_not_room,
          test_a_moved_child_lives_on, test_full_by_rows_or_bytes, test_no_rows_and_no_columns,
          test_sizes, test_batches_are_released_on_other_threads, test_reports)
