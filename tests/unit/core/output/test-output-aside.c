/* Outputs that are set aside until they are published (core/output/output.h). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit/core/output/fixture.h"
#include "unit.h"

static struct output *set_aside(const char *path, bool named, int *shelf)
{
    struct output *output = open_output(path, named, true);

    ck_assert_int_eq(write(output_fd(output), path, strlen(path)), (ssize_t)strlen(path));
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_set_aside(output, shelf, NULL), 0);
    return output;
}

static int open_descriptors(void)
{
    return count("/proc/self/fd");
}

START_TEST(test_many_outputs_are_set_aside)
{
    enum { MANY = 50 };
    struct output *outputs[MANY];
    int shelf = -1;
    char path[32];

    enter();
    int before = open_descriptors();
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "parts/%d.csv", i);
        outputs[i] = set_aside(path, _i, &shelf);
        ck_assert_int_eq(output_size(outputs[i]), (int64_t)strlen(path));
    }
    ck_assert_int_eq(open_descriptors(), before + 1);
    ck_assert_int_eq(access("parts/0.csv", F_OK), -1);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(output_finish(outputs[i], NULL), 0);
        ck_assert_int_eq(output_publish(outputs[i], NULL), 0);
    }
    ck_assert_int_eq(output_sync_folder(outputs[MANY - 1], NULL), 0);
    for (int i = 0; i < MANY; i++)
        output_close(outputs[i]);
    close(shelf);
    ck_assert_int_eq(count("parts"), MANY);
    expect_file("parts/7.csv", "parts/7.csv");
    leave();
}
END_TEST

START_TEST(test_what_is_set_aside_leaves_no_trace)
{
    struct output *outputs[2];
    int shelf = -1;

    enter();
    outputs[0] = set_aside("a/one.csv", _i, &shelf);
    outputs[1] = set_aside("a/two.csv", _i, &shelf);
    output_close(outputs[1]);
    output_close(outputs[0]);
    close(shelf);
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

/* It has no lock of its own; the folder's goes with the process. */
START_TEST(test_what_is_set_aside_is_not_stale)
{
    int shelf = -1;

    enter();
    struct output *waiting = set_aside("out.csv", _i, &shelf);
    struct output *other = open_output("out.csv", false, false);
    ck_assert_int_eq(output_publish(waiting, NULL), 0);
    expect_file("out.csv", "out.csv");
    output_close(waiting);
    output_close(other);
    close(shelf);

    shelf = -1;
    waiting = set_aside("out.csv", _i, &shelf);
    ck_assert_int_eq(count("."), 2);
    /* As if its process had ended. */
    close(shelf);
    output_close(open_output("out.csv", false, false));
    ck_assert_int_eq(count("."), 1);
    output_close(waiting);
    leave();
}
END_TEST

START_TEST(test_outputs_of_another_folder_are_not_set_aside)
{
    int shelf = -1;

    enter();
    struct output *one = set_aside("a/one.csv", _i, &shelf);
    struct output *two = set_aside("b/two.csv", _i, &shelf);
    ck_assert_int_eq(output_fd(one), -1);
    ck_assert_int_ge(output_fd(two), 0);
    publish(one);
    publish(two);
    close(shelf);
    expect_file("a/one.csv", "a/one.csv");
    expect_file("b/two.csv", "b/two.csv");
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output-aside");
    TCase *tcase = tcase_create("output-aside");

    tcase_add_loop_test(tcase, test_many_outputs_are_set_aside, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_set_aside_leaves_no_trace, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_set_aside_is_not_stale, 0, 2);
    tcase_add_loop_test(tcase, test_outputs_of_another_folder_are_not_set_aside, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
