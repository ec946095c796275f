/* The batch builder (include/osiris/kit.h), judged by core/arrow/check.c. */
#include "unit.h"

#include <osiris/kit.h>
#include <stdio.h>
#include <string.h>

#include "core/arrow/check.h"

static const struct osiris_field all_types[] = {
    {.name = "null", .type = OSIRIS_TYPE_NULL},
    {.name = "boolean", .type = OSIRIS_TYPE_BOOLEAN},
    {.name = "int8", .type = OSIRIS_TYPE_INT8},
    {.name = "uint8", .type = OSIRIS_TYPE_UINT8},
    {.name = "int16", .type = OSIRIS_TYPE_INT16},
    {.name = "uint16", .type = OSIRIS_TYPE_UINT16},
    {.name = "int32", .type = OSIRIS_TYPE_INT32},
    {.name = "uint32", .type = OSIRIS_TYPE_UINT32},
    {.name = "int64", .type = OSIRIS_TYPE_INT64},
    {.name = "uint64", .type = OSIRIS_TYPE_UINT64},
    {.name = "float", .type = OSIRIS_TYPE_FLOAT},
    {.name = "double", .type = OSIRIS_TYPE_DOUBLE},
    {.name = "decimal128", .type = OSIRIS_TYPE_DECIMAL128, .precision = 12, .scale = 2},
    {.name = "decimal256", .type = OSIRIS_TYPE_DECIMAL256, .precision = 65, .scale = 30},
    {.name = "utf8", .type = OSIRIS_TYPE_UTF8},
    {.name = "binary", .type = OSIRIS_TYPE_BINARY},
    {.name = "date", .type = OSIRIS_TYPE_DATE32},
    {.name = "time", .type = OSIRIS_TYPE_TIME64_US},
    {.name = "timestamp", .type = OSIRIS_TYPE_TIMESTAMP_US, .zone = "UTC"},
    {.name = "duration", .type = OSIRIS_TYPE_DURATION_US},
};
#define TYPE_COUNT (sizeof all_types / sizeof all_types[0])

static void append_value(struct osiris_builder *builder, int64_t n)
{
    const uint64_t words[4] = {(uint64_t)n, 0, 0, 0};
    size_t i = 0;
    char text[32];
    size_t length = (size_t)sprintf(text, "text %lld", (long long)n);

#define COLUMN osiris_builder_column(builder, i++)
    osiris_append_null(COLUMN);
    osiris_append_boolean(COLUMN, n & 1);
    osiris_append_int8(COLUMN, (int8_t)n);
    osiris_append_uint8(COLUMN, (uint8_t)n);
    osiris_append_int16(COLUMN, (int16_t)n);
    osiris_append_uint16(COLUMN, (uint16_t)n);
    osiris_append_int32(COLUMN, (int32_t)n);
    osiris_append_uint32(COLUMN, (uint32_t)n);
    osiris_append_int64(COLUMN, n);
    osiris_append_uint64(COLUMN, (uint64_t)n);
    osiris_append_float(COLUMN, (float)n);
    osiris_append_double(COLUMN, (double)n);
    osiris_append_decimal(COLUMN, words);
    osiris_append_decimal(COLUMN, words);
    ck_assert_int_eq(osiris_append_bytes(COLUMN, text, length), 0);
    ck_assert_int_eq(osiris_append_bytes(COLUMN, text, length), 0);
    osiris_append_date32(COLUMN, (int32_t)n);
    osiris_append_time64(COLUMN, n);
    osiris_append_timestamp(COLUMN, n);
    osiris_append_duration(COLUMN, n);
#undef COLUMN
    ck_assert_uint_eq(i, TYPE_COUNT);
    osiris_builder_end_row(builder);
}

static void append_nulls(struct osiris_builder *builder)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        osiris_append_null(osiris_builder_column(builder, i));
    osiris_builder_end_row(builder);
}

static void check(const struct osiris_builder *builder, const struct ArrowArray *array)
{
    struct ArrowSchema schema;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_int_eq(osiris_builder_schema(builder, &schema), 0);
    ck_assert_msg(arrow_check_schema(&schema, &error) == 0, "%s", error.message);
    ck_assert_msg(arrow_check_array(&schema, array, &error) == 0, "%s", error.message);
    schema.release(&schema);
}

START_TEST(test_every_type_with_values_and_nulls)
{
    struct osiris_builder *builder = osiris_builder_new(all_types, TYPE_COUNT, 100);
    struct ArrowArray array;

    for (int64_t n = 0; n < 50; n++) {
        append_value(builder, n);
        append_nulls(builder);
    }
    ck_assert(osiris_builder_is_full(builder, SIZE_MAX));
    ck_assert_int_eq(osiris_builder_finish(builder, &array), 0);
    check(builder, &array);
    ck_assert_int_eq(array.length, 100);
    for (int64_t i = 1; i < array.n_children; i++) {
        ck_assert_int_eq(array.children[i]->null_count, 50);
        for (int row = 0; row < 100; row++)
            ck_assert_int_eq(((const uint8_t *)array.children[i]->buffers[0])[row / 8] >> row % 8 & 1,
                             row % 2 == 0);
    }
    ck_assert_int_eq(((const int64_t *)array.children[8]->buffers[1])[98], 49);
    ck_assert_int_eq(((const uint8_t *)array.children[1]->buffers[1])[98 / 8] >> 98 % 8 & 1, 1);
    const int32_t *offsets = array.children[14]->buffers[1];
    ck_assert_int_eq(offsets[99] - offsets[98], 7);
    ck_assert_mem_eq((const char *)array.children[14]->buffers[2] + offsets[98], "text 49", 7);
    for (int64_t i = 0; i < array.n_children; i++)
        for (int64_t j = 0; j < array.children[i]->n_buffers; j++)
            ck_assert_uint_eq((uintptr_t)array.children[i]->buffers[j] % 64, 0);
    array.release(&array);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_formats)
{
    static const char *const formats[] = {"n", "b", "c",   "C",   "s",      "S",       "i",
                                          "I", "l", "L",   "f",   "g",      "d:12,2",  "d:65,30,256",
                                          "u", "z", "tdD", "ttu", "tsu:UTC", "tDu"};
    struct osiris_builder *builder = osiris_builder_new(all_types, TYPE_COUNT, 1);
    struct ArrowSchema schema;

    ck_assert_int_eq(osiris_builder_schema(builder, &schema), 0);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        ck_assert_str_eq(schema.children[i]->format, formats[i]);
        ck_assert_str_eq(schema.children[i]->name, all_types[i].name);
    }
    schema.release(&schema);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_batches_are_independent_and_have_no_bitmap_without_nulls)
{
    struct osiris_builder *builder = osiris_builder_new(&all_types[8], 1, 10);
    struct ArrowArray first, second;

    osiris_append_null(osiris_builder_column(builder, 0));
    osiris_builder_end_row(builder);
    ck_assert_int_eq(osiris_builder_finish(builder, &first), 0);
    osiris_append_int64(osiris_builder_column(builder, 0), 7);
    osiris_builder_end_row(builder);
    ck_assert_int_eq(osiris_builder_finish(builder, &second), 0);
    osiris_builder_free(builder);
    ck_assert_int_eq(first.children[0]->null_count, 1);
    ck_assert_ptr_nonnull(first.children[0]->buffers[0]);
    ck_assert_int_eq(second.children[0]->null_count, 0);
    ck_assert_ptr_null(second.children[0]->buffers[0]);
    ck_assert_int_eq(((const int64_t *)second.children[0]->buffers[1])[0], 7);
    first.release(&first);
    second.release(&second);
}
END_TEST

START_TEST(test_long_texts_and_the_bound_in_bytes)
{
    struct osiris_builder *builder = osiris_builder_new(&all_types[14], 1, 1000);
    char *text = malloc(1 << 20);
    struct ArrowArray array;

    memset(text, 'x', 1 << 20);
    ck_assert_int_eq(osiris_append_bytes(osiris_builder_column(builder, 0), "", 0), 0);
    osiris_builder_end_row(builder);
    ck_assert(!osiris_builder_is_full(builder, 2 << 20));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(osiris_append_bytes(osiris_builder_column(builder, 0), text, 1 << 20), 0);
        osiris_builder_end_row(builder);
    }
    ck_assert(osiris_builder_is_full(builder, 2 << 20));
    ck_assert_int_eq(osiris_append_bytes_slow(osiris_builder_column(builder, 0), text,
                                              (size_t)INT32_MAX),
                     -1);
    ck_assert_int_eq(osiris_builder_finish(builder, &array), 0);
    ck_assert_int_eq(array.length, 3);
    ck_assert_int_eq(((const int32_t *)array.children[0]->buffers[1])[3], 2 << 20);
    array.release(&array);
    free(text);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_an_empty_batch_and_moved_children)
{
    struct osiris_builder *builder = osiris_builder_new(all_types, TYPE_COUNT, 4);
    struct ArrowArray array, child;

    ck_assert_int_eq(osiris_builder_finish(builder, &array), 0);
    check(builder, &array);
    ck_assert_int_eq(array.length, 0);
    child = *array.children[8];
    array.children[8]->release = NULL;
    array.release(&array);
    child.release(&child);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_malformed_fields_are_refused)
{
    static const struct osiris_field bad[] = {
        {.name = "x", .type = 99},
        {.name = "x", .type = -1},
        {.name = "x", .type = OSIRIS_TYPE_DECIMAL128, .precision = 39},
        {.name = "x", .type = OSIRIS_TYPE_DECIMAL128, .precision = 0},
        {.name = "x", .type = OSIRIS_TYPE_DECIMAL256, .precision = 10, .scale = 11},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_ptr_null(osiris_builder_new(&bad[i], 1, 10));
    ck_assert_ptr_null(osiris_builder_new(all_types, TYPE_COUNT, 0));
}
END_TEST

UNIT_MAIN("kit", test_every_type_with_values_and_nulls, test_formats,
          test_batches_are_independent_and_have_no_bitmap_without_nulls,
          test_long_texts_and_the_bound_in_bytes, test_an_empty_batch_and_moved_children,
          test_malformed_fields_are_refused)
