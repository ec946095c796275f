/* What an output notices before it is published (core/output/output.h): names that somebody has taken or removed, and descriptors that a
 * driver has closed, and may have opened something else under. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/remove-tree.h"
#include "core/output/output.h"
#include "unit.h"

static char folder[64];
static struct output_origin origin;

static void enter(void)
{
    strcpy(folder, "/tmp/osiris-ready.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    output_note_origin(&origin, 20);
}

static void leave(void)
{
    (void)close(origin.folder);
    free(origin.path);
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(folder);
}

/* Complete, but for publishing. Both ways: 1 for a hidden name, 0 for O_TMPFILE. */
static struct output *finish(const char *path, bool named)
{
    const struct output_options options = {
        .path = path, .run_id = "RUN", .origin = &origin, .named = named, .create_directories = true};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    ck_assert_int_eq(write(output_fd(output), "all", 3), 3);
    ck_assert_int_eq(output_finish(output, NULL), 0);
    return output;
}

static void refuses(struct output *output, const char *part)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_int_lt(output_make_ready(output, &error), 0);
    ck_assert_msg(strstr(error.message, part) != NULL, "expected \"%s\" in: %s", part, error.message);
}

/* The descriptor of the folder "new"; -1: there is none. */
static int find_folder(void)
{
    for (int fd = 3; fd < 60; fd++) {
        char self[64], target[256];
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(self, target, sizeof target - 1);
        if (length > 4 && strncmp(target + length - 4, "/new", 4) == 0)
            return fd;
    }
    return -1;
}

/* Puts something else under the number. */
static void replace(int fd, const char *path, int flags)
{
    int own = open(path, flags | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(own, 0);
    ck_assert_int_eq(dup2(own, fd), fd);
    (void)close(own);
}

START_TEST(test_a_folder_of_the_targets_name)
{
    enter();
    struct output *output = finish("new/out", _i);
    ck_assert_int_eq(mkdir("new/out", 0755), 0);
    refuses(output, "Is a directory");
    ck_assert(output_close(output));
    ck_assert_int_eq(rmdir("new/out"), 0);
    leave();
}
END_TEST

START_TEST(test_a_hidden_file_that_is_gone)
{
    enter();
    struct output *output = finish("new/out", true);
    remove_tree("new");
    refuses(output, "No such file");
    ck_assert(output_close(output));
    leave();
}
END_TEST

START_TEST(test_a_file_that_is_another_one)
{
    enter();
    struct output *output = finish("new/out", _i);
    int fd = output_fd(output);
    replace(fd, "theirs", O_RDWR | O_CREAT);
    refuses(output, "has closed a descriptor that is not its own");
    ck_assert(output_close(output));
    /* It is somebody else's, so it is not closed. */
    ck_assert_int_eq(write(fd, "x", 1), 1);
    (void)close(fd);
    ck_assert_int_lt(access("new", F_OK), 0);
    leave();
}
END_TEST

START_TEST(test_a_folder_that_is_another_one)
{
    enter();
    struct output *output = finish("new/out", _i);
    ck_assert_int_eq(mkdir("theirs", 0755), 0);
    int fd = find_folder();
    replace(fd, "theirs", O_RDONLY | O_DIRECTORY);
    refuses(output, "has closed a descriptor that is not its own");
    ck_assert(output_close(output));
    (void)close(fd);
    ck_assert_int_lt(access("new", F_OK), 0);
    ck_assert_int_eq(rmdir("theirs"), 0);
    leave();
}
END_TEST

/* Nothing can be opened then, but what was made goes, by its path. */
START_TEST(test_an_origin_that_is_closed)
{
    const struct output_options options = {.path = "out", .run_id = "RUN", .origin = &origin};
    struct output *other = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = finish("new/deep/out", _i);
    ck_assert_int_eq(mkdir("theirs", 0755), 0);
    replace(origin.folder, "theirs", O_RDONLY | O_DIRECTORY);
    ck_assert_int_lt(output_open(&options, &other, &error), 0);
    ck_assert_ptr_nonnull(strstr(error.message, "has closed a descriptor that is not its own"));
    ck_assert(output_close(output));
    ck_assert_int_lt(access("new", F_OK), 0);
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output-ready");
    TCase *tcase = tcase_create("output-ready");

    tcase_add_loop_test(tcase, test_a_folder_of_the_targets_name, 0, 2);
    tcase_add_test(tcase, test_a_hidden_file_that_is_gone);
    tcase_add_loop_test(tcase, test_a_file_that_is_another_one, 0, 2);
    tcase_add_loop_test(tcase, test_a_folder_that_is_another_one, 0, 2);
    tcase_add_loop_test(tcase, test_an_origin_that_is_closed, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
