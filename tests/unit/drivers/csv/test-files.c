/* csv.writer's options of files: splitting, names, append, mode and fsync. Driven through the public descriptor. */
#include <stdio.h>
#include <string.h>

#include "unit/drivers/csv/texts.h"
#include "unit.h"

static void check_parts(const char *config, const char *const *texts, size_t count,
                        const char *const *expected)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.part_count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(fixture.parts[i].path, expected[2 * i]);
        ck_assert_str_eq(fixture.parts[i].text, expected[2 * i + 1]);
        ck_assert(fixture.parts[i].finished == (i + 1 < count));
    }
    fixture_clear(&fixture);
}

START_TEST(test_rows_per_file)
{
    const char *const *five = TEXTS("a", "b", "c", "d", "e");
    check_parts(
        "{\"path\": \"out/o.csv\", \"rows_per_file\": 3}", five, 2,
        TEXTS("out/o-00001.csv", "n,t\n0,a\n1,b\n2,c\n", "out/o-00002.csv", "n,t\n3,d\n4,e\n"));
    check_parts("{\"path\": \"o\", \"rows_per_file\": 5, \"encoding\": \"utf-8-sig\"}", five, 1,
                TEXTS("o-00001", "\xef\xbb\xbfn,t\n0,a\n1,b\n2,c\n3,d\n4,e\n"));
    check_parts("{\"path\": \"${part}.x\", \"rows_per_file\": 1, \"header\": false}", five, 5,
                TEXTS("00001.x", "0,a\n", "00002.x", "1,b\n", "00003.x", "2,c\n", "00004.x",
                      "3,d\n", "00005.x", "4,e\n"));
    /* Without rows there is one file, with a header. */
    check_parts("{\"path\": \"o\", \"rows_per_file\": 1}", (const char *const[]){NULL}, 1,
                TEXTS("o-00001", "n,t\n"));
    check_failure("{\"path\": \"o\", \"rows_per_file\": 1, \"append\": true}", five, "append");
    check_failure("{\"path\": \"${part}/o\", \"rows_per_file\": 1}", five, "folder");
}
END_TEST

START_TEST(test_bytes_per_file)
{
    const char *const *four = TEXTS("a", "b", "c", "d");
    /* A file ends with the row that reaches the size: 4 of header, 4 a row. */
    check_parts("{\"path\": \"o.csv\", \"bytes_per_file\": 12}", four, 2,
                TEXTS("o-00001.csv", "n,t\n0,a\n1,b\n", "o-00002.csv", "n,t\n2,c\n3,d\n"));
    check_parts("{\"path\": \"o.csv\", \"bytes_per_file\": 13}", four, 2,
                TEXTS("o-00001.csv", "n,t\n0,a\n1,b\n2,c\n", "o-00002.csv", "n,t\n3,d\n"));
    /* Each has a row, however small the size. */
    check_parts("{\"path\": \"o.csv\", \"bytes_per_file\": 1}", four, 4,
                TEXTS("o-00001.csv", "n,t\n0,a\n", "o-00002.csv", "n,t\n1,b\n", "o-00003.csv",
                      "n,t\n2,c\n", "o-00004.csv", "n,t\n3,d\n"));
    /* Whichever comes first. */
    check_parts("{\"path\": \"o.csv\", \"bytes_per_file\": 12, \"rows_per_file\": 3}",
                TEXTS("a", "bbbbbbbbb", "c", "d", "e", "f"), 3,
                TEXTS("o-00001.csv", "n,t\n0,a\n1,bbbbbbbbb\n", "o-00002.csv", "n,t\n2,c\n3,d\n",
                      "o-00003.csv", "n,t\n4,e\n5,f\n"));
}
END_TEST

/* Rows wider than the buffer: what was flushed counts. */
START_TEST(test_bytes_per_file_of_wide_rows)
{
    const size_t size = (size_t)3 << 20;
    char *wide = malloc(size + 1);
    ck_assert_ptr_nonnull(wide);
    memset(wide, 'x', size);
    wide[size] = '\0';
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"o\", \"bytes_per_file\": 4000000}");
    run_texts(&fixture, TEXTS(wide, wide, wide, "s"));
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.part_count, 2);
    ck_assert_uint_eq(fixture.parts[0].size, 4 + 2 * (size + 3));
    ck_assert_uint_eq(fixture.parts[1].size, 4 + size + 3 + 4);
    fixture_clear(&fixture);
    free(wide);
}
END_TEST

static void check_name(const char *path, const char *expected)
{
    char config[300];
    struct fixture fixture;
    snprintf(config, sizeof config, "{\"path\": \"%s\"}", path);
    fixture_init(&fixture, config);
    /* The ULID of 2016-07-30 22:36:16.385 UTC, from its specification. */
    fixture.run_id = "01ARYZ6S41TSV4RRFFQ69G5FAV";
    run_texts(&fixture, TEXTS("a"));
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_str_eq(fixture.output_path, expected);
    fixture_clear(&fixture);
}

START_TEST(test_names)
{
    check_name("a/${run_id}.csv", "a/01ARYZ6S41TSV4RRFFQ69G5FAV.csv");
    check_name("${step_id}-${date}T${time}.csv", "write-2016-07-30T223616.csv");
    check_name("${now:%Y/%m/%d}/x.csv", "2016/07/30/x.csv");
    check_name("x-${part}.csv", "x-00001.csv");
    check_name("$${date}$x${date}", "${date}$x2016-07-30");
    check_failure("{\"path\": \"${dat}\"}", TEXTS("a"), "${dat}");
    check_failure("{\"path\": \"x${date\"}", TEXTS("a"), "not closed");
    check_failure("{\"path\": \"${now:%Q}\"}", TEXTS("a"), "%Q");
    check_failure("{\"path\": \"${now:}\"}", TEXTS("a"), "empty");
}
END_TEST

START_TEST(test_names_of_parts)
{
    static const char *const names[][2] = {
        {"a.csv", "a-00001.csv"},         {"a.b.csv", "a.b-00001.csv"},
        {"d.e/a", "d.e/a-00001"},         {".csv", ".csv-00001"},
        {"d/.csv", "d/.csv-00001"},       {"a.csv.gz", "a-00001.csv.gz"},
        {"a.tsv.zst", "a-00001.tsv.zst"}, {"a.gz", "a-00001.gz"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char config[200];
        struct fixture fixture;
        snprintf(config, sizeof config,
                 "{\"path\": \"%s\", \"rows_per_file\": 9, \"compression\": \"none\"}",
                 names[i][0]);
        fixture_init(&fixture, config);
        run_texts(&fixture, TEXTS("a"));
        ck_assert_str_eq(fixture.output_path, names[i][1]);
        fixture_clear(&fixture);
    }
}
END_TEST

static void check_append(const char *config, const char *existing, size_t size,
                         const char *expected, size_t expected_size)
{
    struct fixture fixture;
    append_to(&fixture, config, existing, size);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.size, expected_size);
    ck_assert_mem_eq(fixture.text, expected, expected_size);
    fixture_clear(&fixture);
}

#define CHECK_APPEND(config, existing, expected)                                                   \
    check_append(config, existing, sizeof(existing) - 1, expected, sizeof(expected) - 1)

START_TEST(test_append)
{
    const char *config = "{\"path\": \"p\", \"append\": true}";
    CHECK_APPEND(config, "n,t\n7,x\n", "n,t\n7,x\n0,a\n");
    CHECK_APPEND(config, "n,t\n", "n,t\n0,a\n");
    CHECK_APPEND(config, "", "n,t\n0,a\n");
    CHECK_APPEND("{\"path\": \"p\", \"append\": true, \"header\": false}", "7,x\n", "7,x\n0,a\n");
    CHECK_APPEND("{\"path\": \"p\", \"append\": true, \"encoding\": \"utf-16\"}",
                 "\xff\xfen\0,\0t\0\n\0", "\xff\xfen\0,\0t\0\n\0\x30\0,\0a\0\n\0");
    check_append_refused(config, "n,u\n7,x\n", "header");
    check_append_refused(config, "n,t,u\n7,x,y\n", "header");
    check_append_refused(config, "n,", "header");
    check_append_refused(config, "n,t\r\n7,x\r\n", "header");
    check_append_refused(config, "n,t\n7,x", "not terminated");
    check_append_refused("{\"path\": \"p\", \"append\": true, \"header\": false}", "7,x", "not terminated");

    struct fixture fixture;
    append_to(&fixture, config, "n,t\n", 4);
    ck_assert_uint_eq(fixture.output_flags,
                      OSIRIS_OUTPUT_CREATE_DIRECTORIES | OSIRIS_OUTPUT_APPEND);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_mode_and_fsync_reach_the_host)
{
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"mode\": \"0640\", \"fsync\": \"never\"}");
    run_texts(&fixture, TEXTS("a"));
    ck_assert_uint_eq(fixture.output_mode, 0640);
    ck_assert_uint_eq(fixture.output_flags,
                      OSIRIS_OUTPUT_CREATE_DIRECTORIES | OSIRIS_OUTPUT_NO_SYNC);
    fixture_clear(&fixture);
    fixture_init(&fixture, "{\"path\": \"p\", \"fsync\": \"always\"}");
    run_texts(&fixture, TEXTS("a"));
    ck_assert_uint_eq(fixture.output_mode, 0);
    ck_assert_uint_eq(fixture.output_flags, OSIRIS_OUTPUT_CREATE_DIRECTORIES);
    fixture_clear(&fixture);
    static const char *const bad[] = {"", "8", "64", "0648", "01777", "1640", "rw-", "000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char config[100];
        snprintf(config, sizeof config, "{\"path\": \"p\", \"mode\": \"%s\"}", bad[i]);
        check_failure(config, TEXTS("a"), "mode");
    }
    check_failure("{\"path\": \"p\", \"fsync\": \"sometimes\"}", TEXTS("a"), "fsync");
}
END_TEST

UNIT_MAIN("csv-files", test_rows_per_file, test_bytes_per_file, test_bytes_per_file_of_wide_rows, test_names,
          test_names_of_parts, test_append, test_mode_and_fsync_reach_the_host)
