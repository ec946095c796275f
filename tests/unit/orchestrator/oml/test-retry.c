/* Lengths of time, and when a step is tried again (orchestrator/oml/duration.h, orchestrator/oml/retry.h). */
#include "unit.h"

#include <json-c/json.h>

#include "orchestrator/oml/duration.h"
#include "orchestrator/oml/retry.h"

START_TEST(test_durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"30", 30000},   {"1.5", 1500},    {"250ms", 250}, {"30s", 30000}, {"5m", 300000},
                {"2h", 7200000}, {"1d", 86400000}, {".5s", 500},   {"0.1ms", 1},   {"30d", DURATION_MAXIMUM_MS}};
    static const char *const bad[] = {"",     "s",    "-1",    "0",   "0s",    "1 s", "1e3", "inf",
                                      "0x10", "1.2.3", "30d1", "31d", "1week", " 1s", "1S",
                                      "99999999999999999999999999999999999999999"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        ck_assert_msg(duration_parse(good[i].text, &ms) == 0, "%s", good[i].text);
        ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -1;
        ck_assert_msg(duration_parse(bad[i], &ms) < 0, "\"%s\": %lld", bad[i], (long long)ms);
        ck_assert_int_eq(ms, -1);
    }
}
END_TEST

START_TEST(test_texts_of_durations)
{
    char text[DURATION_TEXT_SIZE];

    ck_assert_str_eq(duration_text(250, text), "250 ms");
    ck_assert_str_eq(duration_text(1500, text), "1.5 s");
    ck_assert_str_eq(duration_text(30000, text), "30 s");
}
END_TEST

static const struct retry_policy plain = {.max_attempts = 3,
                                          .backoff = RETRY_EXPONENTIAL,
                                          .initial_delay_ms = 1000,
                                          .max_delay_ms = 5000};

START_TEST(test_delays)
{
    struct retry_random random = {0};
    struct retry_policy policy = plain;
    static const int64_t expected[][5] = {[RETRY_CONSTANT] = {1000, 1000, 1000, 1000, 1000},
                                          [RETRY_LINEAR] = {1000, 2000, 3000, 4000, 5000},
                                          [RETRY_EXPONENTIAL] = {1000, 2000, 4000, 5000, 5000}};

    for (int backoff = RETRY_CONSTANT; backoff <= RETRY_EXPONENTIAL; backoff++)
        for (int i = 0; i < 5; i++) {
            policy.backoff = (enum retry_backoff)backoff;
            ck_assert_int_eq(retry_delay_ms(&policy, i + 1, &random), expected[backoff][i]);
        }
    policy.backoff = RETRY_EXPONENTIAL;
    ck_assert_int_eq(retry_delay_ms(&policy, 100, &random), 5000);
    policy.initial_delay_ms = 0;
    ck_assert_int_eq(retry_delay_ms(&policy, 3, &random), 0);
}
END_TEST

START_TEST(test_jitter_is_bounded_and_repeatable)
{
    struct retry_random first = {.state = 7}, again = {.state = 7};
    struct retry_policy policy = plain;
    int64_t least = INT64_MAX, most = 0;

    policy.jitter = 0.5;
    policy.max_delay_ms = 1200;
    for (int i = 0; i < 1000; i++) {
        int64_t delay = retry_delay_ms(&policy, 1, &first);
        ck_assert_int_eq(delay, retry_delay_ms(&policy, 1, &again));
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    ck_assert_msg(least >= 500 && least < 550, "least %lld", (long long)least);
    ck_assert_int_eq(most, 1200);
}
END_TEST

static bool allows(const struct retry_policy *policy, int64_t attempt, int category, bool retryable,
                   const char *type)
{
    struct osiris_error error = {
        .category = category, .retryable = retryable, .type = (char *)(uintptr_t)type};

    return retry_allows(policy, attempt, &error);
}

START_TEST(test_which_errors)
{
    struct retry_policy policy = plain;

    ck_assert(allows(&policy, 1, OSIRIS_ERROR_CONNECTION, true, NULL));
    ck_assert(allows(&policy, 2, OSIRIS_ERROR_CONNECTION, true, NULL));
    ck_assert(!allows(&policy, 3, OSIRIS_ERROR_CONNECTION, true, NULL));
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_CONNECTION, false, NULL));
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_CANCELLED, true, NULL));
    ck_assert(allows(&policy, 1, OSIRIS_ERROR_INTERNAL, true, "WorkerCrashError"));

    policy.on_errors = retry_kind("data") | retry_kind("WorkerCrashError");
    ck_assert(allows(&policy, 1, OSIRIS_ERROR_DATA, false, NULL));
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_CONNECTION, true, NULL));
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_INTERNAL, true, NULL));
    ck_assert(allows(&policy, 1, OSIRIS_ERROR_INTERNAL, true, "WorkerCrashError"));

    policy.on_errors = 0;
    policy.skip_on_errors = retry_kind("network_error");
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_CONNECTION, true, NULL));
    ck_assert(allows(&policy, 1, OSIRIS_ERROR_TIMEOUT, true, NULL));
    policy.max_attempts = 0;
    ck_assert(!allows(&policy, 1, OSIRIS_ERROR_TIMEOUT, true, NULL));
}
END_TEST

START_TEST(test_names_of_errors)
{
    for (int category = OSIRIS_ERROR_CONFIG; category <= OSIRIS_ERROR_INTERNAL; category++) {
        uint32_t kind = retry_kind(osiris_error_category_name(category));
        ck_assert_msg((kind != 0) == (category != OSIRIS_ERROR_CANCELLED), "%d", category);
    }
    ck_assert_uint_eq(retry_kind("permission_denied"), retry_kind("permission"));
    ck_assert_uint_eq(retry_kind("odd"), 0);
}
END_TEST

START_TEST(test_the_plans_form)
{
    struct retry_policy policy = plain, read;

    policy.backoff = RETRY_LINEAR;
    policy.jitter = 0.25;
    policy.on_errors = retry_kind("io") | retry_kind("WorkerCrashError");
    policy.skip_on_errors = retry_kind("data");
    policy.unsafe = true;
    json_object *object = retry_to_json(&policy);
    retry_from_json(object, &read);
    json_object_put(object);
    ck_assert_int_eq(read.max_attempts, policy.max_attempts);
    ck_assert_int_eq(read.backoff, policy.backoff);
    ck_assert_int_eq(read.initial_delay_ms, policy.initial_delay_ms);
    ck_assert_int_eq(read.max_delay_ms, policy.max_delay_ms);
    ck_assert(read.jitter > 0.24 && read.jitter < 0.26);
    ck_assert_uint_eq(read.on_errors, policy.on_errors);
    ck_assert_uint_eq(read.skip_on_errors, policy.skip_on_errors);
    ck_assert(read.unsafe);
    retry_from_json(NULL, &read);
    ck_assert_int_eq(read.max_attempts, 0);
}
END_TEST

UNIT_MAIN("retry", test_durations, test_texts_of_durations, test_delays,
          test_jitter_is_bounded_and_repeatable, test_which_errors, test_names_of_errors,
          test_the_plans_form)
