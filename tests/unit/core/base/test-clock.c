/* Timestamps and ULIDs (core/base/clock.h). */
#include "unit.h"

#include <string.h>
#include <time.h>

#include "core/base/clock.h"

START_TEST(test_monotonic_never_goes_back)
{
    int64_t before = clock_monotonic_ns();

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_ns();
        ck_assert_int_ge(now, before);
        before = now;
    }
    ck_assert_int_ge(clock_monotonic_ms(), before / 1000000);
}
END_TEST

START_TEST(test_timestamp_is_now_in_utc)
{
    char text[CLOCK_TIMESTAMP_SIZE];
    struct tm parts = {0};
    time_t before = time(NULL);

    clock_timestamp(text);
    ck_assert_uint_eq(strlen(text), strlen("2026-11-24T09:13:05.123456Z"));
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(end[0], '.');
    ck_assert_uint_eq(strspn(end + 1, "0123456789"), 6);
    ck_assert_str_eq(end + 7, "Z");
    ck_assert_int_ge(timegm(&parts), before - 1);
    ck_assert_int_le(timegm(&parts), time(NULL));
}
END_TEST

static uint64_t milliseconds_of(const char *ulid)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t value = 0;

    for (int i = 0; i < 10; i++)
        value = value << 5 | (uint64_t)(strchr(alphabet, ulid[i]) - alphabet);
    return value;
}

START_TEST(test_ulid_begins_with_the_time)
{
    char text[CLOCK_ULID_SIZE];

    ck_assert_int_eq(clock_ulid(text), 0);
    ck_assert_uint_eq(strlen(text), 26);
    ck_assert_uint_eq(strspn(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
    ck_assert_uint_le(milliseconds_of(text) / 1000, (uint64_t)time(NULL) + 1);
    ck_assert_uint_ge(milliseconds_of(text) / 1000, (uint64_t)time(NULL) - 2);
}
END_TEST

START_TEST(test_ulids_differ)
{
    char one[CLOCK_ULID_SIZE], two[CLOCK_ULID_SIZE];

    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(clock_ulid(one), 0);
        ck_assert_int_eq(clock_ulid(two), 0);
        ck_assert_str_ne(one + 10, two + 10);
    }
}
END_TEST

START_TEST(test_what_is_a_ulid)
{
    char text[CLOCK_ULID_SIZE];

    ck_assert_int_eq(clock_ulid(text), 0);
    ck_assert(clock_is_ulid(text));
    ck_assert(clock_is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    ck_assert(!clock_is_ulid(""));
    ck_assert(!clock_is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FA"));
    ck_assert(!clock_is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV0"));
    ck_assert(!clock_is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FA/"));
    ck_assert(!clock_is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAU"));
}
END_TEST

UNIT_MAIN("clock", test_monotonic_never_goes_back, test_timestamp_is_now_in_utc,
          test_ulid_begins_with_the_time, test_ulids_differ, test_what_is_a_ulid)
