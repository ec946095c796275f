/* Windows of files (core/wire/window.h): what is granted is bounded, grows when it is used, and never leaves anybody with nothing. */
#include "unit.h"

#include <string.h>

#include "core/wire/pace.h"
#include "core/wire/window.h"

/* A sender that uses its credit at once, and a receiver that passes everything on: returns the largest window. */
static int64_t use_up(struct window *window, int rounds)
{
    int64_t largest = window->credit;

    for (int i = 0; i < rounds; i++) {
        int64_t bytes = window->credit < WINDOW_BODY ? window->credit : WINDOW_BODY;
        ck_assert(window_take(window, bytes));
        (void)window_pass(window, bytes);
        largest = window->credit > largest ? window->credit : largest;
    }
    return largest;
}

START_TEST(test_it_grows_while_it_is_used_up)
{
    struct window_budget budget = {0};
    struct window window;

    ck_assert_int_eq(window_open(&window, &budget), WINDOW_FIRST);
    ck_assert_int_eq(use_up(&window, 1000), WINDOW_LARGEST);
    window_close(&window);
    ck_assert_int_eq(budget.used, 0);
}
END_TEST

START_TEST(test_more_than_the_credit_is_refused)
{
    struct window_budget budget = {0};
    struct window window;

    (void)window_open(&window, &budget);
    ck_assert(!window_take(&window, WINDOW_FIRST + 1));
    ck_assert(window_take(&window, WINDOW_FIRST));
    ck_assert(!window_take(&window, 1));
}
END_TEST

START_TEST(test_what_is_not_passed_on_is_not_granted_again)
{
    struct window_budget budget = {0};
    struct window window;

    (void)window_open(&window, &budget);
    ck_assert(window_take(&window, WINDOW_FIRST));
    ck_assert_int_eq(window_pass(&window, 0), 0);
    ck_assert_int_eq(window_pass(&window, WINDOW_FIRST / 2), WINDOW_FIRST / 2);
}
END_TEST

START_TEST(test_many_files_share_a_budget_and_none_gets_nothing)
{
    static struct window windows[1000];
    struct window_budget budget = {0};

    for (size_t i = 0; i < 1000; i++) {
        ck_assert_int_ge(window_open(&windows[i], &budget), WINDOW_SMALLEST);
        (void)use_up(&windows[i], 100);
        ck_assert_int_gt(windows[i].credit, 0);
    }
    ck_assert_int_le(budget.used, WINDOW_BUDGET + 1000 * WINDOW_SMALLEST);
    for (size_t i = 0; i < 1000; i++)
        window_close(&windows[i]);
    ck_assert_int_eq(budget.used, 0);
}
END_TEST

START_TEST(test_bytes_after_the_end_count_nothing)
{
    struct window_budget budget = {0};
    struct window window;

    (void)window_open(&window, &budget);
    ck_assert(window_take(&window, 1000));
    window_close(&window);
    ck_assert_int_eq(window_pass(&window, 1000), 0);
    ck_assert_int_eq(budget.used, 0);
}
END_TEST

START_TEST(test_slow_links_are_worth_compressing)
{
    json_object *codecs = json_tokener_parse("[\"lz4\", \"zstd\"]");
    struct pace pace;

    pace_init(&pace, codecs);
    ck_assert_ptr_null(pace_codec(&pace));
    pace_wait(&pace, 1000000000);
    pace_credit(&pace, 1000000);
    pace_go_on(&pace, 1100000000);
    ck_assert(pace.may_zstd ? strcmp(pace_codec(&pace), "zstd") == 0 : pace_codec(&pace) == NULL || pace.may_lz4);
    pace_go_on(&pace, 1200000000);
    ck_assert_ptr_null(pace_codec(&pace));
    pace_init(&pace, NULL);
    pace_wait(&pace, 1000000000);
    pace_credit(&pace, 1000000);
    pace_go_on(&pace, 1100000000);
    ck_assert_ptr_null(pace_codec(&pace));
    json_object_put(codecs);
}
END_TEST

UNIT_MAIN("window", test_it_grows_while_it_is_used_up, test_more_than_the_credit_is_refused,
          test_what_is_not_passed_on_is_not_granted_again, test_many_files_share_a_budget_and_none_gets_nothing,
          test_bytes_after_the_end_count_nothing, test_slow_links_are_worth_compressing)
