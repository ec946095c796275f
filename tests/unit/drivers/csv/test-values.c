/*
 * csv.writer: each type's text, at its edges, in arrays that begin in the middle (offset 1) and have a
 * null. Driven through the public descriptor.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "csv/fixture.h"
#include "unit.h"

#define CHECK_COLUMN(config, format, array, expected)                                              \
    do {                                                                                           \
        char *text = write_column(config, format, array);                                          \
        ck_assert_str_eq(text, expected);                                                          \
        free(text);                                                                                \
    } while (0)

/* The first value is skipped by the offset, the last one is null. A lone null is written as "". */
#define CHECK_FIXED(format, type, expected, ...)                                                   \
    do {                                                                                           \
        const type values[] = {__VA_ARGS__};                                                       \
        int64_t count = (int64_t)(sizeof values / sizeof values[0]);                               \
        char valid[64];                                                                            \
        memset(valid, '1', sizeof valid);                                                          \
        valid[count - 1] = '0';                                                                    \
        CHECK_COLUMN(NULL, format, array_fixed(values, sizeof(type), count, valid, 1),             \
                     expected "\"\"\n");                                                           \
    } while (0)

START_TEST(test_integers)
{
    CHECK_FIXED("c", int8_t, "-128\n0\n127\n", 99, INT8_MIN, 0, INT8_MAX, 1);
    CHECK_FIXED("C", uint8_t, "0\n255\n", 99, 0, UINT8_MAX, 1);
    CHECK_FIXED("s", int16_t, "-32768\n32767\n", 99, INT16_MIN, INT16_MAX, 1);
    CHECK_FIXED("S", uint16_t, "65535\n", 99, UINT16_MAX, 1);
    CHECK_FIXED("i", int32_t, "-2147483648\n2147483647\n-1\n", 99, INT32_MIN, INT32_MAX, -1, 1);
    CHECK_FIXED("I", uint32_t, "4294967295\n", 99, UINT32_MAX, 1);
    CHECK_FIXED("l", int64_t,
                "-9223372036854775808\n9223372036854775807\n99999999\n100000000\n9999999999999999\n"
                "10000000000000000\n",
                99, INT64_MIN, INT64_MAX, 99999999, 100000000, 9999999999999999, 10000000000000000,
                1);
    CHECK_FIXED("L", uint64_t, "18446744073709551615\n0\n", 99, UINT64_MAX, 0, 1);
}
END_TEST

START_TEST(test_every_power_of_ten_and_its_neighbours)
{
    char expected[4096] = "", *at = expected;
    uint64_t values[64];
    int64_t count = 0;
    for (uint64_t power = 1; count < 60; power *= 10) {
        for (int step = -1; step <= 1; step++) {
            values[count++] = power + (uint64_t)(int64_t)step;
            at += sprintf(at, "%llu\n", (unsigned long long)(power + (uint64_t)(int64_t)step));
        }
        if (power == 10000000000000000000u)
            break;
    }
    CHECK_COLUMN(NULL, "L", array_fixed(values, 8, count, NULL, 0), expected);
}
END_TEST

START_TEST(test_booleans)
{
    CHECK_COLUMN(NULL, "b", array_bits("0101", "1110", 1), "True\nFalse\n\"\"\n");
}
END_TEST

START_TEST(test_floats_read_as_python_prints_them)
{
    CHECK_FIXED("g", double,
                "0.0\n-0.0\n1.0\n0.1\n-2.5\n0.0001\n1e-05\n1234567890123456.0\n1e+16\n"
                "1.7976931348623157e+308\n5e-324\n2.2250738585072014e-308\n1e+22\n1e+23\n"
                "9007199254740994.0\n0.30000000000000004\n123456.789\ninf\n-inf\n\"\"\n",
                9, 0.0, -0.0, 1, 0.1, -2.5, 0.0001, 0.00001, 1234567890123456.0, 1e16,
                1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 1e22, 1e23,
                9007199254740994.0, 0.1 + 0.2, 123456.789, INFINITY, -INFINITY, NAN, 1);
    CHECK_FIXED("f", float, "0.1\n16777216.0\n3.4028235e+38\n1e-45\n1e+16\n", 9, 0.1f, 16777216.0f,
                3.4028235e38f, 1e-45f, 1e16f, 1);
    /* 1, -2, 65504 (the largest: 65500 reads back as it), 2^-24 (smallest), 0.1 rounded, infinity */
    CHECK_FIXED("e", uint16_t, "1.0\n-2.0\n65500.0\n6e-08\n0.1\ninf\n", 9, 0x3c00, 0xc000, 0x7bff, 1,
                0x2e66, 0x7c00, 1);
}
END_TEST

START_TEST(test_random_doubles_read_back_exactly)
{
    enum { COUNT = 20000 };
    static double values[COUNT];
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < COUNT; i++) {
        do {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            memcpy(&values[i], &state, sizeof state);
            if (i % 2)
                values[i] = (double)(state % 100000000) / 100;
        } while (!isfinite(values[i]));
    }
    char *text = write_column(NULL, "g", array_fixed(values, 8, COUNT, NULL, 0)), *at = text;
    for (int i = 0; i < COUNT; i++) {
        char *end, shorter[40];
        ck_assert_msg(strtod(at, &end) == values[i], "value %d, %a", i, values[i]);
        ck_assert_int_eq(*end, '\n');
        /* No text with a digit less reads back. */
        int digits = 0;
        for (const char *c = at; c < end && *c != 'e'; c++)
            digits += *c >= '0' && *c <= '9';
        if (strchr(at, 'e') != NULL && strchr(at, 'e') < end && digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, values[i]);
            ck_assert_msg(strtod(shorter, NULL) != values[i], "%s is shorter", shorter);
        }
        at = end + 1;
    }
    ck_assert_int_eq(*at, '\0');
    free(text);
}
END_TEST

START_TEST(test_decimals_keep_their_scale)
{
    __extension__ typedef __int128 wide;
    const wide big = (wide)10000000000000000000u * 10000000000000000000u - 1; /* 38 nines */
    CHECK_FIXED("d:38,2", wide,
                "12.34\n0.00\n-0.05\n0.50\n92233720368547758.07\n92233720368547758.08\n"
                "-92233720368547758.08\n-92233720368547758.09\n"
                "999999999999999999999999999999999999.99\n-999999999999999999999999999999999999.99\n",
                9, 1234, 0, -5, 50, INT64_MAX, (wide)INT64_MAX + 1, INT64_MIN, (wide)INT64_MIN - 1,
                big, -big, 1);
    CHECK_FIXED("d:38,0", wide, "7\n-7\n100000000000000000000\n", 9, 7, -7,
                (wide)10000000000000000000u * 10, 1);
    CHECK_FIXED("d:38,20", wide, "0.00000000000000000001\n1.00000000000000000000\n", 9, 1,
                (wide)10000000000000000000u * 10, 1);
    CHECK_FIXED("d:5,-3", wide, "12000\n0\n-1000\n", 9, 12, 0, -1, 1);
    CHECK_FIXED("d:9,3,32", int32_t, "-0.001\n2147483.647\n", 9, -1, INT32_MAX, 1);
    CHECK_FIXED("d:18,1,64", int64_t, "-922337203685477580.8\n", 9, INT64_MIN, 1);
}
END_TEST

struct words {
    uint64_t word[4];
};

START_TEST(test_decimals_of_256_bits)
{
    /* 10^65 - 1 and its negative, MariaDB's widest; then one with a zero block in the middle. */
    struct words nines = {{0}}, negative, sparse = {{0}};
    for (int i = 0; i < 65; i++) {
        uint64_t carry = 9;
        for (int w = 0; w < 4; w++) {
            __extension__ unsigned __int128 product = (unsigned __int128)nines.word[w] * 10 + carry;
            nines.word[w] = (uint64_t)product;
            carry = (uint64_t)(product >> 64);
        }
    }
    uint64_t carry = 1;
    for (int w = 0; w < 4; w++) {
        negative.word[w] = ~nines.word[w] + carry;
        carry = carry && negative.word[w] == 0;
    }
    sparse.word[1] = 1; /* 2^64 */
    CHECK_FIXED("d:65,30,256", struct words,
                "99999999999999999999999999999999999.999999999999999999999999999999\n"
                "-99999999999999999999999999999999999.999999999999999999999999999999\n"
                "0.000000000018446744073709551616\n-0.000000000018446744073709551616\n"
                "-0.000000000000000000000000000001\n0.000000000000000000000000000000\n",
                {{9}}, nines, negative, sparse, {{0, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
                {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, {{0}}, {{1}});
}
END_TEST

START_TEST(test_dates)
{
    CHECK_FIXED("tdD", int32_t,
                "1970-01-01\n1969-12-31\n2000-02-29\n2024-02-29\n9999-12-31\n0001-01-01\n"
                "10000-01-01\n0000-01-01\n-0001-12-31\n",
                9, 0, -1, 11016, 19782, 2932896, -719162, 2932897, -719528, -719529, 1);
    CHECK_FIXED("tdm", int64_t, "1970-01-02\n1969-12-31\n", 9, 86400000, -1, 1);
}
END_TEST

START_TEST(test_timestamps)
{
    CHECK_FIXED("tsu:", int64_t,
                "1970-01-01 00:00:00\n1970-01-01 00:00:00.000001\n1969-12-31 23:59:59.999999\n"
                "2026-03-01 12:34:56\n2026-03-01 12:34:56.500000\n2026-02-28 00:00:00\n",
                9, 0, 1, -1, 1772368496000000, 1772368496500000, 1772236800000000, 1);
    CHECK_FIXED("tsu:UTC", int64_t, "1970-01-01 00:00:00+00:00\n", 9, 0, 1);
    CHECK_FIXED("tsu:Europe/Prague", int64_t, "1970-01-01 00:00:00.000002+00:00\n", 9, 2, 1);
    CHECK_FIXED("tss:", int64_t, "1970-01-01 00:00:01\n", 9, 1, 1);
    CHECK_FIXED("tsm:", int64_t, "1970-01-01 00:00:00.001000\n", 9, 1, 1);
    CHECK_FIXED("tsn:", int64_t, "1970-01-01 00:00:00.000000001\n1970-01-01 00:00:00.000001\n", 9, 1,
                1000, 1);
    CHECK_FIXED("tss:", int64_t, "-292277022657-01-27 08:29:52\n292277026596-12-04 15:30:07\n", 9,
                INT64_MIN, INT64_MAX, 1);
}
END_TEST

START_TEST(test_times_and_durations)
{
    CHECK_FIXED("tts", int32_t, "23:59:59\n", 9, 86399, 1);
    CHECK_FIXED("ttm", int32_t, "00:00:00.001000\n", 9, 1, 1);
    CHECK_FIXED("ttu", int64_t, "12:00:00\n12:00:00.000001\n", 9, 43200000000, 43200000001, 1);
    CHECK_FIXED("ttn", int64_t, "00:00:01.000000007\n", 9, 1000000007, 1);
    CHECK_FIXED("tDs", int64_t, "838:59:59\n-838:59:59\n", 9, 3020399, -3020399, 1);
    CHECK_FIXED("tDu", int64_t, "-00:00:00.000001\n", 9, -1, 1);
    CHECK_FIXED("tDn", int64_t, "-2562047:47:16.854775808\n", 9, INT64_MIN, 1);
    CHECK_FIXED("tDm", int64_t, "00:00:00\n", 9, 0, 1);
}
END_TEST

struct month_day_nano {
    int32_t months, days;
    int64_t nanoseconds;
};

struct day_time {
    int32_t days, milliseconds;
};

START_TEST(test_intervals)
{
    CHECK_FIXED("tiM", int32_t, "P14M\nP0D\nP-2147483648M\n", 9, 14, 0, INT32_MIN, 1);
    CHECK_FIXED("tiD", struct day_time, "P3DT1.500000S\nPT-0.001000S\nP-2147483648D\n", {9, 9},
                {3, 1500}, {0, -1}, {INT32_MIN, 0}, {1, 1});
    CHECK_FIXED("tin", struct month_day_nano,
                "P1M-2DT3.000000004S\n"
                "P-2147483648M-2147483648DT-9223372036.854775808S\nPT1S\n",
                {9, 9, 9}, {1, -2, 3000000004}, {INT32_MIN, INT32_MIN, INT64_MIN}, {0, 0, 1000000000},
                {1, 1, 1});
    CHECK_COLUMN("{\"path\": \"p\", \"delimiter\": \"M\"}", "tiM",
                 array_fixed((const int32_t[]){1}, 4, 1, NULL, 0), "\"P1M\"\n");
}
END_TEST

START_TEST(test_text_is_quoted_when_it_must_be)
{
    static const char *const texts[] = {"skipped", "plain", "", NULL, "a,b", "a\"b", "a\nb", "a\rb",
                                        " padded ", "\"", "ž😀",
                                        "longer than sixteen bytes", "longer than sixteen, bytes",
                                        "exactly 16 bytes", "a comma at 16...,", "last,"};
    const char *expected = "plain\n\"\"\n\"\"\n\"a,b\"\n\"a\"\"b\"\n\"a\nb\"\n\"a\rb\"\n padded \n"
                           "\"\"\"\"\nž😀\nlonger than sixteen bytes\n"
                           "\"longer than sixteen, bytes\"\nexactly 16 bytes\n"
                           "\"a comma at 16...,\"\n\"last,\"\n";
    CHECK_COLUMN(NULL, "u", array_text(texts, NULL, 16, false, 1), expected);
    CHECK_COLUMN(NULL, "U", array_text(texts, NULL, 16, true, 1), expected);
}
END_TEST

START_TEST(test_a_special_byte_is_seen_at_every_offset_of_every_length)
{
    char text[80];
    for (size_t size = 1; size < 70; size++)
        for (size_t place = 0; place < size; place++)
            for (const char *special = ",\"\r\n"; *special != '\0'; special++) {
                memset(text, 'x', size);
                text[place] = *special;
                /* Behind the first text lie others, or nothing: both ways of copying. */
                const char *const texts[] = {text, text};
                const size_t sizes[] = {size, size};
                char *out = write_column(NULL, "u", array_text(texts, sizes, 2, false, 0));
                size_t length = size + 3 + (*special == '"');
                ck_assert_uint_eq(strlen(out), 2 * length);
                ck_assert_int_eq(out[0], '"');
                ck_assert_int_eq(out[length - 2], '"');
                ck_assert_int_eq(out[1 + place], *special);
                ck_assert_mem_eq(out, out + length, length);
                free(out);
            }
}
END_TEST

START_TEST(test_binary)
{
    static const char *const bytes[] = {"skip", "\x00\xff\x10", "a", "", NULL, "abcd"};
    static const size_t sizes[] = {4, 3, 1, 0, 0, 4};
    CHECK_COLUMN(NULL, "z", array_text(bytes, sizes, 6, false, 1),
                 "00ff10\n61\n\"\"\n\"\"\n61626364\n");
    CHECK_COLUMN("{\"path\": \"p\", \"binary\": \"base64\"}", "Z",
                 array_text(bytes, sizes, 6, true, 1), "AP8Q\nYQ==\n\"\"\n\"\"\nYWJjZA==\n");
    CHECK_COLUMN(NULL, "w:2", array_fixed("abcdef", 2, 3, "110", 1), "6364\n\"\"\n");
    CHECK_COLUMN("{\"path\": \"p\", \"delimiter\": \"6\"}", "w:2", array_fixed("ab", 2, 1, NULL, 0),
                 "\"6162\"\n");
}
END_TEST

START_TEST(test_nulls_only)
{
    struct ArrowArray *array = array_empty();
    array->length = 2;
    array->null_count = 2;
    CHECK_COLUMN(NULL, "n", array, "\"\"\n\"\"\n");
}
END_TEST

/* Runs one column of a schema that has more than a format. */
static char *write_nested(struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p\", \"header\": false}");
    schema_add(fixture.schema, schema);
    struct ArrowArray *batch = array_nested(NULL, array->length, NULL, 0);
    array_add(batch, array);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    char *text = strdup(fixture.text);
    fixture_clear(&fixture);
    return text;
}

START_TEST(test_dictionaries)
{
    static const char *const names[] = {"skipped", "red", "a,b", NULL};
    const int8_t indexes[] = {2, 0, 1, 2, 0};
    struct ArrowSchema *schema = schema_new("c", "v");
    schema->dictionary = schema_new("u", "");
    struct ArrowArray *array = array_fixed(indexes, 1, 5, "11110", 1);
    array->dictionary = array_text(names, NULL, 4, false, 1);
    char *text = write_nested(schema, array);
    ck_assert_str_eq(text, "red\n\"a,b\"\n\"\"\n\"\"\n");
    free(text);
}
END_TEST

START_TEST(test_lists_structs_and_maps_are_json)
{
    static const char *const texts[] = {"x", "a\"\\\n", NULL, "ž"};
    const int32_t offsets[] = {0, 1, 3, 3, 4};
    struct ArrowSchema *schema = schema_new("+l", "v");
    schema_add(schema, schema_new("u", "item"));
    struct ArrowArray *array = array_nested(offsets, 4, "1101", 1);
    array_add(array, array_text(texts, NULL, 4, false, 0));
    char *text = write_nested(schema, array);
    ck_assert_str_eq(text, "\"[\"\"a\\\"\"\\\\\\u000a\"\",null]\"\n\"\"\n\"[\"\"ž\"\"]\"\n");
    free(text);

    const double numbers[] = {1.5, NAN};
    schema = schema_new("+s", "v");
    schema_add(schema, schema_new("b", "flag"));
    schema_add(schema, schema_new("g", "number"));
    schema_add(schema, schema_new("tdD", "day"));
    array = array_nested(NULL, 2, NULL, 1);
    array_add(array, array_bits("01", NULL, 0));
    array_add(array, array_fixed(numbers, 8, 2, NULL, 0));
    array_add(array, array_fixed((const int32_t[]){0, 1}, 4, 2, NULL, 0));
    text = write_nested(schema, array);
    ck_assert_str_eq(text, "\"{\"\"flag\"\":true,\"\"number\"\":null,\"\"day\"\":\"\"1970-01-02\"\"}\"\n");
    free(text);

    schema = schema_new("+m", "v");
    struct ArrowSchema *entries = schema_new("+s", "entries");
    schema_add(entries, schema_new("u", "key"));
    schema_add(entries, schema_new("l", "value"));
    schema_add(schema, entries);
    array = array_nested((const int32_t[]){0, 2}, 1, NULL, 0);
    struct ArrowArray *members = array_nested(NULL, 2, NULL, 0);
    array_add(members, array_text((const char *const[]){"a", "b"}, NULL, 2, false, 0));
    array_add(members, array_fixed((const int64_t[]){1, -2}, 8, 2, NULL, 0));
    array_add(array, members);
    text = write_nested(schema, array);
    ck_assert_str_eq(text, "\"{\"\"a\"\":1,\"\"b\"\":-2}\"\n");
    free(text);

    schema = schema_new("+w:2", "v");
    schema_add(schema, schema_new("l", "item"));
    array = array_nested(NULL, 2, NULL, 1);
    array_add(array, array_fixed((const int64_t[]){1, 2, 3, 4}, 8, 4, "1110", 0));
    text = write_nested(schema, array);
    ck_assert_str_eq(text, "\"[3,null]\"\n");
    free(text);
}
END_TEST

/* One list with so many nulls, which take no memory. */
static void write_nulls(struct fixture *fixture, struct ArrowArray **batch, int32_t count,
                        int cancel_after)
{
    const int32_t offsets[] = {0, count};
    struct ArrowSchema *schema = schema_new("+l", "v");
    struct ArrowArray *array = array_nested(offsets, 1, NULL, 0), *nulls = array_empty();
    fixture_init(fixture, "{\"path\": \"p\", \"header\": false}");
    schema_add(schema, schema_new("n", "item"));
    schema_add(fixture->schema, schema);
    nulls->length = count;
    array_add(array, nulls);
    *batch = array_nested(NULL, 1, NULL, 0);
    array_add(*batch, array);
    fixture->batches = batch;
    fixture->batch_count = 1;
    fixture->cancel_after = cancel_after;
    fixture_run(fixture);
}

START_TEST(test_a_list_of_endless_nulls_is_refused)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    write_nulls(&fixture, &batch, INT32_MAX, -1);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
    ck_assert_msg(strstr(fixture.message, "row 1: a nested value is longer than 256 MiB") != NULL,
                  "%s", fixture.message);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_a_cancel_is_seen_within_a_list)
{
    struct fixture fixture;
    struct ArrowArray *batch;
    write_nulls(&fixture, &batch, INT32_MAX, 2);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CANCELLED);
    fixture_clear(&fixture);
}
END_TEST

UNIT_MAIN("csv-values", test_integers, test_every_power_of_ten_and_its_neighbours, test_booleans,
          test_floats_read_as_python_prints_them, test_random_doubles_read_back_exactly,
          test_decimals_keep_their_scale, test_decimals_of_256_bits, test_dates, test_timestamps,
          test_times_and_durations, test_intervals, test_text_is_quoted_when_it_must_be,
          test_a_special_byte_is_seen_at_every_offset_of_every_length, test_binary, test_nulls_only,
          test_dictionaries, test_lists_structs_and_maps_are_json,
          test_a_list_of_endless_nulls_is_refused, test_a_cancel_is_seen_within_a_list)
