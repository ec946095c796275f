/* Hidden names of outputs: when a file has one, and which are removed (core/output/hidden.h). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/output/hidden.h"
#include "unit/core/output/fixture.h"
#include "unit.h"

/* Of the same series, by another run. */
START_TEST(test_what_is_kept_is_not_stale)
{
    enter();
    write_file("out-1.csv", "old\n");
    struct output *replaced = publish_text("out-1.csv", "new\n", _i);
    output_close(open_output("out-2.csv", _i, false));
    output_close(open_output("out-1.csv", _i, false));
    ck_assert_int_eq(output_retract(replaced, NULL), 0);
    output_close(replaced);
    expect_file("out-1.csv", "old\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

/* Nobody would remove it if this process were killed. */
START_TEST(test_what_is_not_ours_gets_no_hidden_name)
{
    enter();
    write_file("out.csv", "theirs\n");
    bool theirs = chown("out.csv", 65534, 65534) == 0;
    struct output *output = open_output("out.csv", _i, false);
    /* Without privileges: a link that has come meanwhile is no regular file. */
    if (!theirs) {
        ck_assert_int_eq(unlink("out.csv"), 0);
        ck_assert_int_eq(symlink("nowhere", "out.csv"), 0);
    }
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    ck_assert_int_eq(count("."), 1);
    ck_assert_int_eq(output_retract(output, NULL), -1);
    output_close(output);
    leave();
}
END_TEST

static void count_calls(void *context, int directory)
{
    struct stat status;

    ck_assert(fstat(directory, &status) == 0 && S_ISDIR(status.st_mode));
    (*(int *)context)++;
}

/* Before a name is hidden: at once if the file cannot be unnamed, else when it is set aside, or published. */
START_TEST(test_folders_of_hidden_names_are_announced)
{
    int calls = 0, shelf = -1;
    const struct output_options options = {
        .path = "file", .named = _i, .hides_in = count_calls, .context = &calls};
    struct output *output;

    enter();
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    ck_assert_int_eq(calls, count(".") == 1); /* named, wished or not */
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_set_aside(output, &shelf, NULL), 0);
    ck_assert_int_eq(calls, 1);
    output_close(output);
    close(shelf);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(calls, 2);
    leave();
}
END_TEST

START_TEST(test_what_a_dead_run_hid_is_removed)
{
    enter();
    write_file(".one.osiris-RUN-1-0.tmp", "");
    write_file(".two.osiris-RUN-22-3.tmp", "");
    write_file(".two.osiris-RUN2-22-3.tmp", "");
    write_file("two.osiris-RUN-22-3.tmp", "");
    write_file(".two.osiris-RUN-22-3.csv", "");
    write_file(".held.osiris-RUN-1-0.tmp", "");
    int held = open(".held.osiris-RUN-1-0.tmp", O_RDONLY);
    ck_assert_int_eq(flock(held, LOCK_EX), 0);
    hidden_remove_of_run(folder, "RUN");
    ck_assert_int_eq(count("."), 4);
    ck_assert_int_lt(access(".one.osiris-RUN-1-0.tmp", F_OK), 0);
    ck_assert_int_lt(access(".two.osiris-RUN-22-3.tmp", F_OK), 0);
    close(held);
    hidden_remove_of_run("nowhere", "RUN");
    leave();
}
END_TEST

START_TEST(test_stale_files_go_and_locked_ones_stay)
{
    enter();
    write_file(".out.csv.osiris-OLD-1-0.tmp", "half");
    write_file(".other.csv.osiris-OLD-1-0.tmp", "another target's");
    struct output *writing = open_output("out.csv", true, false);
    ck_assert_int_ne(access(".out.csv.osiris-OLD-1-0.tmp", F_OK), 0);
    ck_assert_int_eq(access(".other.csv.osiris-OLD-1-0.tmp", F_OK), 0);
    struct output *second = open_output("out.csv", _i, false);
    /* The first one's hidden file is locked and must be there still. */
    publish(writing);
    publish(second);
    ck_assert_int_eq(count("."), 2);
    leave();
}
END_TEST

/* Parts and dates: there may be fewer or others the next time. */
START_TEST(test_stale_files_of_a_series_go)
{
    static const char *const stale[] = {".p-2020-01-31.00001.csv.osiris-OLD-1-0.tmp",
                                        ".p-2020-02-01.123456.csv.osiris-OLD-1-7.tmp"};
    static const char *const others[] = {".p-2020-01.00001.csv.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31..csv.osiris-OLD-1-0.tmp",
                                         ".q-2020-01-31.00001.csv.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31.00001.csv.gz.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31.00001.csv.tmp", ".p-2020-01-31.00001.csv.osiris-.tmp",
                                         ".p-2020-01-31.00009.csv.osiris-OLD-1-0.tmp"};

    enter();
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        write_file(stale[i], "half");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        write_file(others[i], "another target's, or alive");
    int alive = open(others[6], O_RDONLY);
    ck_assert_int_eq(flock(alive, LOCK_EX), 0);
    output_close(open_output("p-2020-01-31.00001.csv", _i, false));
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        ck_assert_msg(access(stale[i], F_OK) < 0, "%s is there", stale[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(access(others[i], F_OK) == 0, "%s is gone", others[i]);
    close(alive);
    leave();
}
END_TEST

/* A name as long as file systems allow leaves no room for a hidden one beside it. */
START_TEST(test_long_names)
{
    char name[300];

    enter();
    memset(name, 'x', sizeof name);
    name[255] = '\0';
    struct output *left = open_output(name, true, false);
    struct output *output = open_output(name, _i, false);
    ck_assert_int_eq(write(output_fd(output), "all\n", 4), 4);
    publish(output);
    expect_file(name, "all\n");
    /* The other one's hidden file is locked; once it is not, it goes. */
    ck_assert_int_eq(count("."), 2);
    ck_assert_int_eq(flock(output_fd(left), LOCK_UN), 0);
    output_close(open_output(name, _i, false));
    ck_assert_int_eq(count("."), 1);
    output_close(left);
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output-hidden");
    TCase *tcase = tcase_create("output-hidden");

    tcase_add_loop_test(tcase, test_what_is_kept_is_not_stale, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_not_ours_gets_no_hidden_name, 0, 2);
    tcase_add_loop_test(tcase, test_stale_files_go_and_locked_ones_stay, 0, 2);
    tcase_add_loop_test(tcase, test_stale_files_of_a_series_go, 0, 2);
    tcase_add_loop_test(tcase, test_folders_of_hidden_names_are_announced, 0, 2);
    tcase_add_test(tcase, test_what_a_dead_run_hid_is_removed);
    tcase_add_loop_test(tcase, test_long_names, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
