/*
 * csv.writer's options of how a value is written: quote, escape, null_text, true_text and
 * false_text, the formats of floats, dates and times, formula_guard; and which columns are. Driven
 * through the public descriptor.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "csv/fixture.h"
#include "unit.h"

/* One column of texts, NULL among them, under `options` (members of a JSON object). */
static void check_texts(const char *options, const char *const *texts, int64_t count,
                        const char *expected)
{
    char config[512];
    snprintf(config, sizeof config, "{\"path\": \"p\", %s}", options);
    char *text = write_column(config, "u", array_text(texts, NULL, count, false, 0));
    ck_assert_str_eq(text, expected);
    free(text);
}

#define CHECK_TEXTS(options, expected, ...)                                                        \
    check_texts(options, (const char *const[]){__VA_ARGS__},                                       \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), expected)

static void check_values(const char *options, const char *format, const void *values, size_t width,
                         int64_t count, const char *expected)
{
    char config[512];
    snprintf(config, sizeof config, "{\"path\": \"p\", %s}", options);
    char *text = write_column(config, format, array_fixed(values, width, count, NULL, 0));
    ck_assert_str_eq(text, expected);
    free(text);
}

#define CHECK_VALUES(options, format, type, expected, ...)                                         \
    check_values(options, format, (const type[]){__VA_ARGS__}, sizeof(type),                       \
                 sizeof((const type[]){__VA_ARGS__}) / sizeof(type), expected)

static void check_refused(const char *options, const char *word)
{
    char config[512];
    struct fixture fixture;
    snprintf(config, sizeof config, "{\"path\": \"p\", %s}", options);
    fixture_init(&fixture, config);
    fixture_run(&fixture);
    ck_assert_msg(fixture.opened == -1, "%s", config);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CONFIG);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

/* A single text that cannot be written. */
static void check_unwritable(const char *options, const char *text, const char *word)
{
    char config[512];
    struct fixture fixture;
    snprintf(config, sizeof config, "{\"path\": \"p\", %s}", options);
    fixture_init(&fixture, config);
    schema_add(fixture.schema, schema_new("u", "note"));
    struct ArrowArray *batch = array_nested(NULL, 2, NULL, 0);
    array_add(batch, array_text((const char *const[]){"fine", text}, NULL, 2, false, 0));
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
    ck_assert_msg(strstr(fixture.message, "row 2, column \"note\"") != NULL, "%s", fixture.message);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

START_TEST(test_quote)
{
    CHECK_TEXTS("\"quote\": \"'\"", "a\"b\n'it''s'\n'a,b'\n''\n", "a\"b", "it's", "a,b", "");
    CHECK_TEXTS("\"quote\": \"'\", \"quoting\": \"all\"", "'a\"b'\n''''\n", "a\"b", "'");
    /* A quote that numbers and dates may have. */
    CHECK_VALUES("\"quote\": \"-\"", "i", int32_t, "1\n---2-\n", 1, -2);
    CHECK_VALUES("\"quote\": \"-\", \"quoting\": \"all\"", "tdD", int32_t, "-1970--01--01-\n", 0);
    CHECK_VALUES("\"quote\": \"0\"", "w:1", char, "01000\n", 0x10);
    check_refused("\"quote\": \",\"", "quote");
    check_refused("\"quote\": \"\\n\"", "quote");
    check_refused("\"quote\": \"''\"", "quote");
}
END_TEST

START_TEST(test_escape)
{
    CHECK_TEXTS("\"escape\": \"\\\\\"", "\"a\\\"b\"\n\"a\\\\b\"\n\"a,b\"\n\"\nx\"\nplain\n", "a\"b",
                "a\\b", "a,b", "\nx", "plain");
    CHECK_TEXTS("\"escape\": \"\\\\\", \"quoting\": \"all\"", "\"\\\\\\\"\"\n", "\\\"");
    /* Without quotes everything special is escaped. */
    CHECK_TEXTS("\"escape\": \"\\\\\", \"quoting\": \"none\"",
                "a\\,b\na\\\"b\na\\\\b\na\\\nb\na\\\rb\nplain\n", "a,b", "a\"b", "a\\b", "a\nb",
                "a\rb", "plain");
    /* An escape that numbers may have. */
    CHECK_VALUES("\"escape\": \"-\"", "i", int32_t, "\"--2\"\n3\n", -2, 3);
    check_refused("\"escape\": \",\"", "escape");
    check_refused("\"escape\": \"\\\\\", \"delimiter\": \"n\"", "escape");
    check_refused("\"escape\": \"e\"", "escape");
}
END_TEST

/* Values longer than the buffer take another way. */
START_TEST(test_escape_of_a_wide_value)
{
    const size_t size = (size_t)3 << 20;
    char *wide = malloc(size + 1);
    ck_assert_ptr_nonnull(wide);
    memset(wide, 'x', size);
    wide[size] = '\0';
    size_t escaped = 0;
    for (size_t i = 0; i < size; i += 5, escaped++)
        wide[i] = i % 2 ? '\\' : '"';
    static const char *const configs[] = {
        "{\"path\": \"p\", \"escape\": \"\\\\\"}",
        "{\"path\": \"p\", \"escape\": \"\\\\\", \"quoting\": \"none\"}"};
    for (size_t i = 0; i < 2; i++) {
        char *text = write_column(configs[i], "u",
                                  array_text((const char *const[]){wide}, NULL, 1, false, 0));
        char *at = text + (i == 0);
        ck_assert_uint_eq(strlen(text), size + escaped + 1 + (i == 0 ? 2 : 0));
        for (size_t j = 0; j < size; j++) {
            at += j % 5 == 0 && *at == '\\';
            ck_assert_int_eq(*at++, wide[j]);
        }
        free(text);
    }
    free(wide);
}
END_TEST

START_TEST(test_null_text)
{
    CHECK_TEXTS("\"null_text\": \"NULL\"", "NULL\n\"NULL\"\n\"\"\nNULLs\nnull\n", NULL, "NULL", "",
                "NULLs", "null");
    CHECK_TEXTS("\"null_text\": \"NULL\", \"quoting\": \"all\"", "NULL\n\"NULL\"\n", NULL, "NULL");
    CHECK_TEXTS("\"null_text\": \"\\\\N\", \"escape\": \"\\\\\"", "\\N\n\"\\\\N\"\n", NULL, "\\N");
    CHECK_TEXTS("\"null_text\": \"NULL\", \"quoting\": \"none\"", "NULL\nx\n", NULL, "x");
    check_unwritable("\"null_text\": \"NULL\", \"quoting\": \"none\"", "", "the line would be empty");
    check_unwritable("\"quoting\": \"none\"", NULL, "the line would be empty");
    check_unwritable("\"quoting\": \"none\"", "", "empty like NULL");
    check_unwritable("\"quoting\": \"none\", \"escape\": \"^\"", "", "empty like NULL");
    /* Escaped, it is not the text of NULL any more. */
    CHECK_TEXTS("\"null_text\": \"\\\\N\", \"escape\": \"\\\\\", \"quoting\": \"none\"",
                "\\N\n\\\\N\n", NULL, "\\N");
    check_unwritable("\"null_text\": \"NULL\", \"quoting\": \"none\"", "NULL", "equals the text for NULL");
    check_refused("\"null_text\": \"a,b\"", "null_text");
    check_refused("\"null_text\": \"\\\"\"", "null_text");
    check_refused("\"null_text\": \"\\\\\", \"escape\": \"\\\\\"", "null_text");
    check_refused("\"null_text\": \"\\\\\\\\N\", \"escape\": \"\\\\\"", "null_text");
    check_refused("\"null_text\": "
                  "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
                  "null_text");
}
END_TEST

START_TEST(test_null_text_of_other_types)
{
    CHECK_VALUES("\"null_text\": \"0\"", "i", int32_t, "1\n\"0\"\n", 1, 0);
    CHECK_VALUES("\"null_text\": \"1970-01-01\"", "tdD", int32_t, "\"1970-01-01\"\n1970-01-02\n", 0,
                 1);
    CHECK_VALUES("\"null_text\": \"61\"", "w:1", char, "\"61\"\n62\n", 'a', 'b');
    /* A NaN is written like NULL. */
    CHECK_VALUES("\"null_text\": \"NA\"", "g", double, "NA\n1.0\n", NAN, 1);
    CHECK_VALUES("\"null_text\": \"NA\", \"quoting\": \"all\"", "g", double, "NA\n\"1.0\"\n", NAN,
                 1);
    CHECK_VALUES("\"quoting\": \"all\", \"header\": true", "g", double, "\"\"\n\"1.0\"\n", NAN, 1);

    char *text = write_column("{\"path\": \"p\", \"null_text\": \"True\"}", "b",
                              array_bits("011", "110", 0));
    ck_assert_str_eq(text, "False\n\"True\"\nTrue\n");
    free(text);
    struct ArrowArray *nulls = array_empty();
    nulls->length = nulls->null_count = 2;
    text = write_column("{\"path\": \"p\", \"null_text\": \"-\"}", "n", nulls);
    ck_assert_str_eq(text, "-\n-\n");
    free(text);
}
END_TEST

START_TEST(test_boolean_texts)
{
    char *text = write_column("{\"path\": \"p\", \"true_text\": \"1\", \"false_text\": \"0\"}", "b",
                              array_bits("01", NULL, 0));
    ck_assert_str_eq(text, "0\n1\n");
    free(text);
    text =
        write_column("{\"path\": \"p\", \"true_text\": \"a,b\"}", "b", array_bits("01", NULL, 0));
    ck_assert_str_eq(text, "False\n\"a,b\"\n");
    free(text);
    check_refused("\"true_text\": \"x\", \"false_text\": \"x\"", "true_text");
    check_refused("\"true_text\": \"\"", "true_text");
    check_refused("\"false_text\": \"\"", "false_text");
}
END_TEST

START_TEST(test_float_formats)
{
    CHECK_VALUES("\"float_format\": \"%.2f\"", "g", double, "1.00\n0.12\n-0.38\ninf\n\"\"\n", 1,
                 0.125, -0.375, INFINITY, NAN);
    CHECK_VALUES("\"float_format\": \"%.3e\"", "f", float, "1.500e+00\n", 1.5f);
    CHECK_VALUES("\"float_format\": \"%g\"", "g", double, "1e-05\n123457\n", 1e-5, 123456.789);
    CHECK_VALUES("\"float_format\": \"%.0F\"", "g", double, "2\n4\n", 2.5, 3.5);
    /* The widest that there is. */
    char *text =
        write_column("{\"path\": \"p\", \"float_format\": \"%.40f\"}", "g",
                     array_fixed((const double[]){-1.7976931348623157e308}, 8, 1, NULL, 0));
    char expected[400];
    snprintf(expected, sizeof expected, "%.40f\n", -1.7976931348623157e308);
    ck_assert_str_eq(text, expected);
    free(text);
    /* 1, the smallest (2^-24), the largest, minus infinity */
    CHECK_VALUES("\"float_format\": \"%.10g\"", "e", uint16_t, "1\n5.960464478e-08\n65504\n-inf\n",
                 0x3c00, 1, 0x7bff, 0xfc00);
    CHECK_VALUES("\"float_format\": \"%.1f\", \"delimiter\": \".\"", "g", double, "\"1.0\"\n", 1);
    check_refused("\"float_format\": \"%d\"", "float_format");
    check_refused("\"float_format\": \"%.41f\"", "float_format");
    check_refused("\"float_format\": \"%.f\"", "float_format");
    check_refused("\"float_format\": \"%.2f%n\"", "float_format");
    check_refused("\"float_format\": \"\"", "float_format");
}
END_TEST

START_TEST(test_date_formats)
{
    CHECK_VALUES("\"date_format\": \"%d.%m.%Y\"", "tdD", int32_t,
                 "01.01.1970\n29.02.2024\n31.12.-0001\n11.07.5881580\n", 0, 19782, -719529,
                 INT32_MAX);
    CHECK_VALUES("\"date_format\": \"%a %A %u %j %y %b %B %F %%\"", "tdm", int64_t,
                 "Thu Thursday 4 001 70 Jan January 1970-01-01 %\n"
                 "Sun Sunday 7 366 72 Dec December 1972-12-31 %\n"
                 "Wed Wednesday 3 365 69 Dec December 1969-12-31 %\n",
                 0, 94608000000, -1);
    CHECK_VALUES("\"date_format\": \"%d,%m\"", "tdD", int32_t, "\"01,01\"\n", 0);
    check_refused("\"date_format\": \"%H\"", "date_format");
    check_refused("\"date_format\": \"%Q\"", "date_format");
    check_refused("\"date_format\": \"%\"", "date_format");
    check_refused("\"date_format\": \"\"", "date_format");
    check_refused("\"date_format\": \"%3d\"", "date_format");
    check_refused("\"date_format\": \"%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F%F\"", "too long");
}
END_TEST

START_TEST(test_time_formats)
{
    CHECK_VALUES("\"time_format\": \"%H%M\"", "tts", int32_t, "0000\n2359\n", 0, 86399);
    CHECK_VALUES("\"time_format\": \"%I:%M %p\"", "ttm", int32_t,
                 "12:00 AM\n01:30 PM\n12:00 PM\n11:59 AM\n", 0, 48600000, 43200000, 43199999);
    CHECK_VALUES("\"time_format\": \"%T.%f %1f %9f\"", "ttn", int64_t,
                 "00:00:01.987654 9 987654321\n", 1987654321);
    /* Outside of the day it keeps its usual text. */
    CHECK_VALUES("\"time_format\": \"%H\"", "ttu", int64_t, "24:00:00\n-00:00:01\n", 86400000000,
                 -1000000);
    /* A duration is no time of the day. */
    CHECK_VALUES("\"time_format\": \"%H\"", "tDs", int64_t, "01:00:00\n", 3600);
    check_refused("\"time_format\": \"%Y\"", "time_format");
    check_refused("\"time_format\": \"%Z\"", "time_format");
    check_refused("\"time_format\": \"%0f\"", "time_format");
}
END_TEST

START_TEST(test_timestamp_formats)
{
    CHECK_VALUES("\"timestamp_format\": \"%Y-%m-%dT%H:%M:%S.%3f%z\"", "tsu:", int64_t,
                 "1970-01-01T00:00:00.000\n1969-12-31T23:59:59.999\n2026-03-01T12:34:56.500\n", 0,
                 -1, 1772368496500000);
    CHECK_VALUES("\"timestamp_format\": \"%FT%T%:z|%z|%Z|%s\"", "tsm:Europe/Prague", int64_t,
                 "1970-01-01T00:00:00+00:00|+0000|UTC|0\n1969-12-31T23:59:59+00:00|+0000|UTC|-1\n",
                 0, -1);
    CHECK_VALUES("\"timestamp_format\": \"%Y%m%d %s\"", "tss:", int64_t,
                 "-2922770226570127 -9223372036854775808\n2922770265961204 9223372036854775807\n",
                 INT64_MIN, INT64_MAX);
    CHECK_VALUES("\"timestamp_format\": \"%T.%9f\"", "tsn:", int64_t, "00:12:43.145224192\n",
                 INT64_MIN);
    CHECK_VALUES("\"timestamp_format\": \"it's %H o'clock\", \"quote\": \"'\"", "tss:", int64_t,
                 "'it''s 01 o''clock'\n", 3600);
    check_refused("\"timestamp_format\": \"%:d\"", "timestamp_format");
}
END_TEST

/* Inside JSON text values keep the usual texts. */
START_TEST(test_nested_values_have_no_format)
{
    struct fixture fixture;
    fixture_init(&fixture,
                 "{\"path\": \"p\", \"header\": false, \"true_text\": \"yes\","
                 "\"date_format\": \"%d\", \"float_format\": \"%.3f\", \"quote\": \"'\"}");
    struct ArrowSchema *schema = schema_new("+s", "v");
    schema_add(schema, schema_new("b", "b"));
    schema_add(schema, schema_new("tdD", "d"));
    schema_add(schema, schema_new("g", "f"));
    schema_add(fixture.schema, schema);
    struct ArrowArray *array = array_nested(NULL, 1, NULL, 0);
    array_add(array, array_bits("1", NULL, 0));
    array_add(array, array_fixed((const int32_t[]){0}, 4, 1, NULL, 0));
    array_add(array, array_fixed((const double[]){0.5}, 8, 1, NULL, 0));
    struct ArrowArray *batch = array_nested(NULL, 1, NULL, 0);
    array_add(batch, array);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_str_eq(fixture.text, "'{\"b\":true,\"d\":\"1970-01-01\",\"f\":0.5}'\n");
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_formula_guard)
{
    CHECK_TEXTS("\"formula_guard\": \"apostrophe\"",
                "'=1+2\n'+1\n'-1\n'@x\n'\tx\n\"'\rx\"\n\"'\nx\"\n1=1\n\"\"\n\"'=\"\"a,b\"\n",
                "=1+2", "+1", "-1", "@x", "\tx", "\rx", "\nx", "1=1", "", "=\"a,b");
    CHECK_TEXTS("\"formula_guard\": \"none\"", "=1+2\n-1\n", "=1+2", "-1");
    CHECK_TEXTS("\"formula_guard\": \"apostrophe\", \"quoting\": \"all\"", "\"'=1\"\n\"x\"\n", "=1",
                "x");
    /* Numbers stay numbers. */
    CHECK_VALUES("\"formula_guard\": \"apostrophe\"", "i", int32_t, "-1\n", -1);

    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"formula_guard\": \"apostrophe\"}");
    schema_add(fixture.schema, schema_new("i", "=name"));
    fixture_run(&fixture);
    ck_assert_str_eq(fixture.text, "'=name\n");
    fixture_clear(&fixture);
}
END_TEST

static void run_columns(struct fixture *fixture, const char *columns)
{
    static const char *const names[] = {"b", "a", "customer", "b"};
    static char config[200];
    snprintf(config, sizeof config, "{\"path\": \"p\", \"columns\": %s}", columns);
    fixture_init(fixture, config);
    static struct ArrowArray *batch;
    batch = array_nested(NULL, 1, NULL, 0);
    for (int32_t i = 0; i < 4; i++) {
        schema_add(fixture->schema, schema_new("i", names[i]));
        array_add(batch, array_fixed(&i, 4, 1, NULL, 0));
    }
    fixture->batches = &batch;
    fixture->batch_count = 1;
    fixture_run(fixture);
}

static void check_columns(const char *columns, const char *expected)
{
    struct fixture fixture;
    run_columns(&fixture, columns);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_str_eq(fixture.text, expected);
    fixture_clear(&fixture);
}

static void check_columns_refused(const char *columns, const char *word, const char *hint)
{
    struct fixture fixture;
    run_columns(&fixture, columns);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CONFIG);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    ck_assert_msg(strstr(fixture.hint, hint) != NULL, "%s", fixture.hint);
    fixture_clear(&fixture);
}

START_TEST(test_lists_of_columns)
{
    check_columns("\"source\"", "b,a,customer,b\n0,1,2,3\n");
    check_columns("\"sorted\"", "a,b,b,customer\n1,0,3,2\n");
    check_columns("[\"customer\", \"a\"]", "customer,a\n2,1\n");
    check_columns("[\"a\"]", "a\n1\n");
    /* A name that two columns have is both. */
    check_columns("[\"b\", \"a\"]", "b,b,a\n0,3,1\n");
    check_columns_refused("[\"custmer\"]", "\"custmer\"", "\"customer\"");
    check_columns_refused("[\"Customer\"]", "\"Customer\"", "\"customer\"");
    check_columns_refused("[\"entirely different\"]", "\"entirely different\"",
                          "columns of the input");
    check_columns_refused("[\"a\", \"a\"]", "twice", "once");
}
END_TEST

UNIT_MAIN("csv-dialect", test_quote, test_escape, test_escape_of_a_wide_value, test_null_text,
          test_null_text_of_other_types, test_boolean_texts, test_float_formats, test_date_formats,
          test_time_formats, test_timestamp_formats, test_nested_values_have_no_format,
          test_formula_guard, test_lists_of_columns)
