/* Reading a plan (orchestrator/compile/plan.h). */
#include "unit.h"

#include <json-c/json.h>

#include "orchestrator/compile/plan.h"

START_TEST(test_names_become_indices)
{
    json_object *json = json_tokener_parse(
        "{\"steps\": [{\"id\": \"a\", \"group\": 7, \"kind\": \"extractor\", \"driver\": \"x.extractor\", \"timeout_ms\": 5,"
        "\"connections\": {\"of\": \"@x.y\", \"count\": 2, \"max\": 5}},"
        "{\"id\": \"b\", \"group\": 7, \"kind\": \"writer\", \"place\": \"far\", \"atomic\": false,"
        "\"inputs\": [{\"name\": \"df\", \"from\": \"a\", \"edge\": 0}]},"
        "{\"id\": \"c\", \"group\": 9, \"after\": [\"b\"]}],"
        "\"edges\": [{\"id\": 0, \"from\": \"a\", \"to\": \"b\"}],"
        "\"groups\": [{\"id\": 7}, {\"id\": 9, \"after\": [7]}]}");
    _cleanup_plan_ struct plan *plan = plan_read(json, NULL);

    json_object_put(json);
    ck_assert_ptr_nonnull(plan);
    ck_assert_uint_eq(plan->step_count, 3);
    ck_assert_int_eq(plan->steps[0].kind, PLAN_EXTRACTOR);
    ck_assert_str_eq(plan->steps[0].driver, "x.extractor");
    ck_assert_str_eq(plan->steps[0].place, "default");
    ck_assert_int_eq(plan->steps[0].timeout_ms, 5);
    ck_assert(plan->steps[0].atomic);
    ck_assert_str_eq(plan->steps[0].connection, "@x.y");
    ck_assert_int_eq(plan->steps[0].connection_count, 2);
    ck_assert_int_eq(plan->steps[0].connection_maximum, 5);
    ck_assert_int_eq(plan->steps[1].kind, PLAN_WRITER);
    ck_assert_str_eq(plan->steps[1].place, "far");
    ck_assert(!plan->steps[1].atomic);
    ck_assert_ptr_null(plan->steps[1].connection);
    ck_assert_uint_eq(plan->steps[1].input_count, 1);
    ck_assert_str_eq(plan->steps[1].inputs[0].from, "a");
    ck_assert_uint_eq(plan->steps[1].inputs[0].edge, 0);
    ck_assert_uint_eq(plan->steps[2].after_count, 1);
    ck_assert_uint_eq(plan->steps[2].after[0], 1);
    ck_assert_uint_eq(plan->edges[0].from, 0);
    ck_assert_uint_eq(plan->edges[0].to, 1);
    ck_assert_uint_eq(plan->groups[0].step_count, 2);
    ck_assert_uint_eq(plan->groups[1].steps[0], 2);
    ck_assert_uint_eq(plan->groups[1].after[0], 0);
    ck_assert_uint_eq(plan_find_step(plan, "c"), 2);
    ck_assert_uint_eq(plan_find_step(plan, "d"), PLAN_NONE);
    ck_assert_uint_eq(plan_find_step(plan, NULL), PLAN_NONE);
}
END_TEST

START_TEST(test_malformed_plans_are_refused)
{
    static const char *const bad[] = {
        "{\"steps\": [{\"group\": 0}], \"groups\": [{\"id\": 0}]}",
        "{\"steps\": [{\"id\": \"a\", \"group\": 7}], \"groups\": [{\"id\": 0}]}",
        "{\"steps\": [{\"id\": \"a\", \"group\": 0, \"after\": [\"z\"]}], \"groups\": [{\"id\": 0}]}",
        "{\"steps\": [], \"groups\": [{\"id\": 0, \"after\": [3]}]}",
        "{\"steps\": [], \"groups\": [], \"edges\": [{\"from\": \"a\", \"to\": \"b\"}]}",
        "{\"steps\": [{\"id\": \"a\", \"group\": 0, \"inputs\": [{\"edge\": 0}]}], \"groups\": [{\"id\": 0}]}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_object *json = json_tokener_parse(bad[i]);
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        ck_assert_ptr_null(plan_read(json, &error));
        ck_assert_int_eq(error.category, OSIRIS_ERROR_INTERNAL);
        ck_assert_ptr_nonnull(strstr(error.message, "the plan is malformed: "));
        json_object_put(json);
    }
}
END_TEST

UNIT_MAIN("plan", test_names_become_indices, test_malformed_plans_are_refused)
