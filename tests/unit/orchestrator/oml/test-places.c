/* osiris.yaml (orchestrator/oml/places.h): options of places by their adapter's spec: types, secrets, lines of problems. */
#include "unit.h"
#include "unit-folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json-access.h"
#include "orchestrator/oml/places.h"

static void setup(void)
{
    enter();
    ck_assert_int_eq(setenv("NUMBER", "8080", 1), 0);
    ck_assert_int_eq(setenv("WORD", "on", 1), 0);
    ck_assert_int_eq(setenv("API_TOKEN", "4711471147", 1), 0);
    ck_assert_int_eq(unsetenv("UNSET"), 0);
}

#define OPTIONS                                                                                                          \
    "\"port\": {\"type\": \"integer\", \"maximum\": 65535, \"description\": \"the port\"}, \"text\": {\"type\": \"string\"}, " \
    "\"flag\": {\"type\": \"boolean\"}, \"either\": {\"type\": [\"integer\", \"null\"]}, \"any\": {}, "                    \
    "\"pin\": {\"type\": \"integer\"}, \"code\": {\"type\": \"string\"}, "                                             \
    "\"deep\": {\"type\": \"object\", \"required\": [\"a/b\"], \"properties\": {\"port\": {\"type\": \"integer\"}}}, "  \
    "\"list\": {\"type\": \"array\", \"items\": {\"type\": \"integer\"}}, "                                             \
    "\"map\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"integer\"}}"

/* What adapters of these names say of themselves. */
static const char *const specs[][2] = {
    {"open", "{\"configSchema\": {\"type\": \"object\", \"properties\": {" OPTIONS "}}, "
             "\"secrets\": [\"/pin\", \"/code\", \"/deep/a~1b\", \"/list/1\"]}"},
    {"closed", "{\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"name\"], "
               "\"properties\": {\"name\": {\"type\": \"string\"}, \"size\": {\"type\": \"integer\", \"default\": 5}}}}"},
    {"free", "{\"configSchema\": {\"type\": \"object\", \"additionalProperties\": true, \"properties\": {}}}"},
    {"silent", "{}"},
};

struct result {
    struct diagnostics diagnostics;
    json_object *places, *secrets, *specs;
    unsigned asked;
};

static bool is_used(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "unused") != 0;
}

static json_object *spec_of(void *context, const char *adapter)
{
    struct result *result = context;

    result->asked++;
    return json_member(result->specs, adapter);
}

static struct result *load(const char *text)
{
    struct result *result = calloc(1, sizeof *result);
    const struct places_request request = {NULL, is_used, spec_of, result};
    FILE *file = fopen("osiris.yaml", "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "adapters:\n  it: %s\n", text);
    fclose(file);
    result->secrets = json_object_new_array();
    result->specs = json_object_new_object();
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        json_object *spec = json_tokener_parse(specs[i][1]);
        ck_assert_ptr_nonnull(spec);
        json_object_object_add(result->specs, specs[i][0], spec);
    }
    result->places = places_load(&request, result->secrets, &result->diagnostics);
    return result;
}

static void clear(struct result *result)
{
    diagnostics_clear(&result->diagnostics);
    json_object_put(result->places);
    json_object_put(result->secrets);
    json_object_put(result->specs);
    free(result);
}

static void expect_options(const char *text, const char *expected)
{
    struct result *result = load(text);
    json_object *wanted = json_tokener_parse(expected);

    ck_assert_msg(result->places != NULL, "%s: %s", text, result->diagnostics.count > 0 ? result->diagnostics.items[0].message : "?");
    json_object *options = json_member(json_member(result->places, "it"), "options");
    ck_assert_msg(json_object_equal(options, wanted), "%s gives %s", text, json_object_to_json_string(options));
    json_object_put(wanted);
    clear(result);
}

/* One of that severity, at that column of the second line. */
static void expect_problem(const char *text, enum diagnostic_severity severity, unsigned column, const char *message, const char *hint)
{
    struct result *result = load(text);

    size_t count = severity == DIAGNOSTIC_ERROR ? result->diagnostics.errors : result->diagnostics.warnings, at = 0;
    ck_assert_msg(count == 1, "%s: %zu problems", text, count);
    while (result->diagnostics.items[at].severity != severity)
        at++;
    const struct diagnostic *found = &result->diagnostics.items[at];
    ck_assert_str_eq(found->message, message);
    ck_assert_str_eq(found->hint == NULL ? "" : found->hint, hint);
    ck_assert_str_eq(found->location, "adapters.it");
    ck_assert_uint_eq(found->line, 2);
    ck_assert_uint_eq(found->column, column);
    ck_assert_ptr_null(found->line_text);
    ck_assert_int_eq(found->severity, severity);
    ck_assert(severity == DIAGNOSTIC_ERROR ? result->places == NULL : result->places != NULL);
    clear(result);
}

START_TEST(test_one_variable_takes_the_type_of_its_option)
{
    expect_options("\n    adapter: open\n    port: \"${NUMBER}\"\n    text: ${NUMBER}\n    flag: '${WORD}'\n    any: \"${NUMBER}\"\n",
                   "{\"port\": 8080, \"text\": \"8080\", \"flag\": true, \"any\": \"8080\"}");
    expect_options("\n    adapter: open\n    port: '${UNSET:-17}'\n    either: '${NUMBER}'\n    any: ${NUMBER}\n    text: ${WORD}\n",
                   "{\"port\": 17, \"either\": 8080, \"any\": 8080, \"text\": \"on\"}");
    expect_options("{adapter: open, deep: {port: '${NUMBER}', other: '${NUMBER}', a/b: x}, list: ['${NUMBER}'], map: {x: '${NUMBER}'}}",
                   "{\"deep\": {\"port\": 8080, \"other\": \"8080\", \"a/b\": \"x\"}, \"list\": [8080], \"map\": {\"x\": 8080}}");
    expect_options("\n    adapter: silent\n    port: '${NUMBER}'\n    more: ${NUMBER}\n", "{\"port\": \"8080\", \"more\": 8080}");
    expect_options("{adapter: unknown, port: '${NUMBER}', 1: 2}", "{\"port\": \"8080\", \"1\": 2}");
}
END_TEST

START_TEST(test_secrets_by_the_spec)
{
    static const char *const secret[] = {"1234", "0x10", "in-there", "77"};
    struct result *result = load("{adapter: open, pin: 1234, code: 0x10, deep: {a/b: in-there, port: 5}, list: [66, 77]}");

    ck_assert_ptr_nonnull(result->places);
    ck_assert_uint_eq(json_array_count(result->secrets), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(result->secrets, i)), secret[i]);
    /* All of them stand there as they are. */
    ck_assert_uint_eq(result->diagnostics.warnings, 4);
    clear(result);
    /* A secret is text, unless it cannot be. */
    expect_options("\n    adapter: open\n    pin: '${NUMBER}'\n    code: ${NUMBER}\n", "{\"pin\": 8080, \"code\": \"8080\"}");
}
END_TEST

START_TEST(test_problems_have_the_line_of_the_option)
{
    expect_problem("{adapter: open, port: 70000}", DIAGNOSTIC_ERROR, 29, "\"port\" must be at most 65535, is 70000", "the port");
    expect_problem("{adapter: open, list: [1, x]}", DIAGNOSTIC_ERROR, 33, "\"list/1\" is not valid for the adapter; its value is secret "
                   "and not shown", "");
    expect_problem("{adapter: open, list: [x]}", DIAGNOSTIC_ERROR, 30, "\"list/0\" must be of type integer, is a string: \"x\"", "");
    expect_problem("{adapter: open, deep: {port: 1}}", DIAGNOSTIC_ERROR, 29, "\"deep\" needs \"a/b\"", "");
    expect_problem("{adapter: open, port: '${API_TOKEN}'}", DIAGNOSTIC_ERROR, 29, "\"port\" must be at most 65535", "the port");
    expect_problem("{adapter: open, prot: 1}", DIAGNOSTIC_WARNING, 23, "the adapter \"open\" has no option \"prot\"",
                   "did you mean \"port\"?");
}
END_TEST

START_TEST(test_what_is_missing)
{
    expect_problem("{adapter: closed, size: 1}", DIAGNOSTIC_ERROR, 3, "the adapter \"closed\" needs \"name\"", "");
    /* It may be meant. */
    expect_problem("{adapter: closed, nmae: x}", DIAGNOSTIC_ERROR, 25, "the adapter \"closed\" has no option \"nmae\"",
                   "did you mean \"name\"?");
    struct result *result = load("{adapter: closed, name: '${UNSET}', size: x}");
    ck_assert_uint_eq(result->diagnostics.count, 2);
    ck_assert_str_eq(result->diagnostics.items[0].message, "the environment variable UNSET is not set");
    ck_assert_str_eq(result->diagnostics.items[1].message, "\"size\" must be of type integer, is a string: \"x\"");
    clear(result);
    expect_options("{adapter: closed, name: x}", "{\"name\": \"x\"}");
    expect_options("{adapter: free, whatever: [1]}", "{\"whatever\": [1]}");
}
END_TEST

START_TEST(test_places_that_are_not_used)
{
    struct result *result = load("{adapter: free}\n  unused: {adapter: closed, nmae: '${UNSET}'}");

    ck_assert_ptr_nonnull(result->places);
    ck_assert_uint_eq(result->diagnostics.count, 0);
    ck_assert_uint_eq(result->asked, 1);
    ck_assert_ptr_null(json_member(json_member(result->places, "unused"), "options"));
    clear(result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, leave);
    tcase_add_test(tcase, test_one_variable_takes_the_type_of_its_option);
    tcase_add_test(tcase, test_secrets_by_the_spec);
    tcase_add_test(tcase, test_problems_have_the_line_of_the_option);
    tcase_add_test(tcase, test_what_is_missing);
    tcase_add_test(tcase, test_places_that_are_not_used);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
