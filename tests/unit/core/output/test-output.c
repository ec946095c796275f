/* Output files that appear as a whole or not at all (core/output/output.h). */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/core/output/fixture.h"
#include "unit.h"

static void refuse(const char *path, bool create, const char *part)
{
    const struct output_options options = {.path = path, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) < 0, "%s was opened", path);
    ck_assert_msg(strstr(error.message, part) != NULL, "expected \"%s\" in: %s", part,
                  error.message);
}

/* Both ways: _i is 1 for hidden names, 0 for O_TMPFILE. */
START_TEST(test_nothing_is_there_before_publishing)
{
    enter();
    write_file("old.csv", "old\n");
    chmod("old.csv", 0604);
    struct output *output = open_output("old.csv", _i, false);
    ck_assert_int_eq(write(output_fd(output), "new\n", 4), 4);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(output_size(output), 4);
    publish(output);
    expect_file("old.csv", "new\n");
    struct stat status;
    ck_assert_int_eq(stat("old.csv", &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0604);
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_what_is_not_published_leaves_no_trace)
{
    enter();
    struct output *output = open_output("a/b/c/out.csv", _i, true);
    ck_assert_int_eq(write(output_fd(output), "new\n", 4), 4);
    ck_assert_int_eq(output_finish(output, NULL), 0);
    output_close(output);
    ck_assert_int_eq(count("."), 0);
    output = open_output("a/b/c/out.csv", _i, true);
    publish(output);
    expect_file("a/b/c/out.csv", "");
    leave();
}
END_TEST

START_TEST(test_what_was_published_is_taken_back)
{
    enter();
    write_file("old.csv", "old\n");
    struct stat before, after;
    ck_assert_int_eq(stat("old.csv", &before), 0);
    struct output *replaced = publish_text("old.csv", "new\n", _i);
    struct output *made = publish_text("a/b/made.csv", "made\n", _i);
    ck_assert_int_eq(output_retract(replaced, NULL), 0);
    ck_assert_int_eq(output_retract(made, NULL), 0);
    ck_assert(!output_is_published(made));
    ck_assert_int_eq(output_retract(made, NULL), 0);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(stat("old.csv", &after), 0);
    ck_assert_int_eq(before.st_ino, after.st_ino);
    output_close(made);
    output_close(replaced);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_what_somebody_else_has_replaced_is_left_alone)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = publish_text("out.csv", "ours\n", _i);
    write_file("theirs", "theirs\n");
    ck_assert_int_eq(rename("theirs", "out.csv"), 0);
    ck_assert_int_eq(output_retract(output, &error), -1);
    ck_assert_str_eq(error.message, "cannot take back \"out.csv\": somebody else has replaced it");
    output_close(output);
    expect_file("out.csv", "theirs\n");
    leave();
}
END_TEST

START_TEST(test_a_folder_is_not_replaced)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = open_output("out.csv", _i, false);
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(mkdir("out.csv", 0700), 0);
    ck_assert_int_eq(output_publish(output, &error), -1);
    ck_assert_str_eq(error.message, "cannot publish \"out.csv\": Is a directory");
    ck_assert_int_eq(output_retract(output, NULL), 0);
    output_close(output);
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_publishing_needs_finishing)
{
    enter();
    struct output *output = open_output("out.csv", _i, false);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    ck_assert_int_eq(output_publish(output, &error), -1);
    output_close(output);
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

START_TEST(test_a_link_is_followed)
{
    enter();
    ck_assert_int_eq(mkdir("real", 0777), 0);
    ck_assert_int_eq(symlink("real/target.csv", "link.csv"), 0);
    publish(open_output("link.csv", _i, false));
    struct stat status;
    ck_assert_int_eq(lstat("link.csv", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    expect_file("real/target.csv", "");
    leave();
}
END_TEST

START_TEST(test_what_cannot_be_an_output)
{
    enter();
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    write_file("file", "");
    refuse("folder", false, "directory");
    refuse("pipe", false, "not a regular file");
    refuse("loop", false, "loop");
    refuse("missing/out.csv", false, "missing");
    refuse("file/out.csv", true, "file");
    refuse("", false, "empty");
    refuse("folder/", false, "directory");
    refuse("/proc/nowhere/out.csv", true, "/proc/nowhere");
    ck_assert_int_eq(count("."), 4);
    leave();
}
END_TEST

static int mode_of(const char *path)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    return (int)(status.st_mode & 07777);
}

START_TEST(test_permissions)
{
    const struct output_options private_file = {.path = "private", .mode = 0600, .named = _i};
    struct output *output = NULL;
    mode_t before;

    enter();
    before = umask(027);
    publish(open_output("new", _i, false));
    ck_assert_int_eq(mode_of("new"), 0640);
    ck_assert_int_eq(output_open(&private_file, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("private"), 0600);
    /* A file of ours must not become a program that runs as us. */
    write_file("setuid", "");
    ck_assert_int_eq(chmod("setuid", 04755), 0);
    publish(open_output("setuid", _i, false));
    ck_assert_int_eq(mode_of("setuid"), 0755);
    umask(before);
    leave();
}
END_TEST

/* A mode that is asked for is exactly that, whatever the umask and whatever was there. */
START_TEST(test_a_requested_mode_is_exact)
{
    const struct output_options options = {.path = "file", .mode = 0664, .named = _i};
    struct output *output = NULL;
    mode_t before;

    enter();
    before = umask(077);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("file"), 0664);
    ck_assert_int_eq(chmod("file", 0600), 0);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("file"), 0664);
    umask(before);
    leave();
}
END_TEST

START_TEST(test_too_long_names_are_refused_at_once)
{
    char path[320] = "new/";

    enter();
    memset(path + 4, 'x', 256);
    refuse(path + 4, false, "too long");
    refuse(path, true, "too long");
    /* What was made on the way to a folder that cannot be made goes again. */
    strcpy(path + 260, "/out.csv");
    refuse(path, true, "cannot create the folder \"new/xxx");
    refuse("one/two/../three/", true, "directory");
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

/* An unnamed file does not keep its folder from being removed by whoever made it. */
START_TEST(test_a_discarded_neighbour_takes_no_folder_away)
{
    enter();
    struct output *maker = open_output("made/deep/a.csv", _i, true);
    struct output *other = open_output("made/deep/b.csv", _i, false);
    ck_assert_int_eq(write(output_fd(other), "b\n", 2), 2);
    output_close(maker);
    publish(other);
    expect_file("made/deep/b.csv", "b\n");
    ck_assert_int_eq(count("made/deep"), 1);
    leave();
}
END_TEST

START_TEST(test_two_outputs_of_one_path)
{
    enter();
    struct output *first = open_output("out.csv", _i, false);
    struct output *second = open_output("out.csv", _i, false);
    ck_assert_int_eq(write(output_fd(first), "the first\n", 10), 10);
    ck_assert_int_eq(write(output_fd(second), "2\n", 2), 2);
    publish(second);
    expect_file("out.csv", "2\n");
    publish(first);
    expect_file("out.csv", "the first\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

/* Permissions do not hold root back: this is done as nobody, in a process as undumpable as a worker. */

static bool is_refused(const char *path, bool create, const char *part)
{
    const struct output_options options = {.path = path, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    return output_open(&options, &output, &error) < 0 &&
           error.category == OSIRIS_ERROR_PERMISSION && strstr(error.message, part) != NULL;
}

static bool is_published(const char *path, bool named)
{
    const struct output_options options = {.path = path, .named = named};
    struct output *output = NULL;

    if (output_open(&options, &output, NULL) < 0)
        return false;
    bool done = output_finish(output, NULL) == 0 && output_publish(output, NULL) == 0;
    output_close(output);
    return done && access(path, F_OK) == 0;
}

static void act_as_nobody(void)
{
    if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
        _exit(1);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || chdir(folder) < 0)
        _exit(2);
    if (!is_published("open/unnamed.csv", false) || !is_published("open/named.csv", true))
        _exit(3);
    if (!is_refused("closed/out.csv", false, "cannot write \"closed/out.csv\""))
        _exit(4);
    if (!is_refused("closed/new/deep/out.csv", true, "folder \"closed/new\""))
        _exit(5);
    if (!is_refused("open/protected.csv", false, "cannot replace \"open/protected.csv\""))
        _exit(6);
    _exit(0);
}

START_TEST(test_outputs_without_privileges)
{
    int status;

    enter();
    ck_assert_int_eq(chmod(".", 0755), 0);
    ck_assert_int_eq(mkdir("open", 0777), 0);
    ck_assert_int_eq(chmod("open", 0777), 0);
    ck_assert_int_eq(mkdir("closed", 0555), 0);
    write_file("open/protected.csv", "precious\n");
    ck_assert_int_eq(chmod("open/protected.csv", 0444), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        act_as_nobody();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with %d at step %d", status,
                  WEXITSTATUS(status));
    expect_file("open/protected.csv", "precious\n");
    ck_assert_int_eq(count("open"), 3);
    ck_assert_int_eq(count("closed"), 0);
    leave();
}
END_TEST

START_TEST(test_a_device_is_written_through)
{
    struct output *output = open_output("/dev/null", false, false);

    ck_assert_int_eq(write(output_fd(output), "x", 1), 1);
    publish(output);
    struct stat status;
    ck_assert_int_eq(stat("/dev/null", &status), 0);
    ck_assert(S_ISCHR(status.st_mode));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");

    tcase_add_loop_test(tcase, test_nothing_is_there_before_publishing, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_not_published_leaves_no_trace, 0, 2);
    tcase_add_loop_test(tcase, test_what_was_published_is_taken_back, 0, 2);
    tcase_add_loop_test(tcase, test_what_somebody_else_has_replaced_is_left_alone, 0, 2);
    tcase_add_loop_test(tcase, test_a_folder_is_not_replaced, 0, 2);
    tcase_add_loop_test(tcase, test_publishing_needs_finishing, 0, 2);
    tcase_add_loop_test(tcase, test_a_link_is_followed, 0, 2);
    tcase_add_test(tcase, test_what_cannot_be_an_output);
    tcase_add_loop_test(tcase, test_permissions, 0, 2);
    tcase_add_loop_test(tcase, test_a_requested_mode_is_exact, 0, 2);
    tcase_add_test(tcase, test_too_long_names_are_refused_at_once);
    tcase_add_loop_test(tcase, test_a_discarded_neighbour_takes_no_folder_away, 0, 2);
    tcase_add_loop_test(tcase, test_two_outputs_of_one_path, 0, 2);
    tcase_add_test(tcase, test_outputs_without_privileges);
    tcase_add_test(tcase, test_a_device_is_written_through);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
