/* Compiling (orchestrator/compile/compile.h): the plan to the letter, large graphs, canonical forms, secrets that only
 * specs know. */
#include "unit.h"
#include "unit-folder.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "orchestrator/base/canonical-json.h"
#include "orchestrator/compile/compile.h"
#include "core/base/json-access.h"
#include "orchestrator/oml/yaml.h"

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.read\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"],"
    "  \"configSchema\": {\"properties\": {\"a\": {\"type\": \"array\"}}}}},"
    "{\"name\": \"x.pass\", \"kind\": \"processor\", \"version\": \"1\", \"spec\": {\"modes\": [\"transform\"],"
    "  \"configSchema\": {\"properties\": {}}}},"
    "{\"name\": \"x.write\", \"kind\": \"writer\", \"version\": \"1\", \"spec\": {\"modes\": [\"write\"],"
    "  \"configSchema\": {\"properties\": {}}}},"
    "{\"name\": \"x.db\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"],"
    "  \"configSchema\": {\"required\": [\"opaque\"], \"properties\": {"
    "   \"opaque\": {\"type\": \"string\", \"maxLength\": 5}, \"plain\": {\"type\": \"string\", \"maxLength\": 5}}},"
    "  \"secrets\": [\"/opaque\"], \"x-connection-fields\": [{\"name\": \"opaque\"}, {\"name\": \"plain\"}]}}"
    "]}]";

#define HEAD "oml_version: \"0.1.0\"\nname: p\nsteps:\n"
#define WRITE "- {id: w, component: x.write, mode: write}\n"

static struct registry *registry;
static void setup(void)
{
    json_object *descriptions = json_tokener_parse(components);

    registry = registry_new_from_json(descriptions);
    json_object_put(descriptions);
    ck_assert_ptr_nonnull(registry);
    enter();
}

static void teardown(void)
{
    registry_free(registry);
    leave();
}

/* NULL if it does not compile. */
static struct compiled *compile(const char *text, struct diagnostics *diagnostics)
{
    const struct pipeline_options options = {.path = "p.yaml", .registry = registry};
    struct compiled *compiled = NULL;
    _cleanup_pipeline_ struct pipeline *pipeline = NULL;

    write_file("p.yaml", text);
    (void)pipeline_load(&options, diagnostics, &pipeline);
    if (pipeline == NULL)
        return NULL;
    const struct compile_options compile_options = {.pipeline = pipeline};
    return compile_pipeline(&compile_options, diagnostics, &compiled) < 0 ? NULL : compiled;
}

static struct compiled *compile_well(const char *text)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct compiled *compiled = compile(text, &diagnostics);

    if (compiled == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(compiled);
    return compiled;
}

START_TEST(test_the_plan_to_the_letter)
{
    _cleanup_compiled_ struct compiled *compiled =
        compile_well(HEAD "- {id: r, component: x.read, mode: read}\n" WRITE
                          "- {id: s, component: x.read, mode: read, needs: [w]}\n"
                          "- {id: v, component: x.write, mode: write, inputs: {rows: \"${s.df}\"}}\n");

    ck_assert_str_eq(
        json_object_to_json_string_ext(compiled->plan->json,
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"pipeline\":\"p\",\"steps\":["
        "{\"id\":\"r\",\"component\":\"x.read\",\"driver\":\"x.read\",\"kind\":\"extractor\","
        "\"cfg_path\":\"cfg/r.json\",\"needs\":[],\"inputs\":[],\"after\":[],\"group\":0,\"line\":4,\"column\":3},"
        "{\"id\":\"w\",\"component\":\"x.write\",\"driver\":\"x.write\",\"kind\":\"writer\","
        "\"cfg_path\":\"cfg/w.json\",\"needs\":[\"r\"],\"inputs\":[{\"name\":\"df\",\"from\":\"r\","
        "\"output\":\"df\",\"edge\":0}],\"after\":[],\"group\":0,\"line\":5,\"column\":3},"
        "{\"id\":\"s\",\"component\":\"x.read\",\"driver\":\"x.read\",\"kind\":\"extractor\","
        "\"cfg_path\":\"cfg/s.json\",\"needs\":[\"w\"],\"inputs\":[],\"after\":[\"w\"],\"group\":1,"
        "\"line\":6,\"column\":3},"
        "{\"id\":\"v\",\"component\":\"x.write\",\"driver\":\"x.write\",\"kind\":\"writer\","
        "\"cfg_path\":\"cfg/v.json\",\"needs\":[\"s\"],\"inputs\":[{\"name\":\"rows\",\"from\":\"s\","
        "\"output\":\"df\",\"edge\":1}],\"after\":[],\"group\":1,\"line\":7,\"column\":3}],"
        "\"edges\":[{\"id\":0,\"from\":\"r\",\"output\":\"df\",\"to\":\"w\",\"input\":\"df\",\"mode\":\"bounded\"},"
        "{\"id\":1,\"from\":\"s\",\"output\":\"df\",\"to\":\"v\",\"input\":\"rows\",\"mode\":\"bounded\"}],"
        "\"groups\":[{\"id\":0,\"steps\":[\"r\",\"w\"],\"after\":[]},"
        "{\"id\":1,\"steps\":[\"s\",\"v\"],\"after\":[0]}]}");
}
END_TEST

START_TEST(test_parallel_edges_are_elastic)
{
    _cleanup_compiled_ struct compiled *compiled = compile_well(
        HEAD "- {id: r, component: x.read, mode: read}\n"
             "- {id: w, component: x.write, mode: write, inputs: {a: \"${r.df}\", b: \"${r.df}\"}}\n");
    json_object *edges = json_member(compiled->plan->json, "edges");

    ck_assert_uint_eq(json_array_count(edges), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(json_member_string(json_object_array_get_idx(edges, i), "mode", ""),
                         "elastic");
}
END_TEST

START_TEST(test_names_of_inputs_from_any_id)
{
    _cleanup_compiled_ struct compiled *compiled =
        compile_well(HEAD "- {id: žlutý-1, component: x.read, mode: read}\n"
                          "- {id: b, component: x.read, mode: read, needs: []}\n"
                          "- {id: w, component: x.write, mode: write, needs: [žlutý-1, b]}\n");
    json_object *inputs = json_member(
        json_object_array_get_idx(json_member(compiled->plan->json, "steps"), 2), "inputs");

    /* A character is one underscore, however many bytes it has. */
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(inputs, 0), "name", ""),
                     "df__lut__1");
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(inputs, 1), "name", ""), "df_b");
}
END_TEST

START_TEST(test_two_inputs_of_one_name)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    ck_assert_ptr_null(compile(HEAD "- {id: a-b, component: x.read, mode: read}\n"
                                    "- {id: a.b, component: x.read, mode: read, needs: []}\n"
                                    "- {id: w, component: x.write, mode: write, needs: [a-b, a.b]}\n",
                               &diagnostics));
    ck_assert_str_eq(diagnostics.items[0].type, "duplicate_input");
    ck_assert_uint_eq(diagnostics.items[0].line, 6);
}
END_TEST

START_TEST(test_a_long_chain)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 20);

    buffer_append_text(&text, HEAD "- {id: s0, component: x.read, mode: read}\n");
    for (int i = 1; i < PIPELINE_MAXIMUM_STEPS - 1; i++)
        buffer_append_format(&text, "- {id: s%d, component: x.pass, mode: transform}\n", i);
    buffer_append_text(&text, WRITE);
    _cleanup_compiled_ struct compiled *compiled = compile_well(text.data);
    json_object *edges = json_member(compiled->plan->json, "edges");
    ck_assert_uint_eq(json_array_count(edges), PIPELINE_MAXIMUM_STEPS - 1);
    for (size_t i = 0; i < json_array_count(edges); i++)
        ck_assert_str_eq(json_member_string(json_object_array_get_idx(edges, i), "mode", ""),
                         "bounded");
    ck_assert_uint_eq(json_array_count(json_member(compiled->plan->json, "groups")), 1);
}
END_TEST

/* Many steps that each need all before them. */
START_TEST(test_a_dense_graph_compiles_in_time)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(8 << 20);
    struct timespec start, end;

    buffer_append_text(&text, HEAD "- {id: s0, component: x.read, mode: read}\n");
    for (int i = 1; i < 200; i++) {
        buffer_append_format(&text, "- {id: s%d, component: x.pass, mode: transform, needs: [s0", i);
        for (int j = 1; j < i; j++)
            buffer_append_format(&text, ", s%d", j);
        buffer_append_text(&text, "]}\n");
    }
    buffer_append_text(&text, WRITE);
    clock_gettime(CLOCK_MONOTONIC, &start);
    compiled_free(compile_well(text.data));
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_lt(end.tv_sec - start.tv_sec, 20);
}
END_TEST

/* The spec alone says that "opaque" is secret; its value fits no schema, and is yet in no message. */
START_TEST(test_secrets_that_only_the_spec_knows)
{
    static const char *const fields[] = {"opaque: \"${T_OPAQUE}\"", "opaque: {v: \"${T_OPAQUE}\"}",
                                         "opaque: [\"${T_OPAQUE}\"]"};

    setenv("T_OPAQUE", "hunter2-hunter2", 1);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
        char text[300];
        snprintf(text, sizeof text, "connections: {x: {default: {plain: longer-than-five, %s}}}\n",
                 fields[i]);
        write_file("osiris_connections.yaml", text);
        ck_assert_ptr_null(
            compile(HEAD "- {id: d, component: x.db, mode: read}\n" WRITE, &diagnostics));
        ck_assert_uint_eq(diagnostics.errors, 2);
        bool shown_plain = false, told = false;
        for (size_t j = 0; j < diagnostics.count; j++) {
            const struct diagnostic *item = &diagnostics.items[j];
            ck_assert_msg(strstr(item->message, "hunter2") == NULL, "%s", item->message);
            shown_plain |= strstr(item->message, "longer-than-five") != NULL;
            told |= strstr(item->message, "\"opaque\" is not valid for the component") != NULL;
        }
        ck_assert(shown_plain && told);
    }
}
END_TEST

START_TEST(test_a_field_with_the_value_of_a_secret)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    setenv("T_OPAQUE", "hunter2-hunter2", 1);
    write_file("osiris_connections.yaml",
               "connections: {x: {default: {plain: \"${T_OPAQUE}\", password: \"${T_OPAQUE}\"}}}\n");
    ck_assert_ptr_null(
        compile(HEAD "- {id: d, component: x.db, mode: read}\n" WRITE, &diagnostics));
    bool told = false;
    for (size_t i = 0; i < diagnostics.count; i++) {
        ck_assert_msg(strstr(diagnostics.items[i].message, "hunter2") == NULL, "%s",
                      diagnostics.items[i].message);
        told |= strstr(diagnostics.items[i].message, "\"plain\"") != NULL;
    }
    ck_assert_msg(told, "%s", diagnostics.count > 0 ? diagnostics.items[0].message : "none");
}
END_TEST

/* Canonical forms. */

static char *nested_config(unsigned levels)
{
    char *text = NULL;

    ck_assert_int_gt(asprintf(&text, HEAD "- id: r\n  component: x.read\n  mode: read\n  config: {a: %.*s%.*s}\n" WRITE,
                              (int)levels, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                              (int)levels, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), 0);
    return text;
}

START_TEST(test_what_no_message_can_hold_does_not_compile)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_free_ char *highest = nested_config(COMPILE_MAXIMUM_HEIGHT - 1);
    _cleanup_free_ char *higher = nested_config(COMPILE_MAXIMUM_HEIGHT);

    compiled_free(compile_well(highest));
    ck_assert_ptr_null(compile(higher, &diagnostics));
    ck_assert_uint_eq(diagnostics.errors, 1);
    ck_assert_str_eq(diagnostics.items[0].type, "too_deep");
}
END_TEST

START_TEST(test_canonical_json_is_one_form)
{
    static const char *const same[][2] = {
        {"{\"b\": 1, \"a\": [1, {\"d\": null, \"c\": true}]}", "{\"a\":[1,{\"c\":true,\"d\":null}],\"b\":1}"},
        {"{\"a\":[1,{\"c\":true,\"d\":null}],\"b\":1}", "{\"a\":[1,{\"c\":true,\"d\":null}],\"b\":1}"},
        {"{\"\": \"/\\u00e9\\n\", \"B\": 1.50, \"a\": {}}", "{\"\":\"/é\\n\",\"B\":1.50,\"a\":{}}"},
    };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        _cleanup_json_ json_object *value = json_tokener_parse(same[i][0]);
        _cleanup_buffer_ struct buffer text = BUFFER_INIT(1000);
        ck_assert_int_eq(canonical_json(value, &text), 0);
        ck_assert_str_eq(text.data, same[i][1]);
    }
}
END_TEST

static json_object *random_text(unsigned *seed)
{
    static const char *const parts[] = {
        "a", "Z", "0", " ", ":", "#", "- ", "'", "\"", "\\", "\n", "\t", "\r", "é", "日", "~", "null", "yes", ".",
        "1", "e", "[", "{", "&", "*", "!", "%", "@", "`", ",", "?", "|", ">", "\xc2\x85", "\xe2\x80\xa8",
        "\xef\xbb\xbf", "\x7f", "\x1b", "\xf0\x9f\x98\x80"};
    char text[64] = "";

    for (int count = rand_r(seed) % 6; count > 0; count--)
        strcat(text, parts[(size_t)rand_r(seed) % (sizeof parts / sizeof parts[0])]);
    return json_object_new_string(text);
}

static json_object *random_value(unsigned *seed, unsigned depth)
{
    json_object *value;

    switch (rand_r(seed) % (depth < 4 ? 8 : 5)) {
    case 0:
        return NULL;
    case 1:
        return json_object_new_boolean(rand_r(seed) % 2);
    case 2:
        return json_object_new_int64((int64_t)rand_r(seed) * (rand_r(seed) % 2 ? 1 : -4000000000));
    case 3:
        return json_object_new_double((double)rand_r(seed) / 1000);
    case 4:
        return random_text(seed);
    case 5:
        value = json_object_new_array();
        for (int count = rand_r(seed) % 5; count > 0; count--)
            json_object_array_add(value, random_value(seed, depth + 1));
        return value;
    default:
        value = json_object_new_object();
        for (int count = rand_r(seed) % 5; count > 0; count--) {
            _cleanup_json_ json_object *key = random_text(seed);
            json_object_object_add(value, json_object_get_string(key), random_value(seed, depth + 1));
        }
        return value;
    }
}

START_TEST(test_canonical_yaml_reads_back)
{
    unsigned seed = 815;

    for (int round = 0; round < 1500; round++) {
        _cleanup_json_ json_object *value = json_object_new_object();
        _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 20);
        _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
        json_object_object_add(value, "value", random_value(&seed, 0));
        ck_assert_int_eq(canonical_yaml(value, &text), 0);
        write_file("v.yaml", text.data);
        _cleanup_yaml_ struct yaml_document *document = yaml_load("v.yaml", &diagnostics);
        ck_assert_msg(document != NULL && diagnostics.errors == 0, "%s\n%s", text.data,
                      diagnostics.count > 0 ? diagnostics.items[0].message : "");
        _cleanup_json_ json_object *back = yaml_to_json(yaml_root(document));
        ck_assert_msg(json_object_equal(value, back), "%s\n%s", text.data,
                      json_object_to_json_string(back));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compile");
    TCase *tcase = tcase_create("compile");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_the_plan_to_the_letter);
    tcase_add_test(tcase, test_parallel_edges_are_elastic);
    tcase_add_test(tcase, test_names_of_inputs_from_any_id);
    tcase_add_test(tcase, test_two_inputs_of_one_name);
    tcase_add_test(tcase, test_a_long_chain);
    tcase_add_test(tcase, test_a_dense_graph_compiles_in_time);
    tcase_add_test(tcase, test_secrets_that_only_the_spec_knows);
    tcase_add_test(tcase, test_a_field_with_the_value_of_a_secret);
    tcase_add_test(tcase, test_what_no_message_can_hold_does_not_compile);
    tcase_add_test(tcase, test_canonical_json_is_one_form);
    tcase_add_test(tcase, test_canonical_yaml_reads_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
