/* The kit in the hands of a driver with a fault, and without memory: an error, never another value and never a byte beyond. */
#include <osiris/kit.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* The linker has the kit's calls come here (tests/kit.mk). */
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool starved;

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return starved ? NULL : __real_aligned_alloc(alignment, size);
}

enum { ID, TEXT, FLAG, PRICE, NOTHING, COLUMNS };

static const struct osiris_field fields[] = {
    [ID] = {.name = "id", .type = OSIRIS_TYPE_INT64},
    [TEXT] = {.name = "text", .type = OSIRIS_TYPE_UTF8},
    [FLAG] = {.name = "flag", .type = OSIRIS_TYPE_BOOLEAN},
    [PRICE] = {.name = "price", .type = OSIRIS_TYPE_DECIMAL128, .precision = 10, .scale = 2},
    [NOTHING] = {.name = "nothing", .type = OSIRIS_TYPE_NULL},
};

static struct osiris_builder *builder;

static struct osiris_column *at(size_t index)
{
    return osiris_builder_column(builder, index);
}

static void begin(int64_t rows)
{
    starved = false;
    builder = osiris_builder_new(fields, COLUMNS, rows);
    ck_assert_ptr_nonnull(builder);
}

static void append(size_t index)
{
    static const uint64_t words[2] = {1, 0};

    switch (index) {
    case ID:
        osiris_append_int64(at(ID), 7);
        break;
    case TEXT:
        ck_assert_int_eq(osiris_append_bytes(at(TEXT), "seven", 5), 0);
        break;
    case FLAG:
        osiris_append_boolean(at(FLAG), 1);
        break;
    case PRICE:
        osiris_append_decimal(at(PRICE), words);
        break;
    default:
        osiris_append_null(at(NOTHING));
        break;
    }
}

/* All columns of a row but one (COLUMNS: all of them). */
static void row_without(size_t index)
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (i != index)
            append(i);
    osiris_builder_end_row(builder);
}

static void assert_fails(const char *why)
{
    struct ArrowArray batch;

    ck_assert_int_eq(osiris_builder_finish(builder, &batch), -1);
    ck_assert_ptr_null(batch.release);
    ck_assert_pstr_eq(osiris_builder_error(builder), why);
}

/* And goes on to, whatever is appended. */
static void assert_fails_for_good(const char *why)
{
    assert_fails(why);
    for (size_t i = 0; i < COLUMNS; i++)
        osiris_append_null(at(i));
    osiris_builder_end_row(builder);
    assert_fails(why);
    osiris_builder_free(builder);
}

static void assert_finishes(int64_t rows)
{
    struct ArrowArray batch;

    ck_assert_pstr_eq(osiris_builder_error(builder), NULL);
    ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
    ck_assert_int_eq(batch.length, rows);
    for (int64_t i = 0; i < batch.n_children; i++)
        ck_assert_int_eq(batch.children[i]->length, rows);
    batch.release(&batch);
}

START_TEST(test_a_forgotten_append)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        char why[64];
        begin(10);
        row_without(COLUMNS);
        row_without(i);
        snprintf(why, sizeof why, "column \"%s\" has 1 value, and the batch has 2 rows", fields[i].name);
        assert_fails(why);
        /* Nothing is lost: it may be mended. */
        append(i);
        assert_finishes(2);
        osiris_builder_free(builder);
    }
}
END_TEST

START_TEST(test_an_append_too_many)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        char why[64];
        begin(10);
        row_without(COLUMNS);
        append(i);
        snprintf(why, sizeof why, "column \"%s\" has 2 values, and the batch has 1 row", fields[i].name);
        assert_fails(why);
        osiris_builder_free(builder);
    }
}
END_TEST

START_TEST(test_rows_too_many)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        char why[64];
        begin(3);
        for (int row = 0; row < 3; row++)
            row_without(COLUMNS);
        if (i == TEXT)
            ck_assert_int_eq(osiris_append_bytes(at(TEXT), "", 0), -1);
        else
            append(i);
        snprintf(why, sizeof why, "column \"%s\" has more values than a batch may have rows (3)", fields[i].name);
        assert_fails(why);
        assert_fails(why);
        osiris_builder_free(builder);
    }
    begin(1);
    row_without(COLUMNS);
    osiris_builder_end_row(builder);
    ck_assert_int_eq(osiris_builder_rows(builder), 1);
    assert_fails("more rows were ended than a batch may have (1)");
    osiris_builder_free(builder);
}
END_TEST

/* Far beyond what there is room for: a sanitizer or valgrind sees where it would go. */
START_TEST(test_rows_far_too_many)
{
    begin(2);
    for (int row = 0; row < 10000; row++) {
        osiris_append_int64(at(ID), row);
        osiris_append_boolean(at(FLAG), 1);
        (void)osiris_append_bytes(at(TEXT), "x", 1);
        osiris_append_null(at(PRICE));
        osiris_append_null(at(NOTHING));
        osiris_builder_end_row(builder);
    }
    assert_fails_for_good("column \"id\" has more values than a batch may have rows (2)");
}
END_TEST

START_TEST(test_a_value_of_another_type)
{
    static const uint64_t words[4] = {1, 0, 0, 0};

#define WRONG(index, format, ...)                                                                  \
    begin(10);                                                                                     \
    __VA_ARGS__;                                                                                   \
    assert_fails_for_good("column \"" index "\" (" format "): a value of another type was appended")
    WRONG("flag", "b", osiris_append_int64(at(FLAG), 1));
    WRONG("flag", "b", osiris_append_double(at(FLAG), 1));
    WRONG("flag", "b", osiris_append_decimal(at(FLAG), words));
    WRONG("flag", "b", ck_assert_int_eq(osiris_append_bytes(at(FLAG), "", 0), -1));
    WRONG("id", "l", osiris_append_boolean(at(ID), 1));
    WRONG("id", "l", osiris_append_int32(at(ID), 1));
    WRONG("id", "l", osiris_append_uint64(at(ID), 1));
    WRONG("id", "l", osiris_append_double(at(ID), 1));
    WRONG("id", "l", osiris_append_date32(at(ID), 1));
    WRONG("id", "l", ck_assert_int_eq(osiris_append_bytes(at(ID), "x", 1), -1));
    WRONG("text", "u", osiris_append_int32(at(TEXT), 1));
    WRONG("text", "u", osiris_append_boolean(at(TEXT), 1));
    WRONG("price", "d:10,2", osiris_append_int64(at(PRICE), 1));
    WRONG("nothing", "n", osiris_append_int8(at(NOTHING), 1));
    WRONG("nothing", "n", osiris_append_boolean(at(NOTHING), 1));
    WRONG("nothing", "n", osiris_append_decimal(at(NOTHING), words));
#undef WRONG
}
END_TEST

START_TEST(test_times_are_kept_as_integers)
{
    static const struct osiris_field times[] = {{.name = "date", .type = OSIRIS_TYPE_DATE32},
                                                {.name = "time", .type = OSIRIS_TYPE_TIME64_US},
                                                {.name = "stamp", .type = OSIRIS_TYPE_TIMESTAMP_US},
                                                {.name = "span", .type = OSIRIS_TYPE_DURATION_US}};

    builder = osiris_builder_new(times, 4, 1);
    osiris_append_int32(at(0), 1);
    for (size_t i = 1; i < 4; i++)
        osiris_append_int64(at(i), 1);
    osiris_builder_end_row(builder);
    assert_finishes(1);
    osiris_builder_free(builder);
}
END_TEST

START_TEST(test_a_column_that_does_not_exist)
{
    static const size_t indices[] = {COLUMNS, COLUMNS + 1, 1000000, SIZE_MAX};

    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        char why[96];
        begin(10);
        row_without(COLUMNS);
        struct osiris_column *none = at(indices[i]);
        osiris_append_int64(none, 1);
        osiris_append_boolean(none, 1);
        ck_assert_int_eq(osiris_append_bytes(none, "x", 1), -1);
        osiris_append_null(none);
        snprintf(why, sizeof why, "there is no column %zu; indices must be below 5", indices[i]);
        assert_fails_for_good(why);
    }
    ck_assert_ptr_null(osiris_builder_new(NULL, 3, 10));
}
END_TEST

/* A bitmap that could not be made must not be made later, with the null before as a value. */
START_TEST(test_no_memory_for_a_null)
{
    begin(10);
    starved = true;
    osiris_append_null(at(ID));
    starved = false;
    osiris_append_null(at(ID));
    ck_assert_int_eq(at(ID)->length, 0);
    assert_fails_for_good("out of memory");
}
END_TEST

START_TEST(test_no_memory_for_bytes)
{
    static const char text[8192];

    begin(10);
    starved = true;
    ck_assert_int_eq(osiris_append_bytes(at(TEXT), text, sizeof text), -1);
    starved = false;
    ck_assert_int_eq(osiris_append_bytes(at(TEXT), text, 1), -1);
    assert_fails_for_good("out of memory");
}
END_TEST

START_TEST(test_no_memory_for_the_next_batch)
{
    begin(10);
    row_without(COLUMNS);
    starved = true;
    assert_fails("out of memory");
    starved = false;
    struct ArrowArray batch;
    ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
    ck_assert_int_eq(batch.length, 1);
    batch.release(&batch);
    ck_assert_pstr_eq(osiris_builder_error(builder), NULL);
    osiris_builder_free(builder);
}
END_TEST

/* What is too long is refused, and another value may take its place. */
START_TEST(test_bytes_too_long)
{
    static volatile size_t length = (size_t)INT32_MAX + 1;

    begin(10);
    ck_assert_int_eq(osiris_append_bytes(at(TEXT), "", length), -1);
    osiris_append_null(at(TEXT));
    row_without(TEXT);
    assert_finishes(1);
    ck_assert_int_eq(osiris_append_bytes(at(TEXT), "", length), -1);
    row_without(TEXT);
    assert_fails("column \"text\" has 0 values, and the batch has 1 row");
    osiris_builder_free(builder);
}
END_TEST

UNIT_MAIN("kit-faults", test_a_forgotten_append, test_an_append_too_many, test_rows_too_many, test_rows_far_too_many,
          test_a_value_of_another_type, test_times_are_kept_as_integers, test_a_column_that_does_not_exist,
          test_no_memory_for_a_null, test_no_memory_for_bytes, test_no_memory_for_the_next_batch, test_bytes_too_long)
