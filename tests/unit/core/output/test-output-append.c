/* Outputs that append to a file (core/output/output.h). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit/core/output/fixture.h"
#include "unit.h"

static struct output *open_append(const char *path, bool named)
{
    const struct output_options options = {
        .path = path, .run_id = "RUN", .named = named, .append = true, .no_sync = true};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    return output;
}

static void publish_new(struct output *output)
{
    ck_assert_int_eq(write(output_fd(output), "new", 3), 3);
    publish(output);
}

START_TEST(test_appending_keeps_what_is_there)
{
    enter();
    struct output *output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 0);
    publish_new(output);
    expect_file("file", "new");
    output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 3);
    ck_assert_int_eq(output_size(output), 3);
    expect_file("file", "new");
    publish_new(output);
    expect_file("file", "newnew");
    /* Not published: as before. */
    output = open_append("file", _i);
    ck_assert_int_eq(write(output_fd(output), "gone", 4), 4);
    output_close(output);
    expect_file("file", "newnew");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_appending_copies_all_of_a_large_file)
{
    enum { LINES = 300000 };
    char line[16], expected[16];

    enter();
    FILE *file = fopen("file", "w");
    for (int i = 0; i < LINES; i++)
        fprintf(file, "%07d\n", i);
    ck_assert_int_eq(fclose(file), 0);
    struct output *output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 8 * LINES);
    publish_new(output);
    file = fopen("file", "r");
    for (int i = 0; i < LINES; i++) {
        snprintf(expected, sizeof expected, "%07d\n", i);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        ck_assert_str_eq(line, expected);
    }
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_str_eq(line, "new");
    fclose(file);
    leave();
}
END_TEST

static void refuse_changed(int result, struct osiris_error *error)
{
    ck_assert_int_lt(result, 0);
    ck_assert_int_eq(error->category, OSIRIS_ERROR_IO);
    ck_assert_msg(strstr(error->message, "somebody else has changed it") != NULL, "%s", error->message);
    osiris_error_clear(error);
}

/* What another one wrote meanwhile would be lost without a word. */
START_TEST(test_appending_to_what_changes_is_refused)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    write_file("file", "old");
    struct output *first = open_append("file", _i), *second = open_append("file", _i);
    struct output *third = open_append("new", _i);
    ck_assert_int_eq(output_finish(second, NULL), 0);
    ck_assert_int_eq(write(output_fd(first), "1", 1), 1);
    ck_assert_int_eq(output_finish(first, NULL), 0);
    ck_assert_int_eq(output_publish(first, NULL), 0);
    refuse_changed(output_publish(second, &error), &error);
    refuse_changed(output_finish(second, &error), &error);
    write_file("new", "of somebody else");
    refuse_changed(output_finish(third, &error), &error);
    output_close(first);
    output_close(second);
    output_close(third);
    expect_file("file", "old1");
    expect_file("new", "of somebody else");
    ck_assert_int_eq(count("."), 2);
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output-append");
    TCase *tcase = tcase_create("output-append");

    tcase_add_loop_test(tcase, test_appending_keeps_what_is_there, 0, 2);
    tcase_add_loop_test(tcase, test_appending_copies_all_of_a_large_file, 0, 2);
    tcase_add_loop_test(tcase, test_appending_to_what_changes_is_refused, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
