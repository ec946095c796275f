/*
 * csv.writer's options of files: encoding, compression, splitting, names, append, mode and fsync.
 * Driven through the public descriptor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "csv/fixture.h"
#include "unit.h"

/* Columns "n" (integers from 0) and "t" (texts) of as many rows as there are texts, in batches of
 * two rows. */
static void run_texts(struct fixture *fixture, const char *const *texts)
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

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_bytes(const char *config, const char *const *texts, const char *expected,
                        size_t size)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.size, size);
    ck_assert_mem_eq(fixture.text, expected, size);
    fixture_clear(&fixture);
}

#define CHECK_BYTES(config, texts, expected)                                                       \
    check_bytes(config, texts, expected, sizeof(expected) - 1)

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

static void check_failure(const char *config, const char *const *texts, const char *word)
{
    struct fixture fixture;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

START_TEST(test_what_does_not_fit_names_its_place)
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

#if defined HAVE_ZLIB && defined HAVE_ZSTD

/* All members of a gzip file. The caller frees it. */
static char *gunzip(const char *data, size_t size, size_t *text_size)
{
    const size_t room = (size_t)8 << 20;
    char *text = calloc(1, room);
    z_stream stream = {.next_in = (Bytef *)data,
                       .avail_in = (uInt)size,
                       .next_out = (Bytef *)text,
                       .avail_out = (uInt)room};
    ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    while (stream.avail_in > 0) {
        ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        ck_assert_int_eq(inflateReset(&stream), Z_OK);
    }
    *text_size = room - stream.avail_out;
    inflateEnd(&stream);
    return text;
}

static char *unzstd(const char *data, size_t size, size_t *text_size)
{
    const size_t room = (size_t)8 << 20;
    char *text = calloc(1, room);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, size, 0};
    ZSTD_outBuffer out = {text, room, 0};
    size_t left = 0;
    while (in.pos < in.size) {
        left = ZSTD_decompressStream(context, &out, &in);
        ck_assert(!ZSTD_isError(left));
    }
    ck_assert_uint_eq(left, 0);
    ZSTD_freeDCtx(context);
    *text_size = out.pos;
    return text;
}

static void check_compressed(const char *config, bool gzip, const char *const *texts,
                             const char *expected)
{
    struct fixture fixture;
    size_t size;
    fixture_init(&fixture, config);
    run_texts(&fixture, texts);
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    char *text = (gzip ? gunzip : unzstd)(fixture.text, fixture.size, &size);
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_str_eq(text, expected);
    free(text);
    fixture_clear(&fixture);
}

START_TEST(test_compression)
{
    const char *const *texts = TEXTS("x", "y", "z");
    const char *expected = "n,t\n0,x\n1,y\n2,z\n";
    check_compressed("{\"path\": \"p\", \"compression\": \"gzip\"}", true, texts, expected);
    check_compressed("{\"path\": \"p.csv.GZ\"}", true, texts, expected);
    check_compressed("{\"path\": \"p\", \"compression\": \"zstd\"}", false, texts, expected);
    check_compressed("{\"path\": \"p.csv.zst\"}", false, texts, expected);
    CHECK_BYTES("{\"path\": \"p.gz\", \"compression\": \"none\"}", texts, "n,t\n0,x\n1,y\n2,z\n");
    check_failure("{\"path\": \"p\", \"compression_level\": 3}", texts, "compression_level");
    check_failure("{\"path\": \"p.gz\", \"compression_level\": 10}", texts, "compression_level");
    check_failure("{\"path\": \"p\", \"compression\": \"lzip\"}", texts, "compression");
}
END_TEST

/* Many buffers pass from thread to thread. */
START_TEST(test_compression_of_much)
{
    const size_t size = (size_t)5 << 20;
    char *wide = malloc(size + 1);
    ck_assert_ptr_nonnull(wide);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        wide[i] = (char)('a' + (state >> 60));
    }
    wide[size] = '\0';
    static const char *const configs[] = {
        "{\"path\": \"p.gz\", \"header\": false, \"compression_level\": 1}",
        "{\"path\": \"p.zst\", \"header\": false}"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        size_t text_size;
        fixture_init(&fixture, configs[i]);
        run_texts(&fixture, TEXTS(wide));
        ck_assert_msg(fixture.result == 0, "%s", fixture.message);
        char *text = (i == 0 ? gunzip : unzstd)(fixture.text, fixture.size, &text_size);
        ck_assert_uint_eq(text_size, size + 3);
        ck_assert_mem_eq(text + 2, wide, size);
        free(text);
        fixture_clear(&fixture);
    }
    free(wide);
}
END_TEST

static size_t compressed_size(const char *config)
{
    static char text[200000];
    struct fixture fixture;
    uint64_t state = 1;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text[i] = "abcdefghabababcdcdababab"[(state >> 59) % 24];
    }
    fixture_init(&fixture, config);
    run_texts(&fixture, TEXTS(text));
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    size_t size = fixture.size;
    fixture_clear(&fixture);
    return size;
}

START_TEST(test_compression_levels)
{
    ck_assert_uint_lt(compressed_size("{\"path\": \"p.gz\", \"compression_level\": 9}"),
                      compressed_size("{\"path\": \"p.gz\", \"compression_level\": 1}"));
    ck_assert_uint_lt(compressed_size("{\"path\": \"p.zst\", \"compression_level\": 19}"),
                      compressed_size("{\"path\": \"p.zst\", \"compression_level\": 1}"));
}
END_TEST

START_TEST(test_compression_on_a_full_disk)
{
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p.gz\"}");
    fixture.device = "/dev/full";
    run_texts(&fixture, TEXTS("x"));
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error_count, 1);
    ck_assert_int_eq(fixture.error.native_code, ENOSPC);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(test_compression_is_cancelled)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    static char wide[2 << 20];
    uint64_t state = 7;
    for (size_t i = 0; i + 1 < sizeof wide; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        wide[i] = (char)(' ' + 16 + (state >> 58));
    }
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"p.gz\", \"compression_level\": 1}");
    fixture.fd = ends[1];
    fixture.cancel_after = 40;
    run_texts(&fixture, TEXTS(wide));
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_CANCELLED);
    close(ends[0]);
    close(ends[1]);
    fixture_clear(&fixture);
}
END_TEST

#endif

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

#if defined HAVE_ZLIB && defined HAVE_ZSTD
START_TEST(test_parts_are_compressed_each)
{
    struct fixture fixture;
    fixture_init(&fixture, "{\"path\": \"o.csv.gz\", \"rows_per_file\": 2}");
    run_texts(&fixture, TEXTS("a", "b", "c"));
    ck_assert_msg(fixture.result == 0, "%s", fixture.message);
    ck_assert_uint_eq(fixture.part_count, 2);
    ck_assert_str_eq(fixture.parts[1].path, "o-00002.csv.gz");
    static const char *const expected[] = {"n,t\n0,a\n1,b\n", "n,t\n2,c\n"};
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        char *text = gunzip(fixture.parts[i].text, fixture.parts[i].size, &size);
        ck_assert_str_eq(text, expected[i]);
        free(text);
    }
    fixture_clear(&fixture);
}
END_TEST
#endif

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

static void append_to(struct fixture *fixture, const char *config, const char *existing,
                      size_t size)
{
    fixture_init(fixture, config);
    fixture->existing = existing;
    fixture->existing_size = size;
    run_texts(fixture, TEXTS("a"));
}

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

static void check_bytes_refused(const char *config, const char *existing, size_t size,
                                const char *word)
{
    struct fixture fixture;
    append_to(&fixture, config, existing, size);
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_int_eq(fixture.error.category, OSIRIS_ERROR_DATA);
    ck_assert_msg(strstr(fixture.message, word) != NULL, "%s", fixture.message);
    fixture_clear(&fixture);
}

static void check_append_refused(const char *config, const char *existing, const char *word)
{
    check_bytes_refused(config, existing, strlen(existing), word);
}

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

#if defined HAVE_ZLIB && defined HAVE_ZSTD
/* A member or frame is added to those that are there. */
START_TEST(test_append_to_compressed_files)
{
    for (int i = 0; i < 2; i++) {
        struct fixture first, second;
        size_t size;
        const char *config = i == 0 ? "{\"path\": \"p.gz\", \"append\": true}"
                                    : "{\"path\": \"p.zst\", \"append\": true}";
        fixture_init(&first, config);
        run_texts(&first, TEXTS("x", "y", "z"));
        ck_assert_msg(first.result == 0, "%s", first.message);
        append_to(&second, config, first.text, first.size);
        ck_assert_msg(second.result == 0, "%s", second.message);
        char *text = (i == 0 ? gunzip : unzstd)(second.text, second.size, &size);
        ck_assert_str_eq(text, "n,t\n0,x\n1,y\n2,z\n0,a\n");
        free(text);
        fixture_clear(&second);
        fixture_clear(&first);
        check_append_refused(config, "n,t\n7,x\n", i == 0 ? "not a complete gzip file" : "not a complete zstd file");
    }
}
END_TEST

static const char *const appending[] = {
    "{\"path\": \"p.gz\", \"append\": true}",
    "{\"path\": \"p.zst\", \"append\": true}",
    "{\"path\": \"p.gz\", \"append\": true, \"header\": false}",
    "{\"path\": \"p.zst\", \"append\": true, \"header\": false}",
};

/* No reader would come to rows behind such an end. */
START_TEST(test_append_to_damaged_compressed_files)
{
    for (size_t i = 0; i < 4; i++) {
        struct fixture whole;
        char bytes[1000];
        fixture_init(&whole, appending[i]);
        run_texts(&whole, TEXTS("x", "y", "z"));
        ck_assert_msg(whole.result == 0, "%s", whole.message);
        for (size_t size = 1; size < whole.size; size++)
            check_bytes_refused(appending[i], whole.text, size, "it is truncated");
        memcpy(bytes, whole.text, whole.size);
        memcpy(bytes + whole.size, "rows", 4);
        check_bytes_refused(appending[i], bytes, whole.size + 4, "not a complete");
        memset(bytes + whole.size, 0, 512);
        check_bytes_refused(appending[i], bytes, whole.size + 512, "not a complete");
        memcpy(bytes + whole.size, whole.text, whole.size);
        check_bytes_refused(appending[i], bytes, 2 * whole.size - 1, "it is truncated");
        bytes[whole.size - 1] ^= 1; /* the length, the checksum */
        check_bytes_refused(appending[i], bytes, whole.size, "not a complete");
        fixture_clear(&whole);
    }
}
END_TEST

static size_t compress_text(bool gzip, const char *text, size_t size, char *to, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)text,
                       .avail_in = (uInt)size,
                       .next_out = (Bytef *)to,
                       .avail_out = (uInt)room};
    if (!gzip)
        return ZSTD_compress(to, room, text, size, 1);
    ck_assert_int_eq(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_int_eq(deflateEnd(&stream), Z_OK);
    return room - stream.avail_out;
}

/* The last line's end is looked for behind whatever the file has. */
START_TEST(test_append_to_compressed_lines)
{
    const size_t size = (size_t)3 << 20;
    char *text = malloc(size), *bytes = malloc(size);
    for (size_t at = 0; at < size; at++)
        text[at] = "0,abcdefg\n"[at % 10];
    for (size_t i = 2; i < 4; i++) {
        size_t made = compress_text(i == 2, text, size / 10 * 10, bytes, size);
        struct fixture fixture;
        append_to(&fixture, appending[i], bytes, made);
        ck_assert_msg(fixture.result == 0, "%s", fixture.message);
        fixture_clear(&fixture);
        made = compress_text(i == 2, text, size / 10 * 10 - 1, bytes, size);
        check_bytes_refused(appending[i], bytes, made, "not terminated");
        made = compress_text(i == 2, text, 0, bytes, size);
        append_to(&fixture, appending[i], bytes, made);
        ck_assert_msg(fixture.result == 0, "%s", fixture.message);
        fixture_clear(&fixture);
    }
    free(text);
    free(bytes);
}
END_TEST
#endif

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

UNIT_MAIN("csv-files", test_encodings, test_encoding_of_a_wide_value,
          test_what_does_not_fit_names_its_place,
#if defined HAVE_ZLIB && defined HAVE_ZSTD
          test_compression, test_compression_of_much, test_compression_levels,
          test_compression_on_a_full_disk, test_compression_is_cancelled,
          test_parts_are_compressed_each, test_append_to_compressed_files,
          test_append_to_damaged_compressed_files, test_append_to_compressed_lines,
#endif
          test_rows_per_file, test_bytes_per_file, test_bytes_per_file_of_wide_rows, test_names,
          test_names_of_parts, test_append, test_mode_and_fsync_reach_the_host)
