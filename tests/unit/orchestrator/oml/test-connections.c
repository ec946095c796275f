/* osiris_connections.yaml (orchestrator/oml/connections.h): where it is found, choosing, variables, secrets. */
#include "unit.h"
#include "unit-folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/oml/connections.h"
#include "core/base/json-access.h"

static void setup(void)
{
    enter();
    ck_assert_int_eq(mkdir("home", 0700), 0);
    ck_assert_int_eq(mkdir("work", 0700), 0);
    ck_assert_int_eq(chdir("work"), 0);
}

static bool opaque_is_secret(void *context, const char *field)
{
    (void)context;
    return strcmp(field, "opaque") == 0;
}

struct result {
    struct diagnostics diagnostics;
    json_object *fields, *secrets;
    char alias[64];
    char path[128];
};

/* Loads and resolves in one go. */
static struct result resolve(const char *home, const char *family, const char *alias)
{
    struct result result = {.diagnostics = DIAGNOSTICS_INIT, .secrets = json_object_new_array()};
    const struct source_location where = {.file = "p.yaml", .line = 7, .column = 3};
    const struct connection_request request = {
        .family = family, .alias = alias, .where = &where, .is_secret = opaque_is_secret};
    struct connections *connections = connections_load(home, &result.diagnostics);
    const char *chosen = NULL;

    if (connections == NULL)
        return result;
    if (connections_path(connections) != NULL)
        snprintf(result.path, sizeof result.path, "%s", connections_path(connections));
    int failed = connections_resolve(connections, &request, &result.fields, &chosen, result.secrets,
                                     &result.diagnostics);
    ck_assert_int_eq(failed < 0, result.fields == NULL);
    ck_assert_int_eq(failed < 0, result.diagnostics.errors > 0);
    if (result.fields != NULL)
        snprintf(result.alias, sizeof result.alias, "%s", chosen);
    connections_free(connections);
    return result;
}

static void clear(struct result *result)
{
    diagnostics_clear(&result->diagnostics);
    json_object_put(result->fields);
    json_object_put(result->secrets);
}

static void expect_problem(const char *family, const char *alias, const char *type,
                           const char *words, unsigned line)
{
    struct result result = resolve(NULL, family, alias);

    ck_assert_ptr_null(result.fields);
    ck_assert_uint_ge(result.diagnostics.count, 1);
    const struct diagnostic *item = &result.diagnostics.items[0];
    ck_assert_str_eq(item->type, type);
    ck_assert_msg(strstr(item->message, words) != NULL ||
                      (item->hint != NULL && strstr(item->hint, words) != NULL),
                  "\"%s\" is not in: %s (%s)", words, item->message, item->hint);
    ck_assert_uint_eq(item->line, line);
    clear(&result);
}

/* $OSIRIS_HOME, then the working directory, then its parent. */
START_TEST(test_where_the_file_is_found)
{
    expect_problem("x", NULL, "invalid_connection_ref", "osiris_connections.yaml does not exist", 7);
    write_file("../osiris_connections.yaml", "connections: {x: {default: {at: parent}}}\n");
    struct result result = resolve("../home", "x", NULL);
    ck_assert_str_eq(json_member_string(result.fields, "at", ""), "parent");
    clear(&result);
    write_file("osiris_connections.yaml", "connections: {x: {default: {at: here}}}\n");
    result = resolve("../home", "x", NULL);
    ck_assert_str_eq(json_member_string(result.fields, "at", ""), "here");
    clear(&result);
    write_file("../home/osiris_connections.yaml", "connections: {x: {default: {at: home}}}\n");
    result = resolve("../home", "x", NULL);
    ck_assert_str_eq(json_member_string(result.fields, "at", ""), "home");
    ck_assert_str_eq(result.path, "../home/osiris_connections.yaml");
    clear(&result);
    result = resolve(NULL, "x", NULL);
    ck_assert_str_eq(json_member_string(result.fields, "at", ""), "here");
    clear(&result);
}
END_TEST

static void expect_alias(const char *text, const char *alias, const char *chosen)
{
    write_file("osiris_connections.yaml", text);
    struct result result = resolve(NULL, "x", alias);
    ck_assert_str_eq(result.alias, chosen);
    /* Which one is the default is no field of it. */
    ck_assert(!json_object_object_get_ex(result.fields, "default", NULL));
    clear(&result);
}

START_TEST(test_which_one_is_chosen)
{
    expect_alias("connections: {x: {a: {h: 1}, b: {h: 2, default: true}}}\n", NULL, "b");
    expect_alias("connections: {x: {a: {h: 1}, b: {h: 2, default: true}}}\n", "a", "a");
    expect_alias("connections: {x: {a: {h: 1}, default: {h: 2}}}\n", NULL, "default");
    expect_alias("connections: {x: {default: {h: 2}, b: {h: 2, default: yes}}}\n", NULL, "b");
    write_file("osiris_connections.yaml", "connections: {x: {a: {h: 1}, b: {default: false}}}\n");
    expect_problem("x", NULL, "invalid_connection_ref", "available: @x.a, @x.b", 7);
    expect_problem("x", "c", "invalid_connection_ref", "there is no connection \"@x.c\"", 7);
    expect_problem("x", "bc", "invalid_connection_ref", "did you mean \"@x.b\"?", 7);
    expect_problem("xy", NULL, "invalid_connection_ref", "did you mean \"@x\"?", 7);
    write_file("osiris_connections.yaml",
               "connections:\n  x:\n    a: {default: true}\n    b: {h: 1,\n     default: true}\n");
    expect_problem("x", "a", "duplicate_default", "both \"@x.b\" and \"@x.a\" are the default", 5);
    write_file("osiris_connections.yaml", "connections:\n  x:\n    a: {default: mostly}\n");
    expect_problem("x", "a", "invalid_type", "must be true or false", 3);
    write_file("osiris_connections.yaml", "connection:\n  x: {}\n");
    expect_problem("x", "a", "missing_required_key", "\"connections\" is missing", 1);
    write_file("osiris_connections.yaml", "connections:\n  x:\n");
    expect_problem("x", "a", "invalid_connection_ref", "no connection of the family \"x\"", 7);
    expect_problem("y", NULL, "invalid_connection_ref", "no connection of the family \"y\"", 7);
    write_file("osiris_connections.yaml", "connections:\n  x:\n    a: mysql://root:hunter2@h\n");
    expect_problem("x", "a", "invalid_type", "must be a mapping", 3);
    write_file("osiris_connections.yaml", "connections:\n  [x]\n");
    expect_problem("x", "a", "invalid_type", "\"connections\" must be a mapping", 2);
    write_file("osiris_connections.yaml", "connections:\n  y: 5\n  x:\n    a: {}\n");
    expect_problem("x", "a", "invalid_type", "the family \"y\" must be a mapping", 2);
    write_file("osiris_connections.yaml", "just text\n");
    expect_problem("x", "a", "invalid_type", "the file must be a mapping", 1);
}
END_TEST

static json_object *resolved_field(const char *value, const char *name)
{
    char text[500];

    snprintf(text, sizeof text, "connections:\n  x:\n    default:\n      %s: %s\n", name, value);
    write_file("osiris_connections.yaml", text);
    struct result result = resolve(NULL, "x", NULL);
    if (result.fields == NULL)
        diagnostics_print(&result.diagnostics, stdout, false);
    ck_assert_ptr_nonnull(result.fields);
    json_object *field = json_object_get(json_member(result.fields, name));
    clear(&result);
    return field;
}

static const struct {
    const char *name, *value, *json;
} values[] = {
    {"host", "${T_HOST}", "\"db.example\""},
    {"host", "pre-${T_HOST}:${T_PORT}-post", "\"pre-db.example:3307-post\""},
    {"port", "${T_PORT}", "3307"},
    {"port", "\"${T_PORT}\"", "\"3307\""},
    {"port", "${T_UNSET:-3306}", "3306"},
    {"host", "${T_UNSET:-}", "null"},
    {"host", "\"${T_UNSET:-}\"", "\"\""},
    {"host", "${T_EMPTY:-other}", "\"other\""},
    {"host", "\"${T_EMPTY}\"", "\"\""},
    {"host", "${T_HOST:-other}", "\"db.example\""},
    {"host", "${T_UNSET:-a:-b}", "\"a:-b\""},
    {"host", "\"$T_HOST\"", "\"$T_HOST\""},
    /* Secrets stay the text that they are. */
    {"password", "${T_HEX}", "\"0x10\""},
    {"password", "${T_YES}", "\"yes\""},
    {"password", "${T_TILDE}", "\"~\""},
    {"password", "1e5", "\"1e5\""},
    {"password", "0x10", "\"0x10\""},
    {"password", "\"\"", "\"\""},
    {"password", "", "null"},
    {"opaque", "${T_HEX}", "\"0x10\""},
    /* Variables and secrets lie deeper, too. */
    {"options", "{a: [\"${T_HOST}\", 5], headers: {Authorization: \"Bearer ${T_YES}\"}}",
     "{\"a\":[\"db.example\",5],\"headers\":{\"Authorization\":\"Bearer yes\"}}"},
};

static void set_variables(void)
{
    setenv("T_HOST", "db.example", 1);
    setenv("T_PORT", "3307", 1);
    setenv("T_EMPTY", "", 1);
    setenv("T_HEX", "0x10", 1);
    setenv("T_YES", "yes", 1);
    setenv("T_TILDE", "~", 1);
    unsetenv("T_UNSET");
}

START_TEST(test_variables)
{
    set_variables();
    _cleanup_json_ json_object *field = resolved_field(values[_i].value, values[_i].name);
    const char *json =
        field == NULL ? "null" : json_object_to_json_string_ext(field, JSON_C_TO_STRING_PLAIN);
    ck_assert_msg(strcmp(json, values[_i].json) == 0, "%s: %s is %s", values[_i].name,
                  values[_i].value, json);
}
END_TEST

START_TEST(test_an_unset_variable_is_named_with_its_line)
{
    unsetenv("T_UNSET");
    write_file("osiris_connections.yaml", "connections:\n  x:\n    a: {host: h,\n"
                                          "        port: \"${T_UNSET}\"}\n"
                                          "    b: {host: ok, default: true}\n");
    expect_problem("x", "a", "unset_variable", "T_UNSET", 4);
    for (size_t i = 0; i < 3; i++) {
        static const char *const wrong[] = {"${T_HOME", "${}", "${a b:-c}"};
        char text[128];
        snprintf(text, sizeof text, "connections:\n  x:\n    a:\n      host: \"%s\"\n", wrong[i]);
        write_file("osiris_connections.yaml", text);
        expect_problem("x", "a", "invalid_variable", "write ${NAME}", 4);
    }
    write_file("osiris_connections.yaml", "connections:\n  x:\n    b: {host: ok, default: true}\n");
    /* It does not matter to whoever does not use it. */
    struct result result = resolve(NULL, "x", NULL);
    ck_assert_str_eq(json_member_string(result.fields, "host", ""), "ok");
    clear(&result);
}
END_TEST

START_TEST(test_dotenv)
{
    unsetenv("T_A");
    unsetenv("T_B");
    setenv("T_C", "environment", 1);
    write_file("osiris_connections.yaml",
               "connections: {x: {default: {a: \"${T_A}\", b: \"${T_B}\", c: \"${T_C}\", d: \"${T_D}\", "
               "e: \"${T_E}\", f: \"${T_F}\", g: \"${T_G:-unset}\"}}}\n");
    write_file(".env", "# comment\n\n  T_A = plain value # comment\r\nexport T_B='single # quoted'\n"
                       "T_C=file\nT_D=\"double = quoted\"\nT_E=a#b\n#T_G=no\nnonsense\n=x\nT_G=\"open\n");
    ck_assert_int_eq(mkdir("testing_env", 0700), 0);
    write_file("testing_env/.env", "T_A=other\nT_F=testing\n");
    struct result result = resolve(NULL, "x", NULL);
    if (result.fields == NULL)
        diagnostics_print(&result.diagnostics, stdout, false);
    ck_assert_ptr_nonnull(result.fields);
    ck_assert_str_eq(json_object_to_json_string_ext(result.fields, JSON_C_TO_STRING_PLAIN),
                     "{\"a\":\"plain value\",\"b\":\"single # quoted\",\"c\":\"environment\","
                     "\"d\":\"double = quoted\",\"e\":\"a#b\",\"f\":\"testing\",\"g\":\"unset\"}");
    clear(&result);
    ck_assert_ptr_null(getenv("T_A")); /* the process's own environment is left alone */
}
END_TEST

static bool has_secret(json_object *secrets, const char *text)
{
    for (size_t i = 0; i < json_array_count(secrets); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(secrets, i)), text) == 0)
            return true;
    return false;
}

START_TEST(test_secrets_are_collected)
{
    setenv("T_PASSWORD", "from-variable", 1);
    write_file("osiris_connections.yaml",
               "connections:\n  x:\n    default:\n      host: public-host\n"
               "      password: ${T_PASSWORD}\n      opaque: spec-secret\n      token: 12345678\n"
               "      headers: {Authorization: deep-secret, other: public-value}\n"
               "      credentials: {user: inner-user, list: [inner-item]}\n");
    struct result result = resolve(NULL, "x", NULL);
    ck_assert_ptr_nonnull(result.fields);
    static const char *const secret[] = {"from-variable", "spec-secret", "12345678", "deep-secret"};
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        ck_assert_msg(has_secret(result.secrets, secret[i]), "%s is not taken for secret", secret[i]);
    ck_assert(!has_secret(result.secrets, "public-host"));
    ck_assert(!has_secret(result.secrets, "public-value"));
    /* Each that stands in the file itself is warned of, but never shown. */
    ck_assert_uint_ge(result.diagnostics.warnings, 3);
    for (size_t i = 0; i < result.diagnostics.count; i++) {
        ck_assert_str_eq(result.diagnostics.items[i].type, "literal_secret");
        ck_assert_ptr_null(result.diagnostics.items[i].line_text);
        ck_assert_ptr_null(strstr(result.diagnostics.items[i].message, "spec-secret"));
    }
    clear(&result);
}
END_TEST

/* Whatever is wrong with the file: no line of it is shown, a secret may stand there. */
/* As with --pass-env: a variable's name says it, too, whatever the field. */
START_TEST(test_variables_with_secret_names)
{
    static const char *const secret[] = {"t0ken-value", "a-default", "deep-value"};

    ck_assert_int_eq(setenv("API_TOKEN", "t0ken-value", 1), 0);
    ck_assert_int_eq(setenv("DB_PASSWORD", "deep-value", 1), 0);
    ck_assert_int_eq(setenv("REGION", "region-value", 1), 0);
    ck_assert_int_eq(unsetenv("OTHER_TOKEN"), 0);
    write_file("osiris_connections.yaml",
               "connections: {x: {default: {init: \"set @t='${API_TOKEN}', @r='${REGION}'\", other: '${OTHER_TOKEN:-a-default}',\n"
               "  list: [1, {deep: 'x${DB_PASSWORD}y'}]}}}\n");
    struct result result = resolve(NULL, "x", NULL);
    for (size_t i = 0; i < 3; i++)
        ck_assert_msg(has_secret(result.secrets, secret[i]), "%s is not taken for secret", secret[i]);
    ck_assert_uint_eq(json_array_count(result.secrets), 3);
    ck_assert_str_eq(json_member_string(result.fields, "init", ""), "set @t='t0ken-value', @r='region-value'");
    clear(&result);
}
END_TEST

START_TEST(test_no_line_of_the_file_is_shown)
{
    static const char *const texts[] = {
        "connections: {x: {default: {password: hunter2, host: \"${T_UNSET}\"}}}\n",
        "connections: {x: {default: \"mysql://root:hunter2@h\"}}\n",
        "connections: {x: {default: {password: hunter2, password: hunter2}}}\n",
        "connections: {x: {default: {password: hunter2, host: *nowhere}}}\n",
        "connections: {x: {default: {password: hunter2, host: ]}}\n",
    };

    unsetenv("T_UNSET");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = NULL;
        size_t length;
        write_file("osiris_connections.yaml", texts[i]);
        struct result result = resolve(NULL, "x", NULL);
        ck_assert_ptr_null(result.fields);
        FILE *stream = open_memstream(&text, &length);
        diagnostics_print(&result.diagnostics, stream, false);
        fclose(stream);
        ck_assert_uint_gt(result.diagnostics.errors, 0);
        ck_assert_msg(strstr(text, "hunter2") == NULL, "%s", text);
        free(text);
        clear(&result);
    }
}
END_TEST

START_TEST(test_alias_bombs_are_bounded)
{
    char text[8000] = "connections:\n  x:\n    default:\n      a0: &a0 [x, x, x, x, x, x, x, x]\n";

    for (int i = 1; i < 20; i++)
        sprintf(text + strlen(text), "      a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    write_file("osiris_connections.yaml", text);
    struct result result = resolve(NULL, "x", NULL);
    ck_assert_ptr_null(result.fields);
    ck_assert_str_eq(result.diagnostics.items[0].type, "too_large");
    clear(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connections");
    TCase *tcase = tcase_create("connections");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, leave);
    tcase_add_test(tcase, test_where_the_file_is_found);
    tcase_add_test(tcase, test_which_one_is_chosen);
    tcase_add_loop_test(tcase, test_variables, 0, (int)(sizeof values / sizeof values[0]));
    tcase_add_test(tcase, test_an_unset_variable_is_named_with_its_line);
    tcase_add_test(tcase, test_dotenv);
    tcase_add_test(tcase, test_secrets_are_collected);
    tcase_add_test(tcase, test_variables_with_secret_names);
    tcase_add_test(tcase, test_no_line_of_the_file_is_shown);
    tcase_add_test(tcase, test_alias_bombs_are_bounded);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
