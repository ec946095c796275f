/* Outputs with an origin (core/output/output.h): wherever the process has gone, and whatever its umask is by now. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/output/output.h"
#include "core/base/remove-tree.h"
#include "unit.h"

static char folder[64];
static struct output_origin origin;

/* The origin is the new folder, and 027; the process goes to its subfolder "elsewhere", with 0777. */
static void enter(void)
{
    strcpy(folder, "/tmp/osiris-origin.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    (void)umask(027);
    output_note_origin(&origin, 20);
    ck_assert_int_ge(origin.folder, 20);
    ck_assert_int_eq(mkdirat(origin.folder, "elsewhere", 0755), 0);
    ck_assert_int_eq(chdir("elsewhere"), 0);
    (void)umask(0777);
}

static void leave(void)
{
    (void)umask(022);
    (void)close(origin.folder);
    free(origin.path);
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(folder);
}

static struct output *open_output(const char *path, bool named, mode_t mode, bool append)
{
    const struct output_options options = {.path = path,
                                           .run_id = "RUN",
                                           .origin = &origin,
                                           .mode = mode,
                                           .named = named,
                                           .append = append,
                                           .create_directories = true};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    ck_assert_int_eq(write(output_fd(output), "all", 3), 3);
    return output;
}

static bool is_there(const char *path)
{
    return faccessat(origin.folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned mode_of(const char *path)
{
    struct stat status;

    ck_assert_msg(fstatat(origin.folder, path, &status, 0) == 0, "%s is missing", path);
    return status.st_mode & 07777;
}

static void publish(struct output *output)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_finish(output, &error) == 0, "%s", error.message);
    ck_assert_msg(output_make_ready(output, &error) == 0, "%s", error.message);
    ck_assert_msg(output_publish(output, &error) == 0, "%s", error.message);
    output_close(output);
}

START_TEST(test_paths_begin_at_the_origin)
{
    enter();
    ck_assert_int_eq(symlinkat("sub/deep/real", origin.folder, "link"), 0);
    publish(open_output("sub/deep/out", _i, 0, false));
    publish(open_output("link", _i, 0, false));
    ck_assert_uint_eq(mode_of("sub"), 0750);
    ck_assert_uint_eq(mode_of("sub/deep"), 0750);
    ck_assert_uint_eq(mode_of("sub/deep/out"), 0640);
    ck_assert_uint_eq(mode_of("sub/deep/real"), 0640);
    publish(open_output("sub/deep/out", _i, 0604, false));
    ck_assert_uint_eq(mode_of("sub/deep/out"), 0604);
    publish(open_output("sub/deep/out", _i, 0, true));
    ck_assert_uint_eq(mode_of("sub/deep/out"), 0604);
    ck_assert_int_eq(rmdir("../elsewhere"), 0);
    leave();
}
END_TEST

START_TEST(test_what_is_not_published_leaves_no_folder)
{
    enter();
    output_close(open_output("sub/deep/out", _i, 0, false));
    ck_assert(!is_there("sub"));
    leave();
}
END_TEST

START_TEST(test_what_is_ready_is_not_seen)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = open_output("out", _i, 0, false);
    ck_assert_int_eq(output_make_ready(output, &error), -1);
    osiris_error_clear(&error);
    ck_assert_int_eq(output_finish(output, &error), 0);
    ck_assert_int_eq(output_make_ready(output, &error), 0);
    ck_assert(!is_there("out"));
    output_close(output);
    /* Nothing hidden either: the folder can go. */
    ck_assert_int_eq(rmdir("../elsewhere"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    (void)umask(022);
    (void)close(origin.folder);
    free(origin.path);
}
END_TEST

/* u::rwx g::rwx o::--- : with such a list no umask counts. */
START_TEST(test_a_default_list_decides_modes)
{
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, permissions;
            uint32_t id;
        } entries[3];
    } list = {2, {{1, 7, UINT32_MAX}, {4, 7, UINT32_MAX}, {32, 0, UINT32_MAX}}};

    enter();
    if (setxattr(folder, "system.posix_acl_default", &list, sizeof list, 0) == 0) {
        publish(open_output("sub/out", _i, 0, false));
        ck_assert_uint_eq(mode_of("sub"), 0770);
        ck_assert_uint_eq(mode_of("sub/out"), 0660);
    } else {
        ck_assert_msg(errno == EOPNOTSUPP || errno == ENOTSUP, "%s", strerror(errno));
    }
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output-origin");
    TCase *tcase = tcase_create("output-origin");

    /* Without a name of their own (O_TMPFILE), and with one. */
    tcase_add_loop_test(tcase, test_paths_begin_at_the_origin, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_not_published_leaves_no_folder, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_ready_is_not_seen, 0, 2);
    tcase_add_loop_test(tcase, test_a_default_list_decides_modes, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
