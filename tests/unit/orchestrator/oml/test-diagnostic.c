/* Diagnostics: their text, order, number, and what hostile files cannot do through them. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/oml/diagnostic.h"
#include "core/base/json-access.h"

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

static void add(struct diagnostics *diagnostics, const char *file, unsigned line, unsigned column,
                const char *source, const char *message)
{
    const struct source_location where = {.file = file, .line = line, .column = column};

    ck_assert_int_eq(diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "odd", &where, source,
                                     source == NULL ? 0 : strlen(source), NULL, NULL, "%s", message),
                     -1);
}

static void expect(const struct diagnostics *diagnostics, const char *expected)
{
    _cleanup_free_ char *text = printed(diagnostics);

    ck_assert_str_eq(text, expected);
}

START_TEST(test_looks_like_a_compiler_message)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    const struct source_location where = {.file = "p.yaml", .line = 2, .column = 4};
    static const char source[] = "one\nt\twö rd\r\nthree";

    diagnostics_add(&diagnostics, DIAGNOSTIC_WARNING, "odd_word", &where, source, strlen(source),
                    "steps[0]", "say \"word\"", "the word is %s", "odd");
    expect(&diagnostics, "p.yaml:2:4: warning: the word is odd [odd_word]\n"
                         "    t wö rd\n"
                         "       ^\n"
                         "    hint: say \"word\"\n");
    ck_assert_uint_eq(diagnostics.errors, 0);
    ck_assert_uint_eq(diagnostics.warnings, 1);
}
END_TEST

START_TEST(test_goes_without_a_place)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    const struct source_location beyond = {.file = "p.yaml", .line = 9, .column = 1};

    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, "a", NULL, NULL, 0, NULL, NULL, "first");
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, "b", &beyond, "one line\n", 9, NULL, NULL, "second");
    expect(&diagnostics, "error: first [a]\np.yaml:9:1: error: second [b]\n");
}
END_TEST

START_TEST(test_sorts_by_position_and_drops_duplicates)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    add(&diagnostics, "b", 1, 1, NULL, "5");
    add(&diagnostics, "a", 10, 1, NULL, "4");
    add(&diagnostics, "a", 2, 9, NULL, "2");
    add(&diagnostics, "a", 2, 9, NULL, "3");
    add(&diagnostics, "a", 2, 9, NULL, "2");
    add(&diagnostics, "a", 2, 1, NULL, "1");
    expect(&diagnostics, "a:2:1: error: 1 [odd]\na:2:9: error: 2 [odd]\na:2:9: error: 3 [odd]\n"
                         "a:10:1: error: 4 [odd]\nb:1:1: error: 5 [odd]\n");
    ck_assert_uint_eq(diagnostics.errors, 5);
    _cleanup_json_ json_object *list = diagnostics_to_json(&diagnostics);
    ck_assert_uint_eq(json_array_count(list), 5);
    for (size_t i = 0; i < 5; i++) {
        const char expected[] = {(char)('1' + i), '\0'};
        json_object *item = json_object_array_get_idx(list, i);
        ck_assert_str_eq(json_member_string(item, "message", ""), expected);
        ck_assert_str_eq(json_member_string(item, "severity", ""), "error");
    }
}
END_TEST

START_TEST(test_counts_what_it_does_not_keep)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    for (unsigned i = 1; i <= DIAGNOSTICS_MAXIMUM + 20; i++)
        add(&diagnostics, "a", i, 1, NULL, "x");
    ck_assert_uint_eq(diagnostics.count, DIAGNOSTICS_MAXIMUM);
    ck_assert_uint_eq(diagnostics.errors, DIAGNOSTICS_MAXIMUM + 20);
    ck_assert(diagnostics_are_full(&diagnostics));
    _cleanup_free_ char *text = printed(&diagnostics);
    ck_assert_ptr_nonnull(strstr(text, "… and 20 more\n"));
}
END_TEST

START_TEST(test_errors_come_before_warnings)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    for (unsigned i = 1; i <= DIAGNOSTICS_MAXIMUM + 1; i++) {
        const struct source_location where = {.file = "a", .line = i, .column = 1};
        diagnostics_add(&diagnostics, DIAGNOSTIC_WARNING, "w", &where, NULL, 0, NULL, NULL, "w");
    }
    add(&diagnostics, "a", 1000, 1, NULL, "the error");
    ck_assert_uint_eq(diagnostics.count, DIAGNOSTICS_MAXIMUM);
    ck_assert_uint_eq(diagnostics.dropped, 2);
    _cleanup_free_ char *text = printed(&diagnostics);
    ck_assert_ptr_nonnull(strstr(text, "a:1000:1: error: the error [odd]"));
    ck_assert_ptr_nonnull(strstr(text, "a:99:1: warning"));
    ck_assert_ptr_null(strstr(text, "a:100:1: warning"));
}
END_TEST

START_TEST(test_cuts_long_lines_around_the_caret)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    static char source[4001];
    char *line, *rest;

    memset(source, 'x', 4000);
    source[1999] = '@';
    add(&diagnostics, "a", 1, 2000, source, "here");
    ck_assert_uint_lt(strlen(diagnostics.items[0].line_text), 200);
    _cleanup_free_ char *text = printed(&diagnostics);
    line = strtok_r(text, "\n", &rest);
    line = strtok_r(NULL, "\n", &rest);
    ck_assert_int_eq(strncmp(line, "    …x", 7), 0);
    ck_assert_str_eq(line + strlen(line) - 4, "x…");
    char *caret = strtok_r(NULL, "\n", &rest);
    /* The leading "…" is three bytes and one column. */
    ck_assert_int_eq(strchr(line, '@') - line - 2, strchr(caret, '^') - caret);
}
END_TEST

START_TEST(test_the_caret_knows_wide_characters)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    /* Two wide ones, an e with a combining accent. */
    add(&diagnostics, "a", 1, 6, "日本e\xcc\x81 x", "here");
    expect(&diagnostics, "a:1:6: error: here [odd]\n    日本e\xcc\x81 x\n          ^\n");
}
END_TEST

START_TEST(test_no_control_character_reaches_the_terminal)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    /* Escape, the C1 control sequence introducer, a right-to-left override. */
    static const char hostile[] = "a\033[2Jb\xc2\x9b" "c\xe2\x80\xae" "d\x7f\n\t.";
    const struct source_location where = {.file = hostile, .line = 1, .column = 1};

    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, "odd", &where, hostile, strlen(hostile), NULL,
                    hostile, "%s", hostile);
    expect(&diagnostics, "a?[2Jb?c?d?  .:1:1: error: a?[2Jb?c?d?  . [odd]\n"
                         "    a?[2Jb?c?d?\n"
                         "    ^\n"
                         "    hint: a?[2Jb?c?d?  .\n");
}
END_TEST

START_TEST(test_cuts_long_texts_between_characters)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    char *text = malloc(100001);

    ck_assert_ptr_nonnull(text);
    text[0] = 'x';
    for (size_t i = 1; i < 99999; i += 2)
        memcpy(text + i, "é", 2);
    text[99999] = '\0';
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, "odd", NULL, NULL, 0, text, text, "%s", text);
    for (size_t i = 0; i < 3; i++) {
        const struct diagnostic *item = &diagnostics.items[0];
        const char *cut = i == 0 ? item->message : i == 1 ? item->hint : item->location;
        ck_assert_uint_le(strlen(cut), DIAGNOSTIC_MAXIMUM_TEXT);
        ck_assert_uint_ge(strlen(cut), DIAGNOSTIC_MAXIMUM_TEXT - 8);
        ck_assert_str_eq(cut + strlen(cut) - 5, "é…");
    }
    free(text);
}
END_TEST

START_TEST(test_hides_lines)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    add(&diagnostics, "a", 1, 1, "first\nsecret\n", "1");
    add(&diagnostics, "a", 2, 1, "first\nsecret\n", "2");
    add(&diagnostics, "b", 2, 1, "first\nother\n", "3");
    diagnostics_hide_lines(&diagnostics, "a", 2, 2);
    expect(&diagnostics, "a:1:1: error: 1 [odd]\n    first\n    ^\na:2:1: error: 2 [odd]\n"
                         "b:2:1: error: 3 [odd]\n    other\n    ^\n");
}
END_TEST

UNIT_MAIN("diagnostic", test_looks_like_a_compiler_message, test_goes_without_a_place,
          test_sorts_by_position_and_drops_duplicates, test_counts_what_it_does_not_keep,
          test_errors_come_before_warnings, test_cuts_long_lines_around_the_caret,
          test_the_caret_knows_wide_characters, test_no_control_character_reaches_the_terminal,
          test_cuts_long_texts_between_characters, test_hides_lines)
