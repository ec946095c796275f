/* YAML files: what is refused and how fast, positions, typing, aliases and merges. */
#include "unit.h"
#include "unit-folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/oml/yaml.h"

#define FILE_NAME "file.yaml"

static void write_bytes(const char *bytes, size_t length)
{
    FILE *file = fopen(FILE_NAME, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

/* Loads a text that must be fine. */
static struct yaml_document *load(const char *text)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    write_bytes(text, strlen(text));
    struct yaml_document *document = yaml_load(FILE_NAME, &diagnostics);
    if (diagnostics.count > 0)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_uint_eq(diagnostics.count, 0);
    ck_assert_ptr_nonnull(document);
    return document;
}

static void expect_json(const char *text, const char *json)
{
    _cleanup_yaml_ struct yaml_document *document = load(text);
    _cleanup_json_ json_object *value = yaml_to_json(yaml_root(document));

    ck_assert_str_eq(json_object_to_json_string_ext(
                         value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     json);
}

/* The file must be refused with one error. Positions that are 0 are not checked. */
static void expect_refusal(const char *what, const char *type, unsigned line, unsigned column)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    ck_assert_msg(yaml_load(FILE_NAME, &diagnostics) == NULL, "%s: it was read", what);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_msg(end.tv_sec - start.tv_sec < 10, "%s: it took %ld s", what,
                  (long)(end.tv_sec - start.tv_sec));
    ck_assert_msg(diagnostics.count == 1 && diagnostics.errors == 1, "%s: %zu diagnostics", what,
                  diagnostics.count);
    ck_assert_msg(strcmp(diagnostics.items[0].type, type) == 0, "%s: [%s] %s", what,
                  diagnostics.items[0].type, diagnostics.items[0].message);
    ck_assert_str_eq(diagnostics.items[0].file, FILE_NAME);
    if (line > 0)
        ck_assert_uint_eq(diagnostics.items[0].line, line);
    if (column > 0)
        ck_assert_uint_eq(diagnostics.items[0].column, column);
}

/* What is no YAML file. */

static const struct {
    const char *text;
    const char *type;
    unsigned line, column;
} refused[] = {
    {"", "empty_file", 0, 0},
    {"\n# nothing\n", "empty_file", 0, 0},
    {"~\n", "empty_file", 0, 0},
    {"---\n...\n", "empty_file", 0, 0},
    {"a: [1\n", "invalid_yaml", 2, 1},
    {"a: \"x\nb: 2\n", "invalid_yaml", 1, 4},
    {"a: b: c\n", "invalid_yaml", 1, 5},
    {"a:\n\t- b\n", "invalid_yaml", 2, 1},
    {"a: 1\n b: 2\n", "invalid_yaml", 1, 0},
    {"a: 'it\n", "invalid_yaml", 1, 0},
    {"%YAML 9.9\n---\na: 1\n", "invalid_yaml", 0, 0},
    {"a: 1\n---\nb: 2\n", "invalid_yaml", 2, 1},
    {"a: \"b\\0c\"\n", "invalid_yaml", 1, 0},
    {"a: 1\nbé:\x01 2\n", "invalid_yaml", 2, 4},
    {"a: 1 # \x7f\n", "invalid_yaml", 1, 8},
    {"a: b\xff\n", "invalid_encoding", 1, 1},
    {"ok: ä\na: \xc3(\n", "invalid_encoding", 2, 1},
    {"a: \xed\xa0\x80\n", "invalid_encoding", 1, 1},
    {"\xff\xfe" "a", "invalid_encoding", 0, 0},
    {"? [a]\n: b\n", "invalid_key", 1, 3},
    {"{a: 1}: b\n", "invalid_key", 1, 1},
    {"a: *b\n", "invalid_alias", 1, 0},
    {"a: &b [*b]\n", "invalid_alias", 1, 0},
    {"a: &b {c: {d: *b}}\n", "invalid_alias", 1, 0},
    {"a: &b x\nc: {<<: *b}\n", "invalid_key", 2, 5},
    {"c: {<<: [{a: 1}, [{b: 1}]]}\n", "invalid_key", 1, 5},
    {"a: !!binary aGVsbG8=\n", "invalid_tag", 1, 0},
    {"a: !mine {b: 1}\n", "invalid_tag", 1, 0},
    {"a: !!int text\n", "invalid_tag", 1, 0},
    {"a: !!map [1]\n", "invalid_tag", 1, 0},
};

START_TEST(test_refuses)
{
    write_bytes(refused[_i].text, strlen(refused[_i].text));
    expect_refusal(refused[_i].text, refused[_i].type, refused[_i].line, refused[_i].column);
}
END_TEST

START_TEST(test_refuses_files_that_are_not_text)
{
    expect_refusal("missing", "missing_file", 0, 0);
    write_bytes("a: 1\0", 5);
    expect_refusal("NUL", "invalid_encoding", 0, 0);
    write_bytes("a\0:\0 \0", 6);
    expect_refusal("UTF-16 without a mark", "invalid_encoding", 0, 0);
    ck_assert_int_eq(unlink(FILE_NAME), 0);
    ck_assert_int_eq(mkdir(FILE_NAME, 0755), 0);
    expect_refusal("folder", "not_a_file", 0, 0);
    ck_assert_int_eq(rmdir(FILE_NAME), 0);
    ck_assert_int_eq(mkfifo(FILE_NAME, 0644), 0);
    expect_refusal("pipe", "not_a_file", 0, 0);
    ck_assert_int_eq(unlink(FILE_NAME), 0);
    ck_assert_int_eq(symlink("/dev/zero", FILE_NAME), 0);
    expect_refusal("device", "not_a_file", 0, 0);
    ck_assert_int_eq(unlink(FILE_NAME), 0);
    ck_assert_int_eq(symlink(FILE_NAME, FILE_NAME), 0);
    expect_refusal("loop", "unreadable_file", 0, 0);
}
END_TEST

START_TEST(test_refuses_a_file_that_is_too_large)
{
    write_bytes("a: 1\n", 5);
    ck_assert_int_eq(truncate(FILE_NAME, 100 << 20), 0);
    expect_refusal("100 MiB", "too_large", 0, 0);
    ck_assert_int_eq(truncate(FILE_NAME, YAML_MAXIMUM_BYTES + 1), 0);
    expect_refusal("a byte too much", "too_large", 0, 0);
}
END_TEST

/* Hostile files: all of them small enough to be read. */

static struct buffer text = BUFFER_INIT(YAML_MAXIMUM_BYTES);

static void repeat(const char *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(buffer_append_text(&text, part), 0);
}

static void expect_hostile(const char *what, const char *type)
{
    ck_assert(!text.failed);
    write_bytes(text.data, text.length);
    buffer_clear(&text);
    expect_refusal(what, type, 0, 0);
}

START_TEST(test_nesting_is_bounded)
{
    repeat("[", YAML_MAXIMUM_DEPTH + 1);
    repeat("]", YAML_MAXIMUM_DEPTH + 1);
    expect_hostile("brackets", "too_deep");
    repeat("[", 1000000);
    expect_hostile("many brackets", "too_deep");
    repeat("{a: ", 1000000);
    expect_hostile("many braces", "too_deep");
    repeat("- ", 1000000);
    expect_hostile("many dashes", "too_deep");
    repeat("? ", 1000000);
    expect_hostile("many question marks", "invalid_key");
    for (size_t i = 0; i < 1000; i++) {
        repeat(" ", i);
        repeat("a:\n", 1);
    }
    expect_hostile("many levels of a block", "too_deep");
}
END_TEST

START_TEST(test_nesting_up_to_the_bound_is_fine)
{
    repeat("[", YAML_MAXIMUM_DEPTH);
    repeat("]", YAML_MAXIMUM_DEPTH);
    struct yaml_document *document = load(text.data);
    ck_assert_uint_eq(yaml_root(document)->height, YAML_MAXIMUM_DEPTH);
    yaml_free(document);
    buffer_clear(&text);
}
END_TEST

START_TEST(test_aliases_are_bounded)
{
    /* A tower: each level is one higher than the last. */
    repeat("a0: &a0 [x]\n", 1);
    for (unsigned i = 1; i < 900; i++)
        buffer_append_format(&text, "a%u: &a%u [*a%u]\n", i, i, i - 1);
    expect_hostile("tower", "too_deep");
    /* A bomb: each level is ten times the last. */
    repeat("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n", 1);
    for (unsigned i = 1; i < 30; i++) {
        buffer_append_format(&text, "a%u: &a%u [", i, i);
        for (unsigned j = 0; j < 10; j++)
            buffer_append_format(&text, "*a%u,", i - 1);
        repeat("]\n", 1);
    }
    expect_hostile("bomb", "too_large");
    /* One long text many times. */
    repeat("a: &a ", 1);
    repeat("x", 1000000);
    repeat("\nb: [", 1);
    repeat("*a,", 1000);
    repeat("]\n", 1);
    expect_hostile("long text", "too_large");
    repeat("a: &a x\nb: [", 1);
    repeat("*a,", 2 * YAML_MAXIMUM_NODES);
    repeat("]\n", 1);
    expect_hostile("aliases", "too_large");
    for (unsigned i = 0; i < 200000; i++)
        buffer_append_format(&text, "- &a%u x\n", i);
    expect_hostile("anchors", "too_large");
    /* One mapping merged into many. */
    repeat("a: &a\n", 1);
    for (unsigned i = 0; i < 10000; i++)
        buffer_append_format(&text, " k%u: x\n", i);
    repeat("b:\n", 1);
    repeat("- {<<: *a}\n", 1000);
    expect_hostile("merges", "too_large");
}
END_TEST

START_TEST(test_many_values_are_refused_and_fewer_are_fast)
{
    repeat("- x\n", YAML_MAXIMUM_NODES);
    expect_hostile("list", "too_large");
    repeat("[", 1);
    repeat("x,", YAML_MAXIMUM_NODES);
    repeat("]", 1);
    expect_hostile("list on one line", "too_large");
    for (unsigned i = 0; i < YAML_MAXIMUM_NODES / 2 - 1; i++)
        buffer_append_format(&text, "k%u: x\n", i);
    struct yaml_document *document = load(text.data);
    ck_assert_uint_eq(yaml_root(document)->count, YAML_MAXIMUM_NODES / 2 - 1);
    yaml_free(document);
    buffer_clear(&text);
}
END_TEST

/* What is fine. */

START_TEST(test_positions_count_characters)
{
    _cleanup_yaml_ struct yaml_document *document =
        load("\xef\xbb\xbf" "a: 1\r\n# ü\r\nb:\t\té\r\nc: {\"日本\": x, d: [1,\t2]}\r\n");
    const struct yaml_node *root = yaml_root(document);
    const struct yaml_node *c = yaml_get(root, "c");

    ck_assert_uint_eq(yaml_get_key(root, "a")->where.line, 1);
    ck_assert_uint_eq(yaml_get(root, "b")->where.line, 3);
    ck_assert_uint_eq(yaml_get(root, "b")->where.column, 5);
    ck_assert_uint_eq(yaml_get_key(c, "日本")->where.column, 5);
    ck_assert_uint_eq(yaml_get(c, "日本")->where.column, 11);
    ck_assert_uint_eq(yaml_get(c, "d")->items[1]->where.line, 4);
    ck_assert_uint_eq(yaml_get(c, "d")->items[1]->where.column, 21);
    ck_assert_str_eq(root->where.file, FILE_NAME);
}
END_TEST

START_TEST(test_finds_a_part_of_a_text)
{
    _cleanup_yaml_ struct yaml_document *document =
        load("q: |\n  SELECT é\n  FROM ${x}\ns: 'a ${x}'\nt: \"\\x24{x}\"\n");
    const struct yaml_node *root = yaml_root(document);
    struct source_location where = yaml_position_of(document, yaml_get(root, "q"), "${x}");

    ck_assert_uint_eq(where.line, 3);
    ck_assert_uint_eq(where.column, 8);
    ck_assert_uint_eq(yaml_get(root, "q")->last_line, 4);
    where = yaml_position_of(document, yaml_get(root, "s"), "${x}");
    ck_assert_uint_eq(where.line, 4);
    ck_assert_uint_eq(where.column, 7);
    where = yaml_position_of(document, yaml_get(root, "t"), "${x}");
    ck_assert_uint_eq(where.line, 5);
    ck_assert_uint_eq(where.column, 4);
}
END_TEST

static const struct {
    const char *yaml, *json;
} typed[] = {
    {"[null, ~, Null, 'null', !!null '', !!null ]", "[null,null,null,\"null\",null,null]"},
    {"[, x]", NULL},
    {"[true, yes, On, FALSE, no, off, y, 'true', tRue]",
     "[true,true,true,false,false,false,\"y\",\"true\",\"tRue\"]"},
    {"[0, -0, +7, 42, 0x1F, 0o17, -0x10]", "[0,0,7,42,31,15,-16]"},
    {"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
     "[9223372036854775807,-9223372036854775808,18446744073709551615]"},
    {"[18446744073709551616, -9223372036854775809, 010, 1_000, 0b1, 0x, 1:30, '12', \"12\"]",
     "[\"18446744073709551616\",\"-9223372036854775809\",\"010\",\"1_000\",\"0b1\",\"0x\",\"1:30\",\"12\",\"12\"]"},
    {"[1.5, -0.0, 1e3, 1.10, +2.5E-3]", "[1.5,-0.0,1e3,1.10,2.5E-3]"},
    /* Not JSON's way to write numbers. */
    {"[.5, 5., -.25, 01.5]", "[0.5,5.0,-0.25,1.5]"},
    {"[., .e1, 1e, e1, 1.2.3, +, --1.0, 1e999, .inf, .nan, 2026-01-01]",
     "[\".\",\".e1\",\"1e\",\"e1\",\"1.2.3\",\"+\",\"--1.0\",\"1e999\",\".inf\",\".nan\",\"2026-01-01\"]"},
    {"[!!str 12, !!str true, ! 5, !!int '7', !!bool 'yes', !!float '1.5', !!seq [1], !<tag:yaml.org,2002:str> 3]",
     "[\"12\",\"true\",\"5\",7,true,1.5,[1],\"3\"]"},
    {"a: {b: {}, c: []}\nd: |\n  x\n  y\ne: >-\n  x\n  y\n1: n\n",
     "{\"a\":{\"b\":{},\"c\":[]},\"d\":\"x\\ny\\n\",\"e\":\"x y\",\"1\":\"n\"}"},
    {"{a: &x {k: [1]}, b: *x, c: [*x, *x]}",
     "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]},{\"k\":[1]}]}"},
    {"[&a 1, *a, &a 2, *a]", "[1,1,2,2]"},
    {"&k key: *k", "{\"key\":\"key\"}"},
    /* A mapping's own keys win, then the first of the merged ones. */
    {"a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd: {z: 9, <<: *b}\ne: {'<<': 1}\n",
     "{\"a\":{\"x\":1,\"y\":1},\"b\":{\"y\":2,\"z\":2},\"c\":{\"x\":0,\"y\":1,\"z\":2},"
     "\"d\":{\"z\":9,\"y\":2},\"e\":{\"<<\":1}}"},
};

START_TEST(test_types_scalars)
{
    if (typed[_i].json != NULL) {
        expect_json(typed[_i].yaml, typed[_i].json);
    } else {
        write_bytes(typed[_i].yaml, strlen(typed[_i].yaml));
        expect_refusal(typed[_i].yaml, "invalid_yaml", 1, 0);
    }
}
END_TEST

START_TEST(test_strings_are_strings_by_their_typing)
{
    _cleanup_yaml_ struct yaml_document *document =
        load("a: text\nb: 12\nc: '12'\nd: ~\ne: ''\nf: [x]\ng: 2026-01-01\n");
    const struct yaml_node *root = yaml_root(document);

    ck_assert_str_eq(yaml_string(yaml_get(root, "a")), "text");
    ck_assert_ptr_null(yaml_string(yaml_get(root, "b")));
    ck_assert_str_eq(yaml_string(yaml_get(root, "c")), "12");
    ck_assert_ptr_null(yaml_string(yaml_get(root, "d")));
    ck_assert(yaml_is_null(yaml_get(root, "d")));
    ck_assert_str_eq(yaml_string(yaml_get(root, "e")), "");
    ck_assert(!yaml_is_null(yaml_get(root, "e")));
    ck_assert_ptr_null(yaml_string(yaml_get(root, "f")));
    ck_assert_str_eq(yaml_string(yaml_get(root, "g")), "2026-01-01");
    ck_assert_ptr_null(yaml_string(NULL));
    ck_assert_ptr_null(yaml_get(yaml_get(root, "a"), "x"));
    ck_assert_ptr_null(yaml_get(NULL, "x"));
}
END_TEST

START_TEST(test_reports_all_keys_that_are_there_twice)
{
    static const char yaml[] = "a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n\"a\": 3\n";
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    write_bytes(yaml, strlen(yaml));
    _cleanup_yaml_ struct yaml_document *document = yaml_load(FILE_NAME, &diagnostics);
    ck_assert_ptr_nonnull(document);
    ck_assert_uint_eq(diagnostics.errors, 3);
    _cleanup_json_ json_object *list = diagnostics_to_json(&diagnostics);
    static const unsigned lines[] = {2, 3, 4};
    for (size_t i = 0; i < 3; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        ck_assert_str_eq(json_object_get_string(json_object_object_get(item, "type")), "duplicate_key");
        ck_assert_int_eq(json_object_get_int(json_object_object_get(item, "line")), (int)lines[i]);
    }
    /* The first one stays. */
    ck_assert_uint_eq(yaml_root(document)->count, 2);
    ck_assert_str_eq(yaml_get(yaml_root(document), "a")->text, "1");
}
END_TEST

START_TEST(test_lines_with_secrets_are_not_shown)
{
    static const char *const texts[] = {
        "password: \"hunter2\nb: 1\n",
        "a: {user: x, password: hunter2, [}\n",
        "- password: hunter2: x\n",
        "'db-password' : hunter2: x\n",
        "password:\n  \"hunter2\n",
        "password: hunter2\npassword: hunter2\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
        write_bytes(texts[i], strlen(texts[i]));
        yaml_free(yaml_load(FILE_NAME, &diagnostics));
        ck_assert_msg(diagnostics.count == 1, "%s: %zu", texts[i], diagnostics.count);
        const struct diagnostic *item = &diagnostics.items[0];
        ck_assert_msg(item->line_text == NULL || strstr(item->line_text, "hunter2") == NULL, "%s",
                      texts[i]);
        ck_assert_ptr_null(strstr(item->message, "hunter2"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tcase = tcase_create("yaml");

    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_refuses, 0, (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tcase, test_refuses_files_that_are_not_text);
    tcase_add_test(tcase, test_refuses_a_file_that_is_too_large);
    tcase_add_test(tcase, test_nesting_is_bounded);
    tcase_add_test(tcase, test_nesting_up_to_the_bound_is_fine);
    tcase_add_test(tcase, test_aliases_are_bounded);
    tcase_add_test(tcase, test_many_values_are_refused_and_fewer_are_fast);
    tcase_add_test(tcase, test_positions_count_characters);
    tcase_add_test(tcase, test_finds_a_part_of_a_text);
    tcase_add_loop_test(tcase, test_types_scalars, 0, (int)(sizeof typed / sizeof typed[0]));
    tcase_add_test(tcase, test_strings_are_strings_by_their_typing);
    tcase_add_test(tcase, test_reports_all_keys_that_are_there_twice);
    tcase_add_test(tcase, test_lines_with_secrets_are_not_shown);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
