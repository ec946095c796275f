/* Reading and compiling pipelines: every diagnostic by its type and line, parameters, graphs, plans. */
#include "unit.h"
#include "unit-folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/base/canonical-json.h"
#include "orchestrator/compile/compile.h"
#include "core/base/json-access.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/oml/yaml.h"

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.read\", \"aliases\": [\"x.extractor\"], \"kind\": \"extractor\", \"version\": \"1\","
    " \"spec\": {\"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\","
    "  \"additionalProperties\": false, \"required\": [\"need\"], \"properties\": {"
    "   \"need\": {\"type\": [\"string\", \"integer\"]}, \"count\": {\"type\": \"integer\", \"minimum\": 1, \"default\": 7},"
    "   \"write_mode\": {\"type\": \"string\"}, \"opaque\": {\"type\": \"string\"}}},"
    "  \"secrets\": [\"/opaque\"]}},"
    "{\"name\": \"x.db\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"],"
    "  \"configSchema\": {\"type\": \"object\", \"required\": [\"database\"], \"additionalProperties\": false,"
    "   \"properties\": {\"database\": {\"type\": \"string\"}, \"host\": {\"type\": \"string\"},"
    "    \"port\": {\"type\": \"integer\", \"default\": 1234}, \"password\": {\"type\": \"string\"},"
    "    \"mode\": {\"type\": \"string\", \"enum\": [\"a\", \"b\"], \"default\": \"a\"}}},"
    "  \"x-connection-fields\": [{\"name\": \"database\", \"override\": \"forbidden\"},"
    "   {\"name\": \"host\", \"override\": \"allowed\"}, {\"name\": \"port\", \"override\": \"warning\"},"
    "   {\"name\": \"password\", \"override\": \"forbidden\"}],"
    "  \"constraints\": {\"required\": [{\"when\": {\"mode\": \"b\"}, \"must\": {\"host\": {\"minLength\": 3}},"
    "   \"error\": \"mode b needs a host\"}]}}},"
    "{\"name\": \"x.pass\", \"kind\": \"processor\", \"version\": \"1\", \"spec\": {\"modes\": [\"transform\"], \"configSchema\": {\"properties\": {}}}},"
    "{\"name\": \"x.write\", \"kind\": \"writer\", \"version\": \"1\", \"spec\": {\"modes\": [\"write\"],"
    "  \"configSchema\": {\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\"},"
    "   \"write_mode\": {\"type\": \"string\"}, \"primary_key\": {\"type\": \"string\"}, \"nested\": {\"type\": \"object\"}}}}}"
    "]}]";

static struct registry *registry;
static void setup(void)
{
    json_object *descriptions = json_tokener_parse(components);

    ck_assert_ptr_nonnull(descriptions);
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
static struct compiled *compile(const char *text, const char *profile, const char *const *params,
                                struct diagnostics *diagnostics)
{
    const struct pipeline_options options = {
        .path = "p.yaml", .profile = profile, .params = params, .registry = registry};
    struct compiled *compiled = NULL;
    _cleanup_pipeline_ struct pipeline *pipeline = NULL;

    write_file("p.yaml", text);
    (void)pipeline_load(&options, diagnostics, &pipeline);
    if (pipeline == NULL)
        return NULL;
    const struct compile_options compile_options = {.pipeline = pipeline, .profile = profile};
    return compile_pipeline(&compile_options, diagnostics, &compiled) < 0 ? NULL : compiled;
}

#define HEAD "oml_version: \"0.1.0\"\nname: p\nsteps:\n"
#define READ "- {id: r, component: x.read, mode: read, config: {need: a}}\n"
#define WRITE "- {id: w, component: x.write, mode: write, config: {path: o}}\n"

static const struct {
    const char *text;
    const char *type;
    unsigned line;
    bool warning;
} cases[] = {
    {"", "empty_file", 0, false},
    {"# only a comment\n", "empty_file", 0, false},
    {"[1, 2]\n", "invalid_type", 1, false},
    {"just text\n", "invalid_type", 1, false},
    {"a: [\n", "invalid_yaml", 2, false},
    {"a: 1\n---\nb: 2\n", "invalid_yaml", 2, false},
    {"a: 1\na: 2\n", "duplicate_key", 2, false},
    {"a: *nowhere\n", "invalid_alias", 1, false},
    {"a: &x [*x]\n", "invalid_alias", 1, false},
    {"? [a]\n: b\n", "invalid_key", 1, false},
    {"name: p\nsteps:\n" READ WRITE, "missing_required_key", 1, false},
    {HEAD READ WRITE "tasks: []\n", "forbidden_key", 6, false},
    {HEAD READ WRITE "stepz: []\n", "unknown_key", 6, true},
    {"oml_version: 0.1\nname: p\nsteps:\n" READ WRITE, "invalid_version_type", 1, false},
    {"oml_version: \"1.0\"\nname: p\nsteps:\n" READ WRITE, "unsupported_version", 1, false},
    {"oml_version: \"0.2.0\"\nname: p\nsteps:\n" READ WRITE, "unsupported_version", 1, true},
    {"oml_version: \"0.1.0\"\nname: 7\nsteps:\n" READ WRITE, "invalid_name_type", 2, false},
    {"oml_version: \"0.1.0\"\nname: \"\"\nsteps:\n" READ WRITE, "empty_name", 2, false},
    {"oml_version: \"0.1.0\"\nname: My Name\nsteps:\n" READ WRITE, "naming_convention", 2, true},
    {"oml_version: \"0.1.0\"\nname: p\nsteps: {}\n", "invalid_steps_type", 3, false},
    {"oml_version: \"0.1.0\"\nname: p\nsteps: []\n", "empty_steps", 3, false},
    {HEAD "- text\n", "invalid_step_type", 4, false},
    {HEAD "- {component: x.read, mode: read, config: {need: a}}\n" WRITE, "missing_step_field", 4, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, cfg: {}}\n", "unknown_step_key", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: soon}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: 0}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: -1}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: 31d}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: 1e3s}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: [1]}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: true}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: {step_ms: 1.5}}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: {setp_ms: 5}}\n", "invalid_timeout", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, timeout: \"${params.limit}\"}\n", "unresolved_parameter", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: 3}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {max_attempts: 0}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {max_attempts: 101}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {max_attempts: \"3\"}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {attempts: 3}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {backoff: random}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {initial_delay_ms: -1}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {initial_delay_ms: 100, max_delay_ms: 99}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {jitter: 1.5}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {jitter: some}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {on_errors: io}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {on_errors: []}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {on_errors: [odd]}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {on_errors: [cancelled]}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {on_errors: [io], skip_on_errors: [io]}}\n", "invalid_retry", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, retry: {unsafe: 1}}\n", "invalid_retry", 5, false},
    {HEAD "- {id: 7, component: x.read, mode: read, config: {need: a}}\n" WRITE, "invalid_id_type", 4, false},
    {HEAD "- {id: a/b, component: x.read, mode: read, config: {need: a}}\n" WRITE, "invalid_id", 4, false},
    {HEAD "- {id: ../x, component: x.read, mode: read, config: {need: a}}\n" WRITE, "invalid_id", 4, false},
    {HEAD READ READ WRITE, "duplicate_id", 5, false},
    {HEAD READ "- {id: w, component: [], mode: write}\n", "invalid_component_type", 5, false},
    {HEAD READ "- {id: w, component: x.wrote, mode: write}\n", "unknown_component", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: 3}\n", "invalid_mode_type", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: wrote}\n", "invalid_mode", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: read}\n", "incompatible_mode", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, needs: r}\n", "invalid_needs_type", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, needs: [[r]]}\n", "invalid_dependency_type", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, needs: [q]}\n", "unknown_dependency", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, inputs: {df: \"${q.df}\"}}\n", "unknown_dependency", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, inputs: {df: q}}\n", "invalid_input", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, inputs: {df: \"${r.other}\"}}\n", "invalid_input", 5, false},
    {HEAD READ WRITE "- {id: v, component: x.write, mode: write, inputs: {df: \"${w.df}\"}}\n", "invalid_input", 6, false},
    {HEAD "- {id: a, component: x.pass, mode: transform, needs: [b]}\n- {id: b, component: x.pass, mode: transform, needs: [a]}\n",
     "cycle", 4, false},
    {HEAD "- {id: a, component: x.pass, mode: transform, needs: [a]}\n", "cycle", 4, false},
    {HEAD "- {id: w, component: x.write, mode: write, config: {path: o}}\n", "missing_input", 4, false},
    {HEAD READ "- {id: s, component: x.read, mode: read, config: {need: a}, inputs: {df: \"${r.df}\"}}\n", "unexpected_input", 5, false},
    {HEAD READ, "unread_output", 4, true},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: [a]}\n", "invalid_config_type", 5, false},
    {HEAD "- {id: r, component: x.read, mode: read, config: {need: a, cuont: 3}}\n" WRITE, "unknown_config_key", 4, false},
    {HEAD "- {id: r, component: x.read, mode: read}\n" WRITE, "missing_config_key", 4, false},
    {HEAD "- id: r\n  component: x.read\n  mode: read\n  config:\n    need: a\n    count: 0\n" WRITE, "invalid_config_value", 9, false},
    {HEAD "- {id: r, component: x.read, mode: read, config: {need: [a]}}\n" WRITE, "invalid_config_value", 4, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {write_mode: upsert}}\n", "missing_required_field", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {write_mode: odd}}\n", "unknown_write_mode", 5, true},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {nested: {api_key: abcdefgh}}}\n", "inline_secret", 5, false},
    {HEAD "- {id: r, component: x.read, mode: read, config: {need: a, opaque: abcdefgh}}\n" WRITE, "inline_secret", 4, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {connection: shop}}\n", "invalid_connection_ref", 5, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {connection: \"@x.shop\"}}\n", "invalid_connection_ref", 5, false},
    {HEAD "- {id: d, component: x.db, mode: read}\n" WRITE, "invalid_connection_ref", 4, false},
    {HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@y.shop\"}}\n" WRITE, "invalid_connection_ref", 4, false},
    {HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.main\", database: z}}\n" WRITE, "forbidden_override", 4, false},
    {HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.main\", port: 5}}\n" WRITE, "connection_override", 4, true},
    {HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.main\", mode: b, host: ab}}\n" WRITE, "invalid_config", 4, false},
    {HEAD READ "- {id: w, component: x.write, mode: write, config: {path: \"${params.where}\"}}\n", "unresolved_parameter", 5, false},
    {HEAD READ WRITE "params: [a]\n", "invalid_type", 6, false},
    {HEAD READ WRITE "metadata: [a]\n", "invalid_type", 6, false},
};
#define CASE_COUNT (sizeof cases / sizeof cases[0])

static void write_connections(void)
{
    write_file("osiris_connections.yaml",
               "connections:\n  x:\n    main: {database: d, host: h, password: \"${TEST_SECRET:-s3cret-value}\"}\n"
               "    other: {database: \"${TEST_UNSET_VARIABLE}\", default: true}\n");
}

/* Place, offending line, caret, and what to do about it. The line of a secret is not shown, nor any of a connections file. */
static void check_shape(const struct diagnostic *item)
{
    bool hidden =
        strcmp(item->type, "inline_secret") == 0 || strstr(item->file, "connections") != NULL;

    /* Of a file without YAML there is none. */
    if (strcmp(item->type, "empty_file") == 0 || strcmp(item->type, "invalid_yaml") == 0)
        return;
    ck_assert_msg(item->line > 0 && item->column > 0, "%s: %s: no place", item->type,
                  item->message);
    ck_assert_msg(hidden || item->line_text != NULL, "%s: %s: no line", item->type, item->message);
    /* A text that says what must be there needs none. */
    bool says_it =
        strstr(item->message, " must be ") != NULL || strstr(item->message, " needs ") != NULL;
    ck_assert_msg(says_it || item->hint != NULL, "%s: %s: no hint", item->type, item->message);
}

START_TEST(test_every_diagnostic)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    bool found = false;

    if (strstr(cases[_i].text, "@x.") != NULL)
        write_connections();
    struct compiled *compiled = compile(cases[_i].text, NULL, NULL, &diagnostics);
    ck_assert_msg((compiled != NULL) == cases[_i].warning, "case %d (%s) compiles: %d", _i,
                  cases[_i].type, compiled != NULL);
    compiled_free(compiled);
    for (size_t i = 0; i < diagnostics.count; i++) {
        const struct diagnostic *item = &diagnostics.items[i];
        check_shape(item);
        found |= strcmp(item->type, cases[_i].type) == 0 &&
                 (item->severity == DIAGNOSTIC_WARNING) == cases[_i].warning &&
                 (cases[_i].line == 0 || item->line == cases[_i].line);
    }
    if (!found)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_msg(found, "case %d: no \"%s\" at line %u", _i, cases[_i].type, cases[_i].line);
}
END_TEST

START_TEST(test_secrets_are_in_no_diagnostic)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    char *text = NULL;
    size_t length;

    ck_assert_ptr_null(compile(HEAD "- {id: r, component: x.read, mode: reed, config: {need: a, "
                                    "password: hunter2-hunter2, count: 0}}\n" WRITE,
                               NULL, NULL, &diagnostics));
    FILE *stream = open_memstream(&text, &length);
    diagnostics_print(&diagnostics, stream, false);
    fclose(stream);
    ck_assert_msg(strstr(text, "hunter2") == NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "inline_secret"));
    free(text);
}
END_TEST

/* One variable and nothing else is what the field takes, in quotes or not. */
START_TEST(test_variables_take_the_type_of_their_field)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    setenv("T_YEAR", "2024", 1);
    write_file("osiris_connections.yaml",
               "connections:\n  x:\n    a:\n      database: ${T_YEAR}\n      host: \"${T_YEAR}\"\n"
               "      port: \"${T_NO_PORT:-3307}\"\n"
               "    b: {database: d, port: \"33${T_YEAR}\"}\n");
    _cleanup_compiled_ struct compiled *compiled = compile(
        HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.a\"}}\n" WRITE, NULL,
        NULL, &diagnostics);
    ck_assert_ptr_nonnull(compiled);
    json_object *fields = json_member(compiled->connections, "d");
    ck_assert_str_eq(json_member_string(fields, "database", ""), "2024");
    ck_assert_str_eq(json_member_string(fields, "host", ""), "2024");
    ck_assert_int_eq(json_member_integer(fields, "port", 0), 3307);
    ck_assert_ptr_null(compile(
        HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.b\"}}\n" WRITE, NULL,
        NULL, &diagnostics));
}
END_TEST

START_TEST(test_only_used_connections_are_resolved)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    write_connections();
    _cleanup_compiled_ struct compiled *compiled =
        compile(HEAD "- {id: d, component: x.db, mode: read, config: {connection: \"@x.main\"}}\n" WRITE,
                NULL, NULL, &diagnostics);
    ck_assert_ptr_nonnull(compiled);
    json_object *fields = json_member(compiled->connections, "d");
    ck_assert_str_eq(json_member_string(fields, "password", ""), "s3cret-value");
    ck_assert_int_eq(json_member_integer(fields, "port", 0), 1234);
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(compiled->secrets, 0)),
                     "s3cret-value");
    /* Nothing that is written has it. */
    ck_assert_ptr_null(strstr(json_object_to_json_string(compiled->manifest), "s3cret"));
    ck_assert_ptr_null(strstr(json_object_to_json_string(compiled->configs), "s3cret"));
    ck_assert_ptr_null(strstr(json_object_to_json_string(compiled->plan->json), "s3cret"));
    ck_assert_ptr_null(compile(HEAD "- {id: d, component: x.db, mode: read}\n" WRITE, NULL, NULL,
                               &diagnostics));
    ck_assert_str_eq(diagnostics.items[diagnostics.count - 1].type, "unset_variable");
    ck_assert_ptr_nonnull(strstr(diagnostics.items[diagnostics.count - 1].message,
                                 "TEST_UNSET_VARIABLE"));
    ck_assert_uint_eq(diagnostics.items[diagnostics.count - 1].line, 4);
}
END_TEST

#define PARAMETERS                                                                                 \
    "params: {n: {default: 1}, s: text}\nprofiles: {big: {params: {n: 5}}}\n" HEAD                 \
    "- {id: r, component: x.read, mode: read, config: {need: \"${params.s}-${params.n}\", count: \"${params.n}\"}}\n" WRITE

static void expect_parameters(const char *profile, const char *const *params, const char *need,
                              int64_t count, char hash[65])
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_compiled_ struct compiled *compiled =
        compile(PARAMETERS, profile, params, &diagnostics);

    if (compiled == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(compiled);
    json_object *config = json_member(compiled->configs, "r");
    ck_assert_str_eq(json_member_string(config, "need", ""), need);
    ck_assert_int_eq(json_member_integer(config, "count", -1), count);
    strcpy(hash, compiled->manifest_hash);
}

START_TEST(test_parameters_and_fingerprints)
{
    static const char *const given[] = {"n=9", "s=say", NULL};
    char first[65], again[65], other[65];

    expect_parameters(NULL, NULL, "text-1", 1, first);
    expect_parameters(NULL, NULL, "text-1", 1, again);
    ck_assert_str_eq(first, again);
    expect_parameters("big", NULL, "text-5", 5, other);
    ck_assert_str_ne(first, other);
    setenv("OSIRIS_PARAM_S", "env", 1);
    setenv("OSIRIS_PARAM_N", "3", 1);
    expect_parameters(NULL, NULL, "env-3", 3, other);
    ck_assert_str_ne(first, other);
    expect_parameters("big", NULL, "env-5", 5, other);
    expect_parameters("big", given, "say-9", 9, other);
    unsetenv("OSIRIS_PARAM_S");
    unsetenv("OSIRIS_PARAM_N");
}
END_TEST

/* Graphs: "a>b b>c" lists steps in the order of their first mention (readers r…, processors p…, writers w…). */

static const struct {
    const char *steps;
    const char *elastic; /* edges "a>b " that must be; all others are bounded */
    const char *groups;  /* "rw rw": ids of each, in order */
} graphs[] = {
    {"r p:r w:p", "", "r,p,w"},
    {"r w:r v:r", "", "r,w,v"},
    {"r s p:r,s w:p", "", "r,s,p,w"},
    {"r p:r q:r z:p,q w:z", "r>p r>q p>z q>z ", "r,p,q,z,w"},
    /* two pairs in a row: the second waits for the first */
    {"r w:r s!w v:s", "", "r,w s,v"},
    /* a control relation that closes a cycle: w waits for v, both read r */
    {"r v:r w:r!v", "r>v r>w ", "r,v,w"},
    /* groups that wait for each other in a circle are one */
    {"r s!r x:s t!x w:r,t", "r>w t>w s>x ", "r,s,x,t,w"},
};

/* "p:r,s!w" → id p, streams from r and s, waits for w; extractors are r s t, writers v w x, the rest processors. */
static void add_step(char *text, const char *word)
{
    char id = word[0];
    const char *streams = strchr(word, ':'), *waits = strchr(word, '!');
    const char *component = strchr("rst", id) ? "x.read" : strchr("vwx", id) ? "x.write" : "x.pass";
    const char *mode = strchr("rst", id) ? "read" : strchr("vwx", id) ? "write" : "transform";
    char needs[64] = "", inputs[256] = "";

    for (const char *c = streams == NULL ? NULL : streams + 1; c != NULL && *c != '\0' && *c != '!'; c++)
        if (*c != ',') {
            sprintf(needs + strlen(needs), "%s%c", needs[0] ? ", " : "", *c);
            sprintf(inputs + strlen(inputs), "%sdf_%c: \"${%c.df}\"", inputs[0] ? ", " : "", *c, *c);
        }
    if (waits != NULL)
        sprintf(needs + strlen(needs), "%s%c", needs[0] ? ", " : "", waits[1]);
    sprintf(text + strlen(text), "- {id: %c, component: %s, mode: %s, needs: [%s]%s%s%s, config: {%s}}\n",
            id, component, mode, needs, inputs[0] ? ", inputs: {" : "", inputs, inputs[0] ? "}" : "",
            strchr("rst", id) ? "need: a" : "");
}

START_TEST(test_graphs)
{
    char text[4096] = HEAD, words[256], elastic[256] = "", groups[256] = "";
    char *rest;
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    strcpy(words, graphs[_i].steps);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        add_step(text, word);
    _cleanup_compiled_ struct compiled *compiled = compile(text, NULL, NULL, &diagnostics);
    if (compiled == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(compiled);
    json_object *edges = json_member(compiled->plan->json, "edges");
    for (size_t i = 0; i < json_array_count(edges); i++) {
        json_object *edge = json_object_array_get_idx(edges, i);
        char name[16];
        snprintf(name, sizeof name, "%s>%s ", json_member_string(edge, "from", ""),
                 json_member_string(edge, "to", ""));
        bool is_elastic = strcmp(json_member_string(edge, "mode", ""), "elastic") == 0;
        ck_assert_msg(is_elastic == (strstr(graphs[_i].elastic, name) != NULL), "%s in %s", name,
                      graphs[_i].steps);
        if (is_elastic)
            strcat(elastic, name);
    }
    ck_assert_uint_eq(strlen(elastic), strlen(graphs[_i].elastic));
    json_object *list = json_member(compiled->plan->json, "groups");
    for (size_t i = 0; i < json_array_count(list); i++) {
        json_object *ids = json_member(json_object_array_get_idx(list, i), "steps");
        for (size_t j = 0; j < json_array_count(ids); j++)
            sprintf(groups + strlen(groups), "%s%s", j > 0 ? "," : i > 0 ? " " : "",
                    json_object_get_string(json_object_array_get_idx(ids, j)));
    }
    ck_assert_str_eq(groups, graphs[_i].groups);
}
END_TEST

START_TEST(test_names_of_inputs_from_needs)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_compiled_ struct compiled *compiled = compile(
        HEAD "- {id: a-b.c, component: x.read, mode: read, config: {need: a}}\n"
             "- {id: s, uses: x.extractor, mode: read, needs: [], with: {need: a}}\n"
             "- {id: p, component: x.pass, mode: transform, needs: [a-b.c, s]}\n" WRITE,
        NULL, NULL, &diagnostics);

    if (compiled == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_ptr_nonnull(compiled);
    json_object *steps = json_member(compiled->plan->json, "steps");
    json_object *inputs = json_member(json_object_array_get_idx(steps, 2), "inputs");
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(inputs, 0), "name", ""), "df_a_b_c");
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(inputs, 1), "name", ""), "df_s");
    inputs = json_member(json_object_array_get_idx(steps, 3), "inputs");
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(inputs, 0), "name", ""), "df");
    ck_assert_str_eq(json_member_string(json_object_array_get_idx(steps, 1), "driver", ""), "x.read");
}
END_TEST

START_TEST(test_canonical_yaml_reads_back)
{
    static const char json[] = "{\"a\": [1, -2.5, true, null, \"yes\", \"007\", \"\", \"a: b\\n# c\", {\"x\": []}],"
                               "\"b c\": {}, \"d\": {\"e\": [[1], [2, {\"f\": \"ž\"}]]}}";
    _cleanup_json_ json_object *value = json_tokener_parse(json);
    _cleanup_buffer_ struct buffer yaml = BUFFER_INIT(10000);
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;

    ck_assert_int_eq(canonical_yaml(value, &yaml), 0);
    write_file("v.yaml", yaml.data);
    struct yaml_document *document = yaml_load("v.yaml", &diagnostics);
    if (document == NULL)
        diagnostics_print(&diagnostics, stdout, false);
    ck_assert_msg(document != NULL, "%s", yaml.data);
    _cleanup_json_ json_object *back = yaml_to_json(yaml_root(document));
    yaml_free(document);
    ck_assert_msg(json_object_equal(value, back), "%s\n%s", yaml.data,
                  json_object_to_json_string(back));
}
END_TEST

START_TEST(test_random_damage_is_never_a_crash)
{
    static const char good[] = PARAMETERS "metadata: {a: [1, 2, {b: \"c\"}]}\n";
    unsigned seed = 4711;
    char text[sizeof good];

    for (int round = 0; round < 3000; round++) {
        _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
        memcpy(text, good, sizeof good);
        for (int i = 0; i <= rand_r(&seed) % 4; i++)
            text[(size_t)rand_r(&seed) % (sizeof good - 1)] =
                "{}[]:,&*!|>'\"%@`\n\t -#?ax0"[rand_r(&seed) % 26];
        struct compiled *compiled = compile(text, NULL, NULL, &diagnostics);
        ck_assert(compiled != NULL || diagnostics.errors > 0);
        compiled_free(compiled);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *tcase = tcase_create("pipeline");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_every_diagnostic, 0, (int)CASE_COUNT);
    tcase_add_test(tcase, test_secrets_are_in_no_diagnostic);
    tcase_add_test(tcase, test_only_used_connections_are_resolved);
    tcase_add_test(tcase, test_variables_take_the_type_of_their_field);
    tcase_add_test(tcase, test_parameters_and_fingerprints);
    tcase_add_loop_test(tcase, test_graphs, 0, (int)(sizeof graphs / sizeof graphs[0]));
    tcase_add_test(tcase, test_names_of_inputs_from_needs);
    tcase_add_test(tcase, test_canonical_yaml_reads_back);
    tcase_add_test(tcase, test_random_damage_is_never_a_crash);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
