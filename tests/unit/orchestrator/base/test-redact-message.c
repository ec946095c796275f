/* What messages say for others is masked, what both sides go by is kept (orchestrator/base/redact-message.h). */
#include "unit.h"

#include "orchestrator/base/redact-message.h"

static void expect_message(struct redactor *redactor, const char *text, const char *expected)
{
    json_object *message = json_tokener_parse(text);
    json_object *copy = redactor_message(redactor, message);

    ck_assert_ptr_nonnull(message);
    ck_assert_str_eq(json_object_to_json_string_ext(copy, JSON_C_TO_STRING_PLAIN), expected);
    json_object_put(copy);
    json_object_put(message);
}

START_TEST(test_messages)
{
    static const char *const words[] = {"success", "mysql", "data", "message", "extract"};
    struct redactor *redactor = redactor_new();

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_int_eq(redactor_add(redactor, words[i]), 0);

    expect_message(redactor,
                   "{\"id\": \"req_1\", \"result\": {\"status\": \"success\", \"other\": \"mysql 8\","
                   "\"result\": {\"message\": \"a success\"}, \"metrics\": {\"rows_read\": 1}}}",
                   "{\"id\":\"req_1\",\"result\":{\"status\":\"success\",\"other\":\"" REDACT_MASK " 8\","
                   "\"result\":{\"message\":\"a " REDACT_MASK "\"},\"metrics\":{\"rows_read\":1}}}");
    expect_message(redactor,
                   "{\"type\": \"event\", \"data\": {\"step_id\": \"extract\", \"event\": \"mysql\","
                   "\"status\": \"success\", \"mysql\": [\"a success\"], \"ts\": \"now\"}}",
                   "{\"type\":\"event\",\"data\":{\"step_id\":\"extract\",\"event\":\"" REDACT_MASK "\","
                   "\"status\":\"" REDACT_MASK "\",\"" REDACT_MASK "\":[\"a " REDACT_MASK "\"],\"ts\":\"now\"}}");
    expect_message(redactor,
                   "{\"type\": \"metric\", \"data\": {\"metric\": \"mysql\", \"value\": 1, \"tags\": {\"step\": \"extract\","
                   "\"x\": \"mysql\"}}}",
                   "{\"type\":\"metric\",\"data\":{\"metric\":\"" REDACT_MASK "\",\"value\":1,\"tags\":{\"step\":\"extract\","
                   "\"x\":\"" REDACT_MASK "\"}}}");
    expect_message(redactor,
                   "{\"id\": \"req_1\", \"error\": {\"category\": \"data\", \"message\": \"in mysql\","
                   "\"component\": \"mysql.extractor\", \"type\": \"X\"}}",
                   "{\"id\":\"req_1\",\"error\":{\"category\":\"data\",\"message\":\"in " REDACT_MASK "\","
                   "\"component\":\"mysql.extractor\",\"type\":\"X\"}}");
    expect_message(redactor,
                   "{\"id\": \"req_1\", \"method\": \"execute_step\", \"params\": {\"step_id\": \"extract\","
                   "\"token\": \"x\", \"config\": {\"mysql\": \"mysql\"}}}",
                   "{\"id\":\"req_1\",\"method\":\"execute_step\",\"params\":{\"step_id\":\"extract\","
                   "\"token\":\"" REDACT_MASK "\",\"config\":{\"mysql\":\"" REDACT_MASK "\"}}}");
    redactor_free(redactor);
}
END_TEST

UNIT_MAIN("redact-message", test_messages)
