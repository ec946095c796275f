/* Schemas: of configs (core/plugin/schema.h) and of Arrow batches (core/arrow/check.h, core/arrow/layout.h). */
#include "unit.h"

#include <string.h>

#include <osiris/kit.h>

#include "core/arrow/check.h"
#include "core/arrow/layout.h"
#include "core/base/json-access.h"
#include "core/plugin/schema.h"
#include "core/base/utf8.h"

static const struct {
    const char *schema, *value;
    const char *pointer, *message; /* NULL: it is valid */
} cases[] = {
    {"{\"type\": \"integer\"}", "3", NULL, NULL},
    {"{\"type\": \"integer\"}", "3.0", NULL, NULL},
    {"{\"type\": \"integer\"}", "3.5", "", "type integer"},
    {"{\"type\": \"integer\"}", "\"3\"", "", "is a string"},
    {"{\"type\": [\"string\", \"null\"]}", "null", NULL, NULL},
    {"{\"type\": [\"string\", \"null\"]}", "true", "", "string or null"},
    {"{\"type\": \"number\"}", "3", NULL, NULL},
    {"{\"type\": \"boolean\"}", "0", "", "boolean"},
    {"{\"enum\": [\"a\", 1, null]}", "null", NULL, NULL},
    {"{\"enum\": [\"a\", \"b\", \"c\"]}", "\"d\"", "", "a, b or c"},
    {"{\"const\": 5}", "6", "", "must be 5"},
    {"{\"minimum\": 1}", "1", NULL, NULL},
    {"{\"minimum\": 1}", "0", "", "at least 1, is 0"},
    {"{\"maximum\": 9}", "10", "", "at most 9"},
    {"{\"exclusiveMinimum\": 1}", "1", "", "more than 1"},
    {"{\"exclusiveMaximum\": 9}", "9", "", "less than 9"},
    {"{\"minLength\": 2}", "\"é\"", "", "at least 2"},
    {"{\"minLength\": 1}", "\"\"", "", "must not be empty"},
    {"{\"maxLength\": 1}", "\"é\"", NULL, NULL},
    {"{\"maxLength\": 1}", "\"ab\"", "", "at most 1 character,"},
    {"{\"pattern\": \"^a+$\"}", "\"aaa\"", NULL, NULL},
    {"{\"pattern\": \"^a+$\"}", "\"b\"", "", "must match"},
    {"{\"items\": {\"type\": \"string\"}}", "[\"a\", 1]", "/1", "string"},
    {"{\"minItems\": 1}", "[]", "", "at least 1"},
    {"{\"maxItems\": 1}", "[1, 2]", "", "at most 1"},
    {"{\"uniqueItems\": true}", "[1, \"1\", [1]]", NULL, NULL},
    {"{\"uniqueItems\": true}", "[1, 2, 1]", "/2", "twice, is 1"},
    {"{\"required\": [\"a\"]}", "{}", "", "needs \"a\""},
    {"{\"properties\": {\"a\": {\"properties\": {\"b\": {\"type\": \"integer\"}}}}}", "{\"a\": {\"b\": \"x\"}}", "/a/b", "integer"},
    {"{\"properties\": {}, \"additionalProperties\": false}", "{\"a\": 1}", "", "no option \"a\""},
    {"{\"additionalProperties\": {\"type\": \"integer\"}}", "{\"a\": \"x\"}", "/a", "integer"},
    {"{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}", "{\"a\": 1}", NULL, NULL},
    {"{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}", "{}", "", "\"a\" or \"b\""},
    {"{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}", "{\"a\": 1, \"b\": 2}", "", "only one of"},
    {"{\"anyOf\": [{\"type\": \"string\"}, {\"minimum\": 3}]}", "5", NULL, NULL},
    {"{\"anyOf\": [{\"type\": \"string\"}, {\"minimum\": 3}]}", "1", "", "alternatives"},
    /* cut between characters */
    {"{\"maxLength\": 70}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaéaaaaaaaaaaaaaaaaaaaa\"", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"},
    {"{\"properties\": {\"secret\": {\"properties\": {\"v\": {\"type\": \"integer\"}}}}}", "{\"secret\": {\"v\": \"hunter2\"}}", "/secret/v", "***MASKED***"},
    {"{\"properties\": {\"o\": {\"type\": \"string\"}}}", "{\"o\": {\"password\": \"hunter2\"}}", "/o", "a mapping: {…}"},
    {"{\"properties\": {\"password\": {\"type\": \"integer\"}}}", "{\"password\": \"hunter2\"}", "/password", "***MASKED***"},
};

struct problems {
    size_t count;
    char pointer[100], message[300];
};

static void note(void *context, const char *pointer, const char *message, const char *is)
{
    struct problems *problems = context;

    if (problems->count++ > 0)
        return;
    strcpy(problems->pointer, pointer);
    snprintf(problems->message, sizeof problems->message, "%s%s%s", message, is == NULL ? "" : ", is ",
             is == NULL ? "" : is);
}

START_TEST(test_keywords)
{
    _cleanup_json_ json_object *schema = json_tokener_parse(cases[_i].schema);
    _cleanup_json_ json_object *value = json_tokener_parse(cases[_i].value);
    struct problems problems = {0};
    size_t count = schema_check(schema, value, note, &problems);

    ck_assert_uint_eq(count, problems.count);
    if (cases[_i].message == NULL) {
        ck_assert_msg(count == 0, "%s: %s", cases[_i].schema, problems.message);
        return;
    }
    ck_assert_msg(count > 0, "%s accepts %s", cases[_i].schema, cases[_i].value);
    ck_assert_str_eq(problems.pointer, cases[_i].pointer);
    ck_assert(utf8_is_valid(problems.message, strlen(problems.message)));
    ck_assert_msg(strstr(problems.message, cases[_i].message) != NULL, "\"%s\" is not in \"%s\"",
                  cases[_i].message, problems.message);
}
END_TEST

START_TEST(test_defaults)
{
    _cleanup_json_ json_object *schema = json_tokener_parse(
        "{\"properties\": {\"a\": {\"default\": [1]}, \"b\": {\"default\": 2}, \"c\": {\"properties\": {\"d\": {\"default\": 3}}}, \"e\": {}}}");
    _cleanup_json_ json_object *value = json_tokener_parse("{\"b\": 5, \"c\": {}}");

    schema_fill_defaults(schema, value);
    ck_assert_str_eq(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN),
                     "{\"b\":5,\"c\":{\"d\":3},\"a\":[1]}");
}
END_TEST

/* Arrow. */

START_TEST(test_arrow_formats)
{
    static const struct {
        const char *format;
        enum arrow_layout layout;
        uint32_t bits;
    } formats[] = {
        {"n", ARROW_NULL, 0},       {"b", ARROW_FIXED, 1},      {"c", ARROW_FIXED, 8},
        {"L", ARROW_FIXED, 64},     {"e", ARROW_FIXED, 16},     {"g", ARROW_FIXED, 64},
        {"d:38,2", ARROW_FIXED, 128}, {"d:76,2,256", ARROW_FIXED, 256}, {"d:9,2,32", ARROW_FIXED, 32},
        {"w:5", ARROW_FIXED, 40},   {"tdD", ARROW_FIXED, 32},   {"tdm", ARROW_FIXED, 64},
        {"ttm", ARROW_FIXED, 32},   {"ttn", ARROW_FIXED, 64},   {"tsu:", ARROW_FIXED, 64},
        {"tsn:Europe/Prague", ARROW_FIXED, 64}, {"tDs", ARROW_FIXED, 64}, {"tin", ARROW_FIXED, 128},
        {"u", ARROW_VARIABLE, 0},   {"Z", ARROW_VARIABLE, 0},   {"+l", ARROW_LIST, 0},
        {"+L", ARROW_LIST, 0},      {"+m", ARROW_LIST, 0},      {"+w:3", ARROW_FIXED_LIST, 0},
        {"+s", ARROW_STRUCT, 0},    {"", ARROW_UNKNOWN, 0},     {"vu", ARROW_UNKNOWN, 0},
        {"+us:1", ARROW_UNKNOWN, 0}, {"d:", ARROW_UNKNOWN, 0},  {"d:5", ARROW_UNKNOWN, 0},
        {"d:5,2,99", ARROW_UNKNOWN, 0}, {"w:0", ARROW_UNKNOWN, 0}, {"w:-1", ARROW_UNKNOWN, 0},
        {"w:99999999999", ARROW_UNKNOWN, 0}, {"+w:", ARROW_UNKNOWN, 0}, {"ts", ARROW_UNKNOWN, 0},
        {"tsx:", ARROW_UNKNOWN, 0}, {"lx", ARROW_UNKNOWN, 0},
    };

    ck_assert_int_eq(arrow_type_from_format(NULL).layout, ARROW_UNKNOWN);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct arrow_type type = arrow_type_from_format(formats[i].format);
        ck_assert_msg(type.layout == formats[i].layout && type.bits == formats[i].bits,
                      "%s: layout %d, %u bits", formats[i].format, type.layout, type.bits);
    }
}
END_TEST

/* A batch of {id: int64, text: utf8} with three rows. */
static void make(struct ArrowSchema *schema, struct ArrowArray *array)
{
    static const struct osiris_field fields[] = {{.name = "id", .type = OSIRIS_TYPE_INT64},
                                                 {.name = "text", .type = OSIRIS_TYPE_UTF8}};
    struct osiris_builder *builder = osiris_builder_new(fields, 2, 10);

    for (int64_t i = 0; i < 3; i++) {
        osiris_append_int64(osiris_builder_column(builder, 0), i);
        osiris_append_bytes(osiris_builder_column(builder, 1), "abc", (size_t)i);
        osiris_builder_end_row(builder);
    }
    ck_assert_int_eq(osiris_builder_schema(builder, schema), 0);
    ck_assert_int_eq(osiris_builder_finish(builder, array), 0);
    osiris_builder_free(builder);
}

/* Each spoils a fresh batch; the array's own members are restored before it is released. */
START_TEST(test_malformed_batches)
{
    static const char *const words[] = {
        "length", "length", "offset", "null count", "null count", "buffer count", "buffer count", "child count", "missing",
        "required", "released", "data buffer", "no offsets", "decrease", "below zero", "validity",
        "values start", "offsets start"};
    struct ArrowSchema schema;
    struct ArrowArray good;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowArray spoilt, id, text, *children[2] = {&id, &text};
    const void *id_buffers[2], *text_buffers[3];
    int32_t offsets[6] = {0, 0, 1, 3};

    make(&schema, &good);
    ck_assert_int_eq(arrow_check_array(&schema, &good, &error), 0);
    ck_assert_uint_eq(arrow_array_bytes(&schema, &good), 3 * 8 + 4 * 4 + 3);
    spoilt = good;
    spoilt.children = children;
    id = *good.children[0];
    text = *good.children[1];
    memcpy(id_buffers, id.buffers, sizeof id_buffers);
    memcpy(text_buffers, text.buffers, sizeof text_buffers);
    id.buffers = id_buffers;
    text.buffers = text_buffers;
    text_buffers[1] = offsets;
    switch (_i) {
    case 0: spoilt.length = -1; break;
    case 1: spoilt.length = INT64_MAX; break;
    case 2: text.offset = -1; break;
    case 3: id.null_count = 4; break;
    case 4: id.null_count = -2; break;
    case 5: id.n_buffers = 3; break;
    case 6: text.buffers = NULL; break;
    case 7: spoilt.n_children = 1; break;
    case 8: children[1] = NULL; break;
    case 9: id.length = 2; break;
    case 10: id.release = NULL; break;
    case 11: id_buffers[1] = NULL; break;
    case 12: text_buffers[1] = NULL; break;
    case 13: offsets[1] = 2; break;
    case 14: offsets[0] = -1; break;
    case 15: text.null_count = 1; text_buffers[0] = NULL; break;
    case 16: id_buffers[1] = (const char *)id_buffers[1] + 4; break;
    case 17: text_buffers[1] = (const char *)offsets + 2; break;
    }
    ck_assert_msg(arrow_check_array(&schema, &spoilt, &error) < 0, "case %d was accepted", _i);
    ck_assert_msg(strstr(error.message, words[_i]) != NULL, "case %d: \"%s\" is not in: %s", _i,
                  words[_i], error.message);
    good.release(&good);
    schema.release(&schema);
}
END_TEST

/* One step down at every place of runs around the length that is looked at in one piece. */
START_TEST(test_descending_offsets)
{
    int32_t narrow[68];
    int64_t wide[68];

    for (int64_t count = 0; count < 67; count++) {
        for (int64_t i = 0; i <= count; i++)
            wide[i] = narrow[i] = (int32_t)(i / 2);
        ck_assert(!arrow_offsets_descend(narrow, 4, count));
        ck_assert(!arrow_offsets_descend(wide, 8, count));
        for (int64_t i = 1; i <= count; i++) {
            narrow[i - 1] += 100;
            wide[i - 1] += INT64_MAX / 2;
            ck_assert(arrow_offsets_descend(narrow, 4, count));
            ck_assert(arrow_offsets_descend(wide, 8, count));
            narrow[i - 1] -= 100;
            wide[i - 1] -= INT64_MAX / 2;
        }
    }
    narrow[0] = INT32_MIN;
    narrow[1] = INT32_MAX;
    ck_assert(!arrow_offsets_descend(narrow, 4, 1));
}
END_TEST

START_TEST(test_malformed_schemas)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    make(&schema, &array);
    array.release(&array);
    ck_assert_int_eq(arrow_check_schema(&schema, &error), 0);
    struct ArrowSchema spoilt = schema;
    spoilt.format = "l";
    ck_assert_int_lt(arrow_check_schema(&spoilt, &error), 0);
    spoilt = schema;
    spoilt.release = NULL;
    ck_assert_int_lt(arrow_check_schema(&spoilt, &error), 0);
    spoilt = schema;
    spoilt.n_children = -1;
    ck_assert_int_lt(arrow_check_schema(&spoilt, &error), 0);
    spoilt = schema;
    spoilt.children = NULL;
    ck_assert_int_lt(arrow_check_schema(&spoilt, &error), 0);
    const char *format = schema.children[0]->format;
    schema.children[0]->format = "+s,";
    ck_assert_int_lt(arrow_check_schema(&schema, &error), 0);
    schema.children[0]->format = format;
    const char *name = schema.children[0]->name;
    schema.children[0]->name = "\xff";
    ck_assert_int_lt(arrow_check_schema(&schema, &error), 0);
    schema.children[0]->name = name;
    schema.release(&schema);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schema");
    TCase *tcase = tcase_create("schema");

    tcase_add_loop_test(tcase, test_keywords, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_arrow_formats);
    tcase_add_loop_test(tcase, test_malformed_batches, 0, 16);
    tcase_add_test(tcase, test_descending_offsets);
    tcase_add_test(tcase, test_malformed_schemas);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
