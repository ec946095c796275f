/* See texts.h. */
#include "unit/drivers/csv/texts.h"

#include <check.h>
#include <string.h>

void run_texts(struct fixture *fixture, const char *const *texts)
{
    static struct ArrowArray *batches[64];
    int64_t count = 0;
    while (texts[count] != NULL)
        count++;
    schema_add(fixture->schema, schema_new("l", "n"));
    schema_add(fixture->schema, schema_new("u", "t"));
    fixture->batches = batches;
    for (int64_t row = 0; row < count; row += 2) {
        int64_t rows = count - row < 2 ? 1 : 2;
        const int64_t numbers[] = {row, row + 1};
        struct ArrowArray *batch = array_nested(NULL, rows, NULL, 0);
        array_add(batch, array_fixed(numbers, 8, rows, NULL, 0));
        array_add(batch, array_text(texts + row, NULL, rows, false, 0));
        batches[fixture->batch_count++] = batch;
    }
    fixture_run(fixture);
}

void check_bytes(const char *config, const char *const *texts, const char *expected, size_t size)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.size, size);
    ck_assert_mem_eq(fixture.text, expected, size);
    fixture_clear(&fixture);
}

void check_failure(const char *config, const char *const *texts, const char *word)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

void append_to(struct fixture *fixture, const char *config, const char *existing, size_t size)
{
    fixture_init(fixture, config);
    fixture->existing = existing;
    fixture->existing_size = size;
    run_texts(fixture, TEXTS("a"));
}

void check_bytes_refused(const char *config, const char *existing, size_t size, const char *word)
{
    struct fixture fixture;
    append_to(&fixture, config, existing, size);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

void check_append_refused(const char *config, const char *existing, const char *word)
{
    check_bytes_refused(config, existing, strlen(existing), word);
}
