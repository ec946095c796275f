/* Artifacts as a stream (core/output/artifacts-stream.h): what is packed is what is unpacked, whatever the pieces; and of a stream that is cut off
 * or damaged only whole files appear, inside the folder. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"
#include "core/base/remove-tree.h"
#include "core/output/artifacts-stream.h"

static char top[64];
static unsigned reported;

static void enter(void)
{
    snprintf(top, sizeof top, "/tmp/osiris-artifacts.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chdir(top), 0);
    reported = 0;
}

static void leave(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(top);
}

static void write_file(const char *path, size_t size, mode_t mode)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < size; i++)
        fputc((int)(i * 7 % 251), file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_folder(void)
{
    ck_assert_int_eq(mkdir("from", 0755), 0);
    ck_assert_int_eq(mkdir("from/sub", 0750), 0);
    ck_assert_int_eq(mkdir("from/sub/deep", 0700), 0);
    write_file("from/empty", 0, 0644);
    write_file("from/one", 1000, 0600);
    write_file("from/sub/large", 200000, 0644);
    write_file("from/sub/unreadable", 10, 0200);
    ck_assert_int_eq(symlink("../one", "from/sub/link"), 0);
}

static void report(void *context, const char *text)
{
    (void)context;
    (void)text;
    reported++;
}

static int append(void *context, const void *bytes, size_t length)
{
    return buffer_append(context, bytes, length);
}

static void pack(const char *folder, json_object *known, struct buffer *stream)
{
    const struct artifacts_sink sink = {.write = append, .context = stream};

    ck_assert_int_eq(artifacts_pack(folder, known, &sink, report, NULL), 0);
}

/* 0: all of it was right. */
static int unpack(const char *folder, const char *bytes, size_t length, size_t piece)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct artifacts_unpacker *unpacker = artifacts_unpack(folder, &error);
    int result = 0;

    ck_assert_ptr_nonnull(unpacker);
    for (size_t at = 0; at < length && result == 0; at += piece)
        result = artifacts_unpack_add(unpacker, bytes + at, length - at < piece ? length - at : piece, &error);
    if (result == 0)
        result = artifacts_unpack_end(unpacker, &error);
    ck_assert_int_eq(result < 0, error.category != 0);
    artifacts_unpack_free(unpacker);
    return result;
}

static bool is_same(const char *command)
{
    return system(command) == 0;
}

START_TEST(test_what_is_packed_is_what_is_unpacked)
{
    static const size_t pieces[] = {1, 7, 64, 4096, 1 << 20};
    _cleanup_buffer_ struct buffer stream = BUFFER_INIT(1 << 20);
    struct stat status;

    enter();
    make_folder();
    pack("from", NULL, &stream);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        ck_assert_int_eq(unpack("to", stream.data, stream.length, pieces[i]), 0);
        ck_assert(is_same("diff -r --no-dereference from to"));
        ck_assert_int_eq(stat("to/one", &status), 0);
        ck_assert_uint_eq(status.st_mode & 0777, 0600);
        ck_assert_int_eq(stat("to/sub/unreadable", &status), 0);
        ck_assert_uint_eq(status.st_mode & 0777, 0200);
        /* A second time, over what is there. */
        ck_assert_int_eq(unpack("to", stream.data, stream.length, pieces[i]), 0);
        remove_tree("to");
    }
    ck_assert_uint_eq(reported, 0);
    leave();
}
END_TEST

START_TEST(test_what_was_there_before_stays_behind)
{
    _cleanup_buffer_ struct buffer stream = BUFFER_INIT(1 << 20);

    enter();
    make_folder();
    _cleanup_json_ json_object *known = folder_entries("from");
    write_file("from/new", 10, 0644);
    pack("from", known, &stream);
    ck_assert_int_eq(unpack("to", stream.data, stream.length, 100), 0);
    _cleanup_json_ json_object *arrived = folder_entries("to");
    ck_assert_int_eq(json_object_object_length(arrived), 1);
    ck_assert(json_object_object_get_ex(arrived, "new", NULL));
    leave();
}
END_TEST

static bool is_whole(const char *path, off_t size)
{
    struct stat status;

    return stat(path, &status) < 0 || status.st_size == size;
}

START_TEST(test_of_a_stream_that_is_cut_off_whole_files_stay)
{
    _cleanup_buffer_ struct buffer stream = BUFFER_INIT(1 << 20);

    enter();
    make_folder();
    pack("from", NULL, &stream);
    for (size_t length = 0; length < stream.length; length += length < 3000 || length > stream.length - 3000 ? 13 : 9973) {
        ck_assert_int_eq(unpack("to", stream.data, length, 512), -1);
        ck_assert(is_whole("to/one", 1000) && is_whole("to/sub/large", 200000) && is_whole("to/sub/unreadable", 10));
        ck_assert(is_same("test -z \"$(find to -name '.arriving*')\""));
        remove_tree("to");
    }
    leave();
}
END_TEST

/* The folder "to" is inside of one that has nothing else. */
START_TEST(test_a_damaged_stream_makes_nothing_outside)
{
    _cleanup_buffer_ struct buffer stream = BUFFER_INIT(1 << 20);

    enter();
    ck_assert_int_eq(mkdir("from", 0755), 0);
    ck_assert_int_eq(mkdir("from/sub", 0755), 0);
    write_file("from/sub/file", 100, 0644);
    ck_assert_int_eq(symlink("..", "from/sub/up"), 0);
    pack("from", NULL, &stream);
    ck_assert_int_eq(mkdir("jail", 0755), 0);
    srand(1);
    for (int i = 0; i < 3000; i++) {
        char *damaged = malloc(stream.length);
        memcpy(damaged, stream.data, stream.length);
        for (int j = rand() % 4; j >= 0; j--)
            damaged[(size_t)rand() % stream.length] = "./\0\xff" "dfle\x01"[rand() % 9];
        (void)unpack("jail/to", damaged, stream.length, 50);
        free(damaged);
        _cleanup_json_ json_object *here = folder_entries("jail");
        ck_assert_int_eq(json_object_object_length(here), 1);
        remove_tree("jail/to");
    }
    leave();
}
END_TEST

START_TEST(test_a_file_that_shrinks_is_left_out)
{
    _cleanup_buffer_ struct buffer stream = BUFFER_INIT(1 << 20);
    _cleanup_buffer_ struct buffer changed = BUFFER_INIT(1 << 20);
    static const char mark[] = "y";

    enter();
    ck_assert_int_eq(mkdir("from", 0755), 0);
    write_file("from/file", 100, 0644);
    pack("from", NULL, &stream);
    /* The sender says so in the byte behind the contents: head, path, contents. */
    size_t at = ARTIFACTS_HEAD + strlen("file") + 100;
    ck_assert_int_eq(stream.data[at], mark[0]);
    ck_assert_int_eq(buffer_append(&changed, stream.data, stream.length), 0);
    changed.data[at] = 'n';
    ck_assert_int_eq(unpack("to", changed.data, changed.length, 64), 0);
    ck_assert_int_lt(access("to/file", F_OK), 0);
    leave();
}
END_TEST

UNIT_MAIN("artifacts-stream", test_what_is_packed_is_what_is_unpacked, test_what_was_there_before_stays_behind,
          test_of_a_stream_that_is_cut_off_whole_files_stay, test_a_damaged_stream_makes_nothing_outside,
          test_a_file_that_shrinks_is_left_out)
