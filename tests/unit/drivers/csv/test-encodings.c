/* csv.writer's option `encoding`. Driven through the public descriptor. */
#include <string.h>

#include "unit/drivers/csv/texts.h"
#include "unit.h"

START_TEST(test_encodings)
{
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"utf-8-sig\"}", TEXTS("é"),
                "\xef\xbb\xbfn,t\n0,\xc3\xa9\n");
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"utf-16\", \"header\": false}", TEXTS("é😀"),
                "\xff\xfe\x30\x00,\x00\xe9\x00\x3d\xd8\x00\xde\n\x00");
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"utf-16le\", \"header\": false}", TEXTS("é"),
                "\x30\x00,\x00\xe9\x00\n\x00");
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"utf-16be\", \"header\": false}", TEXTS("€"),
                "\x00\x30\x00,\x20\xac\x00\n");
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"latin-1\", \"header\": false}",
                TEXTS("é\xc2\x80\xc3\xbf"), "0,\xe9\x80\xff\n");
    CHECK_BYTES("{\"path\": \"p\", \"encoding\": \"ascii\"}", TEXTS("a\x7f"), "n,t\n0,a\x7f\n");
    /* UTF-8 is written as it comes, whatever it is. */
    CHECK_BYTES("{\"path\": \"p\", \"header\": false}", TEXTS("\xed\xa0\x80\xff"),
                "0,\xed\xa0\x80\xff\n");
}
END_TEST

/* Pieces of the buffer end within characters. */
START_TEST(test_encoding_of_a_wide_value)
{
    const size_t count = 700000;
    char *wide = malloc(3 * count + 1);
    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < count; i++)
        memcpy(wide + 3 * i, "€", 3);
    wide[3 * count] = '\0';
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"encoding\": \"utf-16be\", \"header\": false}");
    run_texts(&fixture, TEXTS(wide));
    ck_assert_uint_eq(fixture.size, 2 * (count + 3));
    for (size_t i = 2; i < count + 2; i++)
        ck_assert_mem_eq(fixture.text + 2 * i, "\x20\xac", 2);
    fixture_clear(&fixture);
    free(wide);
}
END_TEST

START_TEST(test_unencodable_text_is_reported_with_row_and_column)
{
    check_failure("{\"path\": \"p\", \"encoding\": \"ascii\"}", TEXTS("a", "b", "é"),
                  "row 3, column \"t\": the character U+00E9 does not exist in ascii");
    check_failure("{\"path\": \"p\", \"encoding\": \"latin-1\"}", TEXTS("é", "€"),
                  "row 2, column \"t\": the character U+20AC does not exist in latin-1");
    static const char *const invalid[] = {"\xff",         "\xc3",
                                          "\xc0\x80",     "\xe0\x80\x80",
                                          "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\xe2\x82",     "\xf5\x80\x80\x80",
                                          "\x80"};
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        check_failure("{\"path\": \"p\", \"encoding\": \"utf-16\"}", TEXTS("a", invalid[i]),
                      "row 2, column \"t\": the text is not valid UTF-8 at byte 1");
        check_failure("{\"path\": \"p\", \"encoding\": \"latin-1\"}", TEXTS(invalid[i]), "row 1");
    }
    check_failure("{\"path\": \"p\", \"encoding\": \"ascii\", \"null_text\": \"–\"}", TEXTS("a"),
                  "null_text");
    check_failure("{\"path\": \"p\", \"encoding\": \"latin-1\", \"date_format\": \"%d€\"}",
                  TEXTS("a"), "date_format");

    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"encoding\": \"ascii\"}");
    schema_add(fixture.schema, schema_new("l", "cena €"));
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_msg(strstr(fixture.message, "the name of column \"cena €\"") != NULL, "%s",
                  fixture.message);
    fixture_clear(&fixture);
}
END_TEST

UNIT_MAIN("csv-encodings", test_encodings, test_encoding_of_a_wide_value,
          test_unencodable_text_is_reported_with_row_and_column)
