/* csv.writer's options of compression, also with parts and append. Driven through the public descriptor. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "unit/drivers/csv/texts.h"
#include "unit.h"

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
START_TEST(test_compression_of_much_data)
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

START_TEST(test_each_part_is_compressed)
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

UNIT_MAIN("csv-compression", test_compression, test_compression_of_much_data, test_compression_levels,
          test_compression_on_a_full_disk, test_compression_is_cancelled, test_each_part_is_compressed,
          test_append_to_compressed_files, test_append_to_damaged_compressed_files, test_append_to_compressed_lines)
