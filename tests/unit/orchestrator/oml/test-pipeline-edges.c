/* Reading pipelines: parameters from everywhere, secrets, cycles, hostile files, and thousands of damaged ones. */
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "orchestrator/compile/compile.h"
#include "core/base/json-access.h"
#include "orchestrator/base/near-miss.h"
#include "orchestrator/oml/pipeline.h"

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.read\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"],"
    " \"configSchema\": {\"properties\": {\"a\": {}, \"b\": {}, \"api_key\": {}, \"pin\": {}, \"deep\": {}}},"
    " \"x-secret\": [\"/pin\", \"/deep/hidden\"]}},"
    "{\"name\": \"x.pass\", \"kind\": \"processor\", \"version\": \"1\", \"spec\": {\"modes\": [\"transform\"],"
    " \"configSchema\": {\"additionalProperties\": true, \"properties\": {\"a\": {}}}}},"
    "{\"name\": \"x.write\", \"aliases\": [\"long.x_write\"], \"kind\": \"writer\", \"version\": \"1\", \"spec\": {"
    "  \"modes\": [\"write\"], \"configSchema\": {\"properties\": {\"path\": {}, \"write_mode\": {}, \"primary_key\": {}}}}}"
    "]}]";

#define HEAD "oml_version: \"0.1.0\"\nname: p\nsteps:\n"
#define WRITE "- {id: w, component: x.write, mode: write, config: {path: o}}\n"

static struct registry *registry;
static char path[64];

static void setup(void)
{
    json_object *descriptions = json_tokener_parse(components);

    ck_assert_ptr_nonnull(descriptions);
    registry = registry_new_from_json(descriptions);
    json_object_put(descriptions);
    ck_assert_ptr_nonnull(registry);
    strcpy(path, "/tmp/osiris-pipeline-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    registry_free(registry);
    ck_assert_int_eq(unlink(path), 0);
}

static struct pipeline *load_bytes(const char *text, size_t length, const char *profile,
                                   const char *const *params, struct diagnostics *diagnostics)
{
    const struct pipeline_options options = {
        .path = path, .profile = profile, .params = params, .registry = registry};
    struct pipeline *pipeline = NULL;
    size_t errors = diagnostics->errors;
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    int result = pipeline_load(&options, diagnostics, &pipeline);
    ck_assert_int_eq(result < 0, diagnostics->errors > errors);
    ck_assert(result < 0 || pipeline != NULL);
    if (result == 0)
        return pipeline;
    /* What is broken is checked to its end, too. */
    const struct compile_options compile = {.pipeline = pipeline};
    struct compiled *compiled = NULL;
    ck_assert(pipeline == NULL || compile_pipeline(&compile, diagnostics, &compiled) < 0);
    pipeline_free(pipeline);
    return NULL;
}

static struct pipeline *load(const char *text, const char *profile, const char *const *params,
                             struct diagnostics *diagnostics)
{
    return load_bytes(text, strlen(text), profile, params, diagnostics);
}

static char *printed(const struct diagnostics *diagnostics)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_ptr_nonnull(stream);
    diagnostics_print(diagnostics, stream, false);
    fclose(stream);
    return text;
}

/* The pipeline is refused; each part is in the text of the diagnostics. NULL ends the parts. */
static void expect_errors(const char *text, const char *const *params, size_t errors,
                          const char *const *parts)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct pipeline *pipeline = load(text, NULL, params, &diagnostics);
    _cleanup_free_ char *said = printed(&diagnostics);

    pipeline_free(pipeline);
    ck_assert_msg(diagnostics.errors == errors, "%zu errors, not %zu: %s", diagnostics.errors, errors,
                  said);
    for (; *parts != NULL; parts++)
        ck_assert_msg(strstr(said, *parts) != NULL, "no \"%s\" in: %s", *parts, said);
}

#define PARTS(...) (const char *const[]){__VA_ARGS__, NULL}

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

/* Needs. */

#define PASS(id, rest) "- {id: " id ", component: x.pass, mode: transform" rest "}\n"

START_TEST(test_cycles_are_shown_as_paths)
{
    expect_errors(HEAD "- {id: r, component: x.read, mode: read}\n" PASS("a", ", needs: [r, c]")
                  PASS("b", ", needs: [a]") PASS("c", ", inputs: {df: '${b.df}'}") WRITE,
                  NULL, 1, PARTS(":5:58: error: the steps wait for each other in a cycle: a → b → c → a [cycle]"));
    expect_errors(HEAD PASS("a", ", needs: [a]"), NULL, 1,
                  PARTS(":4:55: error: the step \"a\" needs itself [cycle]"));
    /* Both of two, and the one that is there because needs are not. */
    expect_errors(HEAD PASS("a", ", needs: [b]") PASS("b", "") PASS("c", ", needs: [d]")
                  PASS("d", ", needs: [c, a]"),
                  NULL, 2,
                  PARTS("in a cycle: a → b → a", "in a cycle: c → d → c",
                        "hint: \"b\" has no needs, so it waits for the step before it; write needs: []"));
}
END_TEST

START_TEST(test_needs_and_inputs_are_joined)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_pipeline_ struct pipeline *pipeline =
        load(HEAD "- {id: r, component: x.read, mode: read}\n- {id: s, component: x.read, mode: read, needs: []}\n"
             "- {id: w, component: x.write, mode: write, needs: [r, r], inputs: {df: '${s.df}', e: '${r.df}'}}\n"
             "- {id: v, component: x.write, mode: write, needs: ~, inputs: ~}\n",
             NULL, NULL, &diagnostics);

    ck_assert_ptr_nonnull(pipeline);
    ck_assert_ptr_null(pipeline->steps[0].needs[0]);
    ck_assert_ptr_null(pipeline->steps[1].needs[0]);
    ck_assert_str_eq(pipeline->steps[2].needs[0], "r");
    ck_assert_str_eq(pipeline->steps[2].needs[1], "s");
    ck_assert_ptr_null(pipeline->steps[2].needs[2]);
    ck_assert_str_eq(pipeline->steps[3].needs[0], "w");
}
END_TEST

START_TEST(test_what_no_near_miss_is)
{
    static const char *const names[] = {"", "local", "locals", ""};
    const char *near[3];

    ck_assert_uint_eq(near_miss("local", names, 4, near, 3), 1);
    ck_assert_str_eq(near[0], "locals");
    ck_assert_uint_eq(near_miss("x", names, 1, near, 3), 0);
    ck_assert_uint_eq(near_miss("ab", names, 1, near, 3), 0);
    ck_assert_uint_eq(near_miss("", names, 4, near, 3), 0);
    ck_assert_ptr_null(near_miss_question("local", names, 2));
}
END_TEST

START_TEST(test_near_misses_of_ids)
{
    expect_errors(HEAD "- {id: extract-orders, component: x.read, mode: read}\n"
                  "- {id: w, component: x.write, mode: write, needs: [extract-order]}\n",
                  NULL, 1,
                  PARTS(":5:52: error: there is no step \"extract-order\" [unknown_dependency]",
                        "did you mean \"extract-orders\"?"));
}
END_TEST

/* Steps. */

START_TEST(test_everything_is_reported_in_one_go)
{
    expect_errors("oml_version: 0.1\nname: ''\nname: twice\ntasks: []\nparams: [x]\nsteps:\n"
                  "- {component: x.raed, mode: raed, retry: 1, cofnig: {}}\n"
                  "- {id: w, component: x.write, uses: x.write, mode: read, config: {pth: 1, write_mode: upsert, "
                  "primary_key: []}, with: {}, needs: [q]}\n"
                  "- word\n",
                  NULL, 17,
                  PARTS("[invalid_version_type]", "[empty_name]", ":3:1: error: the key \"name\" is duplicated",
                        "[forbidden_key]", "[invalid_type]", "[missing_step_field]", "[unknown_component]",
                        "[invalid_mode]", "[invalid_retry]", "[unknown_step_key]", "[incompatible_mode]",
                        "[unknown_config_key]", "[missing_required_field]", "[unknown_dependency]",
                        "[invalid_step_type]", "\"uses\" is an old name of \"component\", which is also set",
                        "\"with\" is an old name of \"config\", which is also set"));
}
END_TEST

START_TEST(test_empty_fields_and_bad_connections)
{
    expect_errors(HEAD "- {id: '', component: x.read, mode: read, config: {connection: 5}}\n"
                  "- {id: x, component: x.read, mode: read, config: {connection: '@a.b.c'}}\n"
                  "- {id: y, component: x.read, mode: read, config: {connection: '${params.q}'}}\n",
                  NULL, 4,
                  PARTS("the step's \"id\" is empty", "the connection must be a string",
                        "\"@a.b.c\" is not a reference to a connection", "\"q\" has no value"));
}
END_TEST

/* Hostile files. */

static void expect_fast(const struct buffer *text, const char *what, const char *type)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct timespec start, end;
    bool found = type == NULL;

    ck_assert(!text->failed);
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct pipeline *pipeline =
        load_bytes(text->data, text->length, NULL, NULL, &diagnostics);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_msg(end.tv_sec - start.tv_sec < 10, "%s took %ld s", what,
                  (long)(end.tv_sec - start.tv_sec));
    ck_assert_msg((pipeline != NULL) == (type == NULL), "%s", what);
    pipeline_free(pipeline);
    for (size_t i = 0; i < diagnostics.count; i++) {
        found |= type != NULL && strcmp(diagnostics.items[i].type, type) == 0;
        ck_assert(diagnostics.items[i].line_text == NULL ||
                  strlen(diagnostics.items[i].line_text) < 1000);
    }
    ck_assert_msg(found, "%s: no %s", what, type);
}

START_TEST(test_large_parameters_are_not_multiplied)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(YAML_MAXIMUM_BYTES);

    buffer_append_text(&text, "params: {big: \"");
    for (size_t i = 0; i < 1000000; i++)
        buffer_append_text(&text, "zzzz");
    buffer_append_text(&text, "\"}\n" HEAD "- {id: r, component: x.read, mode: read, config: {a: [");
    for (size_t i = 0; i < 2000; i++)
        buffer_append_text(&text, i % 2 ? "'${params.big}'," : "'x${params.big}',");
    buffer_append_text(&text, "]}}\n" WRITE);
    expect_fast(&text, "a parameter that is used often", "too_large");
}
END_TEST

START_TEST(test_many_problems_are_fast)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(YAML_MAXIMUM_BYTES);

    buffer_append_text(&text, HEAD "- {id: r, component: x.read, mode: read}\n" WRITE);
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_format(&text, "key%u: 1\n", i);
    expect_fast(&text, "unknown keys", NULL);
    buffer_reset(&text);
    buffer_append_text(&text, HEAD "- {id: r, component: x.read, mode: read, config: {");
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_format(&text, "option%u: '${params.p%u}', ", i, i);
    buffer_append_text(&text, "}}\n" WRITE);
    expect_fast(&text, "parameters without a value on one line", "unresolved_parameter");
    buffer_reset(&text);
    buffer_append_text(&text, HEAD "- {id: r, component: x.read, mode: read, config: {");
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_format(&text, "option%u: 1, ", i);
    buffer_append_text(&text, "}}\n" WRITE);
    expect_fast(&text, "unknown options on one line", "unknown_config_key");
    buffer_reset(&text);
    buffer_append_text(&text, HEAD "- {id: r, component: x.read, mode: read, config: {a: {");
    for (unsigned i = 0; i < 100000; i++)
        buffer_append_format(&text, "token%u:\n  hunter2, ", i);
    buffer_append_text(&text, "}}}\n" WRITE);
    expect_fast(&text, "secrets", "inline_secret");
    buffer_reset(&text);
    buffer_append_text(&text, HEAD "- {id: r, component: x.read, mode: read, needs: [");
    for (unsigned i = 0; i < 200000; i++)
        buffer_append_format(&text, "step%u, ", i);
    buffer_append_text(&text, "]}\n");
    expect_fast(&text, "unknown needs", "unknown_dependency");
}
END_TEST

START_TEST(test_large_graphs_are_fast)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(YAML_MAXIMUM_BYTES);

    /* The longest chain, written backwards. */
    buffer_append_text(&text, HEAD);
    for (unsigned i = 0; i + 1 < PIPELINE_MAXIMUM_STEPS; i++)
        buffer_append_format(&text, "- {id: s%u, component: x.pass, mode: transform, needs: [s%u]}\n", i, i + 1);
    buffer_append_format(&text, "- {id: s%u, component: x.read, mode: read, needs: []}\n",
                         PIPELINE_MAXIMUM_STEPS - 1);
    expect_fast(&text, "chain", NULL);
    /* The same as a circle. */
    text.length = (size_t)(strrchr(text.data, '-') - text.data);
    buffer_append_format(&text, "- {id: s%u, component: x.pass, mode: transform, needs: [s0]}\n",
                         PIPELINE_MAXIMUM_STEPS - 1);
    expect_fast(&text, "circle", "cycle");
    buffer_append_text(&text, "- {id: one-more, component: x.pass, mode: transform}\n");
    expect_fast(&text, "too many steps", "too_large");
    buffer_reset(&text);
    buffer_append_text(&text, HEAD);
    for (unsigned i = 0; i < 250; i++) {
        buffer_append_format(&text, "- {id: s%u, component: x.pass, mode: transform, needs: [", i);
        for (unsigned j = 0; j < 250; j++)
            buffer_append_format(&text, "s%u, ", j);
        buffer_append_text(&text, "]}\n");
    }
    expect_fast(&text, "everything needs everything", "too_large");
}
END_TEST

/* Damaged files: whatever comes out, it is a pipeline or a diagnostic, and the sanitizers have nothing to say. */

static const char valid[] =
    "oml_version: \"0.1.0\"\nname: orders-to-csv\nparams:\n  since: {default: \"2026-01-01\"}\n  n: &n 5\n"
    "profiles:\n  prod: {params: {since: \"2020-01-01\"}}\nmetadata: &m {intent: \"nightly\", x: [1, 2.5, ~]}\n"
    "steps:\n  - id: extract-orders\n    component: x.read\n    mode: read\n    config:\n"
    "      connection: \"@x.shop\"\n      a: |\n        SELECT *\n        WHERE x >= '${params.since}'\n"
    "      b: {<<: *m, k: *n}\n"
    "  - id: pass\n    component: x.pass\n    mode: transform\n    needs: [extract-orders]\n"
    "  - id: write-orders\n    component: long.x_write\n    mode: write\n    needs: [pass]\n"
    "    inputs: { df: \"${pass.df}\" }\n    config: { path: 'out/${params.n}.csv', write_mode: append }\n";

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void damage(char *text, size_t *length, size_t capacity, uint32_t *state)
{
    static const char marks[] = "[]{}:,-&*!|>'\"%@`#?<~\n\t $\\\x80\xff\x01";
    size_t at = next_random(state) % *length;
    size_t size = 1 + next_random(state) % 12;

    switch (next_random(state) % 5) {
    case 0:
        text[at] = (char)next_random(state);
        break;
    case 1:
        text[at] = marks[next_random(state) % (sizeof marks - 1)];
        break;
    case 2: /* cut out */
        if (at + size < *length) {
            memmove(text + at, text + at + size, *length - at - size);
            *length -= size;
        }
        break;
    case 3: /* double, elsewhere */
        if (at + size < *length && *length + size < capacity) {
            char part[16];
            size_t to = next_random(state) % *length;
            memcpy(part, text + at, size);
            memmove(text + to + size, text + to, *length - to);
            memcpy(text + to, part, size);
            *length += size;
        }
        break;
    default: /* cut off */
        if (next_random(state) % 8 == 0)
            *length = at + 1;
    }
}

START_TEST(test_damaged_pipelines)
{
    uint32_t state = 20260101;
    size_t read = 0, refused = 0;

    for (unsigned i = 0; i < 3000; i++) {
        _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
        char text[sizeof valid + 256];
        size_t length = sizeof valid - 1;
        memcpy(text, valid, length);
        for (unsigned j = i == 0 ? 0 : 1 + next_random(&state) % 6; j > 0; j--)
            damage(text, &length, sizeof text, &state);
        struct pipeline *pipeline =
            load_bytes(text, length, i % 3 == 0 ? "prod" : NULL, NULL, &diagnostics);
        free(printed(&diagnostics));
        json_object_put(diagnostics_to_json(&diagnostics));
        ck_assert_msg(i > 0 || pipeline != NULL, "the pipeline was refused as it is");
        *(pipeline == NULL ? &refused : &read) += 1;
        pipeline_free(pipeline);
    }
    /* Else it would not test much. */
    ck_assert_uint_gt(read, 100);
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

int main(void)
{
    Suite *suite = suite_create("pipeline-edges");
    TCase *tcase = tcase_create("pipeline-edges");
    const TTest *const list[] = {
        test_references_are_reported_where_they_are, test_other_references_are_left_alone,
        test_inputs_and_connections_take_parameters, test_profiles,
        test_unknown_and_bad_params_of_the_command_line, test_secrets_are_no_parameters,
        test_no_other_diagnostic_shows_a_secret, test_cycles_are_shown_as_paths,
        test_needs_and_inputs_are_joined, test_near_misses_of_ids, test_what_no_near_miss_is,
        test_everything_is_reported_in_one_go, test_empty_fields_and_bad_connections,
        test_large_parameters_are_not_multiplied, test_many_problems_are_fast,
        test_large_graphs_are_fast, test_damaged_pipelines};

    tcase_add_checked_fixture(tcase, setup, teardown);
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
