/* Archives: what is written is read, and what does not fit is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "orchestrator/bundle/pack.h"

static int add(struct archive *archive, const char *path, size_t length, struct osiris_error *error)
{
    char *bytes = malloc(length + 1);

    memset(bytes, 'x', length);
    return archive_add(archive, strdup(path), bytes, length, length % 2 == 1, error);
}

static char *repeated(char letter, int count)
{
    char *text = malloc((size_t)count + 1);

    memset(text, letter, (size_t)count);
    text[count] = '\0';
    return text;
}

static void check_same(const struct archive *a, const struct archive *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct archive_member *left = &a->members[i], *right = &b->members[i];
        ck_assert_str_eq(left->path, right->path);
        ck_assert_uint_eq(left->length, right->length);
        ck_assert_int_eq(left->executable, right->executable);
        ck_assert_mem_eq(left->bytes, right->bytes, left->length);
    }
}

static void check_round_trip(struct archive *archive)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_buffer_ struct buffer packed = BUFFER_INIT(64u << 20);
    _cleanup_archive_ struct archive again = {0};
    struct pack_identity written, read;

    archive_sort(archive);
    pack_identify(archive, &written);
    ck_assert_int_eq(pack_write(archive, &packed, &error), 0);
    ck_assert_msg(pack_read(packed.data, packed.length, &again, &read, &error) == 0, "%s", error.message);
    check_same(archive, &again);
    ck_assert_str_eq(written.hash, read.hash);
    ck_assert_uint_eq(written.length, read.length);
    ck_assert(pack_ends_with(&written, (const unsigned char *)packed.data + packed.length - PACK_TRAILER));
}

START_TEST(sizes_around_blocks)
{
    _cleanup_archive_ struct archive archive = {0};
    static const size_t sizes[] = {0, 1, 511, 512, 513, 1024, 70000};

    check_round_trip(&archive);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        _cleanup_free_ char *path = memory_format("a%s/b/%zu", i % 2 == 0 ? "-" : "", i);
        ck_assert_int_eq(add(&archive, path, sizes[i], NULL), 0);
    }
    check_round_trip(&archive);
}
END_TEST

START_TEST(long_paths)
{
    _cleanup_archive_ struct archive archive = {0};
    _cleanup_free_ char *name = repeated('n', 100), *folder = repeated('f', 99), *more = repeated('g', 54);
    _cleanup_free_ char *longest = memory_format("%s/%s/%s", folder, more, name);

    ck_assert_int_eq(add(&archive, name, 3, NULL), 0);
    ck_assert_int_eq(add(&archive, longest, 4, NULL), 0);
    check_round_trip(&archive);
}
END_TEST

START_TEST(paths_that_are_too_long)
{
    _cleanup_archive_ struct archive archive = {0};
    _cleanup_free_ char *name = repeated('n', 101), *folder = repeated('f', 99), *more = repeated('g', 56);
    _cleanup_free_ char *in_long = memory_format("%s/n", name), *longer = memory_format("%s/%s/%.100s", folder, more, name);
    const char *const paths[] = {name, in_long, longer};

    for (size_t i = 0; i < 3; i++) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        ck_assert_int_eq(add(&archive, paths[i], 1, &error), -1);
        ck_assert_ptr_nonnull(strstr(error.message, "is too long"));
    }
    ck_assert_uint_eq(archive.count, 0);
}
END_TEST

UNIT_MAIN("pack", sizes_around_blocks, long_paths, paths_that_are_too_long)
