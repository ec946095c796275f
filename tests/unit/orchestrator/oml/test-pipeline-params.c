/* Reading pipelines: parameters from everywhere, profiles, and secrets. */
#include <string.h>

#include "core/base/json-access.h"
#include "unit/orchestrator/oml/pipeline-fixture.h"
#include "unit.h"

/* Parameters. */

static const struct {
    const char *declaration; /* of p; NULL: none */
    const char *environment; /* OSIRIS_PARAM_P */
    const char *given;       /* --param */
    const char *value;       /* JSON of [whole, inside a text]; NULL: refused */
} parameters[] = {
    {"1", NULL, NULL, "[1,\"<1>\"]"},
    {"{default: 1.50}", NULL, NULL, "[1.50,\"<1.50>\"]"},
    {"text", NULL, NULL, "[\"text\",\"<text>\"]"},
    {"true", NULL, NULL, "[true,\"<true>\"]"},
    {"~", NULL, NULL, "[null,\"<>\"]"},
    {"[1, a]", NULL, NULL, "[[1,\"a\"],\"<[ 1, \\\"a\\\" ]>\"]"},
    {"{default: {k: v}}", NULL, NULL, "[{\"k\":\"v\"},\"<{ \\\"k\\\": \\\"v\\\" }>\"]"},
    {"'12'", "7", NULL, "[\"7\",\"<7>\"]"},
    {"12", "7", NULL, "[7,\"<7>\"]"},
    {"12", "7", "p=8", "[8,\"<8>\"]"},
    {"12", "seven", NULL, NULL},
    {"12", NULL, "p=1.5", NULL},
    {"12", NULL, "p=", NULL},
    {"1.5", NULL, "p=2", "[2,\"<2>\"]"},
    {"true", NULL, "p=no", "[false,\"<false>\"]"},
    {"true", NULL, "p=maybe", NULL},
    {"[1]", NULL, "p=[2, 3]", "[[2,3],\"<[ 2, 3 ]>\"]"},
    {"[1]", NULL, "p=2", NULL},
    {"~", NULL, "p=2", "[2,\"<2>\"]"},
    {"{type: string}", NULL, "p=2", "[2,\"<2>\"]"},
    {"{type: string}", NULL, NULL, NULL},
    {"x", NULL, "p=", "[\"\",\"<>\"]"},
    {"x", NULL, "p=a=b", "[\"a=b\",\"<a=b>\"]"},
    {"x", NULL, "p=${params.p}", "[\"${params.p}\",\"<${params.p}>\"]"},
    {NULL, "9", NULL, "[9,\"<9>\"]"},
    {NULL, "9", "p=8", "[8,\"<8>\"]"},
    {NULL, NULL, NULL, NULL},
    {"'${params.q}'", NULL, NULL, NULL},
    {"[a, {b: 'x${params.q}'}]", NULL, NULL, NULL},
};

START_TEST(test_parameters)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    const char *const given[] = {parameters[_i].given, NULL};
    char text[1024] = "";

    if (parameters[_i].declaration != NULL)
        snprintf(text, sizeof text, "params: {p: %s}\n", parameters[_i].declaration);
    strcat(text, HEAD "- id: r\n  component: x.read\n  mode: read\n"
                      "  config: {a: '${params.p}', b: '<${params.p}>'}\n" WRITE);
    unsetenv("OSIRIS_PARAM_P");
    if (parameters[_i].environment != NULL)
        setenv("OSIRIS_PARAM_P", parameters[_i].environment, 1);
    _cleanup_pipeline_ struct pipeline *pipeline = load(text, NULL, given, &diagnostics);
    unsetenv("OSIRIS_PARAM_P");
    if (parameters[_i].value == NULL) {
        ck_assert_msg(pipeline == NULL, "case %d was read", _i);
        return;
    }
    if (pipeline == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(pipeline);
    _cleanup_json_ json_object *values = json_object_new_array();
    json_object_array_add(values, json_object_get(json_member(pipeline->steps[0].config, "a")));
    json_object_array_add(values, json_object_get(json_member(pipeline->steps[0].config, "b")));
    ck_assert_str_eq(json_object_to_json_string_ext(values, JSON_C_TO_STRING_PLAIN),
                     parameters[_i].value);
}
END_TEST

START_TEST(test_references_are_reported_where_they_are)
{
    expect_errors("params: {since: x}\n" HEAD "- id: r\n  component: x.read\n  mode: read\n  config:\n"
                  "    a: |\n      SELECT *\n      FROM ${params.tabel} WHERE ${params.sinse}\n"
                  "    b: [1, {c: \"${params.open\"}]\n" WRITE,
                  NULL, 3,
                  PARTS(":11:12: error: the parameter \"tabel\" has no value",
                        ":11:34: error: the parameter \"sinse\" has no value [unresolved_parameter]",
                        "did you mean \"since\"?", ":12:16: error: a reference to a parameter is not closed"));
}
END_TEST

START_TEST(test_other_references_are_left_alone)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_pipeline_ struct pipeline *pipeline =
        load(HEAD "- {id: r, component: x.read, mode: read, config: {a: '${run_id}/${step_id}', b: $params.x}}\n" WRITE,
             NULL, NULL, &diagnostics);

    ck_assert_ptr_nonnull(pipeline);
    ck_assert_str_eq(json_member_string(pipeline->steps[0].config, "a", ""), "${run_id}/${step_id}");
    ck_assert_str_eq(json_member_string(pipeline->steps[0].config, "b", ""), "$params.x");
}
END_TEST

START_TEST(test_inputs_and_connections_take_parameters)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_pipeline_ struct pipeline *pipeline =
        load("params: {source: '${r.df}', alias: shop}\n" HEAD
             "- {id: r, component: x.read, mode: read, config: {connection: '@x.${params.alias}'}}\n"
             "- {id: s, component: x.read, mode: read, needs: []}\n"
             "- {id: w, component: long.x_write, mode: write, inputs: {df: '${params.source}'}}\n",
             NULL, NULL, &diagnostics);

    if (pipeline == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(pipeline);
    ck_assert_str_eq(pipeline->steps[0].connection, "@x.shop");
    ck_assert(!json_object_object_get_ex(pipeline->steps[0].config, "connection", NULL));
    ck_assert_uint_eq(pipeline->steps[2].input_count, 1);
    ck_assert_str_eq(pipeline->steps[2].inputs[0].from, "r");
    ck_assert_str_eq(pipeline->steps[2].needs[0], "r");
    ck_assert_ptr_null(pipeline->steps[2].needs[1]);
    ck_assert_str_eq(pipeline->steps[2].component->name, "x.write");
}
END_TEST

START_TEST(test_profiles)
{
    static const char text[] = "params: {p: 1}\nprofiles:\n  prod: {params: {p: 2}, parms: {p: 3}}\n"
                               "  empty:\n  text: word\n  list: {params: [p]}\n" HEAD
                               "- {id: r, component: x.read, mode: read}\n" WRITE;
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    ck_assert_ptr_null(load(text, "pord", NULL, &diagnostics));
    _cleanup_free_ char *said = printed(&diagnostics);
    ck_assert_uint_eq(diagnostics.errors, 3);
    ck_assert_uint_eq(diagnostics.warnings, 1);
    ck_assert_ptr_nonnull(strstr(said, ":3:26: warning: the profile \"prod\" has an unknown key \"parms\""));
    ck_assert_ptr_nonnull(strstr(said, ":5:9: error: the profile \"text\" must be a mapping"));
    ck_assert_ptr_nonnull(strstr(said, ":6:18: error: the params of the profile \"list\""));
    ck_assert_ptr_nonnull(strstr(said, "the pipeline has no profile \"pord\" [unknown_profile]"));
    ck_assert_ptr_nonnull(strstr(said, "did you mean \"prod\"?"));
}
END_TEST

START_TEST(test_unknown_and_bad_params_of_the_command_line)
{
    const char *const given[] = {"sinse=1", "novalue", "=x", "a b=c", NULL};

    expect_errors("params: {since: x}\n" HEAD "- {id: r, component: x.read, mode: read}\n" WRITE, given, 4,
                  PARTS("the pipeline has no parameter \"sinse\" [unknown_parameter]",
                        "did you mean \"since\"?", "\"novalue\" is not a valid parameter name",
                        "\"a b\" is not a valid parameter name"));
}
END_TEST

/* Secrets. */

static const struct {
    const char *text; /* of the config, or of the file's beginning */
    bool config;
    bool refused;
} secrets[] = {
    {"api_key: hunter2", true, true},
    {"api_key: '12345'", true, true},
    {"api_key: 1234567", true, true},
    {"api_key: 1234", true, false},
    {"api_key: ''", true, false},
    {"api_key: false", true, false},
    {"api_key: [~, False]", true, false},
    {"api_key: 'false'", true, true},
    {"api_key: '${API_KEY}'", true, false},
    {"api_key: '${X}hunter2'", true, true},
    {"api_key: [a, hunter2]", true, true},
    {"pin: hunter2", true, true},
    {"deep: {hidden: hunter2}", true, true},
    {"deep: {shown: harmless}", true, false},
    {"deep: [[[[[[[[[[[[{password: hunter2}]]]]]]]]]]]]", true, true},
    {"a: {primary_key: customer_id}", true, false},
    {"params: {db_password: hunter2}\n", false, true},
    {"params: {db_password: {default: hunter2}}\n", false, true},
    {"params: {db_password: {default: ''}}\n", false, false},
    {"profiles: {prod: {params: {token: hunter2}}}\n", false, true},
    {"a: &s hunter2\n", false, false},
};

START_TEST(test_secrets)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    char text[1024];

    snprintf(text, sizeof text, "%s" HEAD "- id: r\n  component: x.read\n  mode: read\n  config: {%s}\n%s",
             secrets[_i].config ? "" : secrets[_i].text, secrets[_i].config ? secrets[_i].text : "",
             WRITE);
    _cleanup_pipeline_ struct pipeline *pipeline = load(text, NULL, NULL, &diagnostics);
    _cleanup_free_ char *said = printed(&diagnostics);
    ck_assert_msg((pipeline == NULL) == secrets[_i].refused, "%s: %s", secrets[_i].text, said);
    if (!secrets[_i].refused)
        return;
    ck_assert_ptr_nonnull(strstr(said, "[inline_secret]"));
    ck_assert_msg(strstr(said, "hunter2") == NULL, "%s", said);
}
END_TEST

START_TEST(test_secrets_are_no_parameters)
{
    expect_errors("params: {x: ''}\n" HEAD
                  "- {id: r, component: x.read, mode: read, config: {api_key: '${params.x}'}}\n" WRITE,
                  NULL, 1, PARTS("a parameter's value is written to files, but \"api_key\" is a secret"));
}
END_TEST

START_TEST(test_no_other_diagnostic_shows_a_secret)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    /* The value ends in the line of another problem, or stands at an anchor in one. */
    ck_assert_ptr_null(load("odd: &s hunter2\n" HEAD
                            "- id: r\n  component: x.read\n  mode: read\n"
                            "  config: {a: 1, pin: 'first\n    hunter2', nope: 1, api_key: *s}\n" WRITE,
                            NULL, NULL, &diagnostics));
    _cleanup_free_ char *said = printed(&diagnostics);
    ck_assert_ptr_nonnull(strstr(said, "has no option \"nope\""));
    ck_assert_ptr_nonnull(strstr(said, "the key \"odd\" is unknown"));
    ck_assert_msg(strstr(said, "hunter2") == NULL, "%s", said);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

int main(void)
{
    Suite *suite = suite_create("pipeline-params");
    TCase *tcase = tcase_create("pipeline-params");
    const TTest *const list[] = {
        test_references_are_reported_where_they_are, test_other_references_are_left_alone,
        test_inputs_and_connections_take_parameters, test_profiles,
        test_unknown_and_bad_params_of_the_command_line, test_secrets_are_no_parameters,
        test_no_other_diagnostic_shows_a_secret};

    tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_parameters, 0, COUNT(parameters));
    tcase_add_loop_test(tcase, test_secrets, 0, COUNT(secrets));
    for (int i = 0; i < COUNT(list); i++)
        tcase_add_test(tcase, list[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
