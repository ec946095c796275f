/* The order of steps and commits (orchestrator/session/schedule.h). */
#include "unit.h"

#include <json-c/json.h>

#include "orchestrator/session/schedule.h"

static json_object *json_from(const char *text)
{
    json_object *json = json_tokener_parse(text);

    ck_assert_ptr_nonnull(json);
    return json;
}

/* Takes `json`. */
static struct plan *plan_of(json_object *json)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct plan *plan = plan_read(json, &error);

    json_object_put(json);
    ck_assert_msg(plan != NULL, "%s", error.message);
    return plan;
}

static struct plan *plan_from(const char *text)
{
    return plan_of(json_from(text));
}

static const char *const two_pairs =
    "{\"steps\": ["
    "{\"id\": \"a\", \"group\": 0, \"after\": []}, {\"id\": \"b\", \"group\": 0, \"after\": []},"
    "{\"id\": \"c\", \"group\": 1, \"after\": [\"b\"]}, {\"id\": \"d\", \"group\": 1}],"
    "\"groups\": [{\"id\": 0, \"steps\": [\"a\", \"b\"], \"after\": []},"
    "{\"id\": 1, \"steps\": [\"c\", \"d\"], \"after\": [0]}]}";

static void expect(struct schedule *schedule, enum schedule_action action, size_t index)
{
    size_t got = 99;

    ck_assert_int_eq(schedule_next(schedule, &got), action);
    if (action != SCHEDULE_NOTHING)
        ck_assert_uint_eq(got, index);
}

START_TEST(test_second_group_waits_for_the_first_commit)
{
    struct plan *plan = plan_from(two_pairs);
    struct schedule *schedule = schedule_new(plan);

    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_step_ended(schedule, 0, true);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_COMMIT, 0);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert(!schedule_finished(schedule));
    schedule_group_committed(schedule, 0, true);
    expect(schedule, SCHEDULE_START_STEP, 2);
    expect(schedule, SCHEDULE_START_STEP, 3);
    schedule_step_ended(schedule, 2, true);
    schedule_step_ended(schedule, 3, true);
    expect(schedule, SCHEDULE_COMMIT, 1);
    schedule_group_committed(schedule, 1, true);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert(schedule_finished(schedule));
    ck_assert(schedule_succeeded(schedule));
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

/* Groups of one step each, of which all but the last take of a connection. */
static struct plan *separate_groups(int count)
{
    json_object *json = json_from("{\"steps\": [], \"groups\": []}");

    for (int i = 0; i < count; i++) {
        char step[160], group[80];
        snprintf(step, sizeof step, "{\"id\": \"s%d\", \"group\": %d%s}", i, i,
                 i == count - 1 ? "" : ", \"connections\": {\"of\": \"@x.y\", \"count\": 2, \"max\": 5}");
        snprintf(group, sizeof group, "{\"id\": %d, \"steps\": [\"s%d\"], \"after\": []}", i, i);
        json_object_array_add(json_object_object_get(json, "steps"), json_from(step));
        json_object_array_add(json_object_object_get(json, "groups"), json_from(group));
    }
    return plan_of(json);
}

START_TEST(test_steps_at_a_time_are_bounded)
{
    json_object *many = json_from("{\"steps\": [], \"groups\": []}");

    for (int i = 0; i < 40; i++) {
        char text[80];
        snprintf(text, sizeof text, "{\"id\": \"s%d\", \"group\": %d}", i, i < 20 ? 0 : i - 19);
        json_object_array_add(json_object_object_get(many, "steps"), json_from(text));
        if (i > 20)
            continue;
        snprintf(text, sizeof text, "{\"id\": %d, \"steps\": [], \"after\": []}", i);
        json_object_array_add(json_object_object_get(many, "groups"), json_from(text));
    }
    struct plan *plan = plan_of(many);
    struct schedule *schedule = schedule_new(plan);
    schedule_bound_steps(schedule, 16);
    /* The first group is too large for any other beside it. */
    for (size_t i = 0; i < 20; i++)
        expect(schedule, SCHEDULE_START_STEP, i);
    expect(schedule, SCHEDULE_NOTHING, 0);
    for (size_t i = 0; i < 20; i++)
        schedule_step_ended(schedule, i, true);
    expect(schedule, SCHEDULE_COMMIT, 0);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_group_committed(schedule, 0, true);
    for (size_t i = 20; i < 36; i++)
        expect(schedule, SCHEDULE_START_STEP, i);
    expect(schedule, SCHEDULE_NOTHING, 0);
    /* One that waits for its next attempt keeps its place. */
    schedule_retry_group(schedule, 1);
    schedule_step_ended(schedule, 20, false);
    expect(schedule, SCHEDULE_ABORT, 1);
    schedule_group_aborted(schedule, 1);
    expect(schedule, SCHEDULE_PAUSE, 1);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_step_ended(schedule, 21, true);
    expect(schedule, SCHEDULE_COMMIT, 2);
    schedule_group_committed(schedule, 2, true);
    expect(schedule, SCHEDULE_START_STEP, 36);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_connections_are_bounded)
{
    struct plan *plan = separate_groups(4);
    struct schedule *schedule = schedule_new(plan);

    /* The last takes none, and need not wait for the third. */
    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    expect(schedule, SCHEDULE_START_STEP, 3);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_COMMIT, 1);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_group_committed(schedule, 1, true);
    expect(schedule, SCHEDULE_START_STEP, 2);
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_failure_aborts_and_starts_nothing_more)
{
    struct plan *plan = plan_from(two_pairs);
    struct schedule *schedule = schedule_new(plan);

    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    schedule_step_ended(schedule, 0, false);
    expect(schedule, SCHEDULE_ABORT, 0);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_group_aborted(schedule, 0);
    ck_assert_msg(!schedule_finished(schedule), "step b has not answered yet");
    schedule_step_ended(schedule, 1, false);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert(schedule_finished(schedule));
    ck_assert(!schedule_succeeded(schedule));
    ck_assert_int_eq(schedule_group_state(schedule, 1), GROUP_WAITING);
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_failed_commit_aborts_the_group)
{
    struct plan *plan = plan_from(two_pairs);
    struct schedule *schedule = schedule_new(plan);

    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    schedule_step_ended(schedule, 0, true);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_COMMIT, 0);
    schedule_group_committed(schedule, 0, false);
    expect(schedule, SCHEDULE_ABORT, 0);
    schedule_group_aborted(schedule, 0);
    ck_assert(schedule_finished(schedule));
    ck_assert(!schedule_succeeded(schedule));
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_step_waits_for_a_control_dependency_in_its_group)
{
    struct plan *plan = plan_from("{\"steps\": [{\"id\": \"a\", \"group\": 0},"
                                  "{\"id\": \"x\", \"group\": 0},"
                                  "{\"id\": \"w\", \"group\": 0, \"after\": [\"x\"]}],"
                                  "\"groups\": [{\"id\": 0, \"steps\": [\"a\", \"x\", \"w\"]}]}");
    struct schedule *schedule = schedule_new(plan);

    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_START_STEP, 2);
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_stop_lets_a_commit_finish)
{
    struct plan *plan = plan_from(two_pairs);
    struct schedule *schedule = schedule_new(plan);

    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    schedule_step_ended(schedule, 0, true);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_COMMIT, 0);
    schedule_stop(schedule);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert(!schedule_finished(schedule));
    schedule_group_committed(schedule, 0, true);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert(schedule_finished(schedule));
    ck_assert(!schedule_succeeded(schedule));
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

START_TEST(test_another_attempt_of_one_group)
{
    struct plan *plan = plan_from("{\"steps\": [{\"id\": \"a\", \"group\": 0}, {\"id\": \"b\", \"group\": 0},"
                                  "{\"id\": \"c\", \"group\": 1}], \"groups\": [{\"id\": 0}, {\"id\": 1}]}");
    struct schedule *schedule = schedule_new(plan);

    for (size_t i = 0; i < 3; i++)
        expect(schedule, SCHEDULE_START_STEP, i);
    schedule_step_ended(schedule, 0, true);
    schedule_retry_group(schedule, 0);
    expect(schedule, SCHEDULE_ABORT, 0);
    schedule_group_aborted(schedule, 0);
    expect(schedule, SCHEDULE_NOTHING, 0); /* b has not answered */
    schedule_step_ended(schedule, 1, false);
    expect(schedule, SCHEDULE_PAUSE, 0);
    expect(schedule, SCHEDULE_NOTHING, 0);
    ck_assert_int_eq(schedule_step_state(schedule, 2), STEP_REQUESTED);
    ck_assert(!schedule_is_stopping(schedule));
    schedule_step_ended(schedule, 2, true);
    expect(schedule, SCHEDULE_COMMIT, 1);
    schedule_group_committed(schedule, 1, true);
    ck_assert(!schedule_finished(schedule));
    schedule_resume_group(schedule, 0);
    schedule_set_ready(schedule, 0, false);
    expect(schedule, SCHEDULE_NOTHING, 0);
    schedule_set_ready(schedule, 0, true);
    expect(schedule, SCHEDULE_START_STEP, 0);
    expect(schedule, SCHEDULE_START_STEP, 1);
    schedule_step_ended(schedule, 0, true);
    schedule_step_ended(schedule, 1, true);
    expect(schedule, SCHEDULE_COMMIT, 0);
    schedule_group_committed(schedule, 0, true);
    ck_assert(schedule_succeeded(schedule));
    schedule_free(schedule);
    plan_free(plan);
}
END_TEST

/* Stopped when the group is about to be aborted, being aborted, or paused. */
START_TEST(test_a_stop_ends_all_attempts)
{
    for (int moment = 0; moment < 4; moment++) {
        struct plan *plan = plan_from(two_pairs);
        struct schedule *schedule = schedule_new(plan);

        expect(schedule, SCHEDULE_START_STEP, 0);
        expect(schedule, SCHEDULE_START_STEP, 1);
        schedule_retry_group(schedule, 0);
        schedule_step_ended(schedule, 0, false);
        schedule_step_ended(schedule, 1, false);
        if (moment == 0)
            schedule_stop(schedule);
        expect(schedule, SCHEDULE_ABORT, 0);
        if (moment == 1)
            schedule_stop(schedule);
        schedule_group_aborted(schedule, 0);
        if (moment == 2)
            schedule_stop(schedule);
        if (moment == 3) {
            expect(schedule, SCHEDULE_PAUSE, 0);
            schedule_stop(schedule);
        }
        expect(schedule, SCHEDULE_NOTHING, 0);
        ck_assert_int_eq(schedule_group_state(schedule, 0), GROUP_FAILED);
        schedule_resume_group(schedule, 0);
        expect(schedule, SCHEDULE_NOTHING, 0);
        ck_assert(schedule_finished(schedule));
        schedule_free(schedule);
        plan_free(plan);
    }
}
END_TEST

UNIT_MAIN("schedule", test_steps_at_a_time_are_bounded, test_connections_are_bounded, test_another_attempt_of_one_group, test_a_stop_ends_all_attempts,
          test_second_group_waits_for_the_first_commit,
          test_failure_aborts_and_starts_nothing_more, test_failed_commit_aborts_the_group,
          test_step_waits_for_a_control_dependency_in_its_group, test_stop_lets_a_commit_finish)
