/* Reading pipelines: cycles, near misses, hostile files, and thousands of damaged ones. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "core/base/buffer.h"
#include "orchestrator/base/near-miss.h"
#include "unit/orchestrator/oml/pipeline-fixture.h"
#include "unit.h"

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

START_TEST(test_what_is_not_a_near_miss)
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

START_TEST(test_all_problems_are_reported_together)
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
        test_cycles_are_shown_as_paths, test_needs_and_inputs_are_joined, test_near_misses_of_ids,
        test_what_is_not_a_near_miss, test_all_problems_are_reported_together,
        test_empty_fields_and_bad_connections, test_large_parameters_are_not_multiplied,
        test_many_problems_are_fast, test_large_graphs_are_fast, test_damaged_pipelines};

    tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
    tcase_set_timeout(tcase, 120);
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
