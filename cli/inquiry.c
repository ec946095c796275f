/* One request to a component; see inquiry.h. */
#include <config.h>

#include "cli/inquiry.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/registry/adapter-file.h"
#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "orchestrator/compile/compile.h"
#include "orchestrator/oml/connections.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "orchestrator/registry/paths.h"
#include "core/base/remove-tree.h"
#include "orchestrator/session/session.h"

#define STEP_ID "ask"

/* Finding the component. */

/* Whether it is a connection of the list (connections.h), or names a family in it. */
static bool is_listed(json_object *list, const char *reference)
{
    for (size_t i = 0; i < json_array_count(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        if (strcmp(json_member_string(entry, "connection", ""), reference) == 0 ||
            strcmp(json_member_string(entry, "family", ""), reference + 1) == 0)
            return true;
    }
    return false;
}

/* A hint: what was probably meant, or how to list all of them. */
static void hint_at_others(json_object *list, const char *reference, struct osiris_error *error)
{
    _cleanup_free_ const char **names = calloc(json_array_count(list) + 1, sizeof *names);

    for (size_t i = 0; i < json_array_count(list); i++)
        names[i] = json_member_string(json_object_array_get_idx(list, i), "connection", "");
    _cleanup_free_ char *question = near_miss_question(reference, names, json_array_count(list));
    osiris_error_hint(error, "%s",
                      question == NULL ? "\"osiris connections list\" shows all connections"
                                       : question);
}

int inquiry_check_reference(const char *reference, struct osiris_error *error)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    const char *dot = strchr(reference, '.');

    if (reference[0] != '@' || reference[1] == '\0' || reference[1] == '.' ||
        (dot != NULL && dot[1] == '\0')) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is not a connection", reference);
        return osiris_error_hint(error, "write @family.alias, for example @mysql.shop");
    }
    struct connections *connections = connections_load(getenv("OSIRIS_HOME"), &diagnostics);
    /* A file that is broken or missing is reported by whoever needs it. */
    if (connections == NULL || connections_path(connections) == NULL) {
        connections_free(connections);
        return 0;
    }
    _cleanup_json_ json_object *list = connections_list(connections);
    connections_free(connections);
    if (is_listed(list, reference))
        return 0;
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no connection \"%s\"", reference);
    hint_at_others(list, reference, error);
    return -1;
}

const struct component *inquiry_component(struct registry *registry, const char *reference,
                                          struct osiris_error *error)
{
    size_t length = strcspn(reference + 1, ".");
    const struct component *found = NULL;

    for (size_t i = 0; i < registry_count(registry); i++) {
        const struct component *component = registry_get(registry, i);
        if (strncmp(component->name, reference + 1, length) != 0 || component->name[length] != '.')
            continue;
        if (found == NULL || (component->kind == OSIRIS_EXTRACTOR && found->kind != OSIRIS_EXTRACTOR))
            found = component;
    }
    if (found == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "there is no component of the family \"%.*s\"",
                         (int)length, reference + 1);
        osiris_error_hint(error, "\"osiris components list\" shows all components");
    }
    return found;
}

/* The pipeline of one step. */

struct asking {
    const struct inquiry *inquiry;
    char folder[4096];
    struct pipeline *pipeline;
    struct compiled *compiled;
    struct redactor *redactor;
    struct rundir *rundir;
    struct session_result result;
    char run_id[CLOCK_ULID_SIZE];
};

static const char *mode_of(int kind)
{
    return kind == OSIRIS_EXTRACTOR ? "read" : kind == OSIRIS_WRITER ? "write" : "transform";
}

/* JSON is YAML. */
static char *pipeline_text(const struct inquiry *inquiry)
{
    _cleanup_json_ json_object *pipeline = json_object_new_object();
    json_object *steps = json_object_new_array();
    json_object *step = json_object_new_object();
    json_object *config = inquiry->config == NULL ? json_object_new_object() : json_copy(inquiry->config);

    json_add_string(config, "connection", inquiry->connection);
    json_add_string(step, "id", STEP_ID);
    json_add_string(step, "component", inquiry->component->name);
    json_add_string(step, "mode", mode_of(inquiry->component->kind));
    json_add(step, "config", config);
    json_append(steps, step);
    json_add_string(pipeline, "oml_version", "0.1.0");
    json_add_string(pipeline, "name", inquiry->verb);
    json_add(pipeline, "steps", steps);
    return strdup(json_text(pipeline, JSON_C_TO_STRING_PLAIN, NULL));
}

/* The user has not written this file, so only the diagnostics' messages are shown. */
static int diagnostics_error(const struct diagnostics *diagnostics, struct osiris_error *error)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->severity != DIAGNOSTIC_ERROR)
            continue;
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%s", item->message);
        if (item->hint != NULL)
            osiris_error_hint(error, "%s", item->hint);
        return -1;
    }
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the request cannot be compiled");
}

static int compile(struct asking *asking, struct osiris_error *error)
{
    _cleanup_diagnostics_ struct diagnostics diagnostics = DIAGNOSTICS_INIT;
    _cleanup_free_ char *text = pipeline_text(asking->inquiry);
    _cleanup_free_ char *path = memory_format("%s/question.yaml", asking->folder);

    if (atomic_file_write(path, text, strlen(text), 0600, error) < 0)
        return -1;
    const struct pipeline_options load = {.path = path, .registry = asking->inquiry->registry};
    if (pipeline_load(&load, &diagnostics, &asking->pipeline) < 0)
        return diagnostics_error(&diagnostics, error);
    const struct compile_options options = {
        .pipeline = asking->pipeline,
        .osiris_home = getenv("OSIRIS_HOME"),
        .verb = asking->inquiry->verb,
    };
    if (compile_pipeline(&options, &diagnostics, &asking->compiled) < 0)
        return diagnostics_error(&diagnostics, error);
    return 0;
}

/* Asking. */

static void fill_redactor(struct asking *asking)
{
    json_object *secrets = asking->compiled->secrets;

    asking->redactor = redactor_new();
    for (size_t i = 0; i < json_array_count(secrets); i++)
        redactor_add(asking->redactor, json_object_get_string(json_object_array_get_idx(secrets, i)));
}

static int open_records(struct asking *asking, struct osiris_error *error)
{
    _cleanup_free_ char *run_dir = memory_format("%s/run", asking->folder);

    clock_ulid(asking->run_id);
    const struct rundir_options options = {
        .base_dir = asking->folder,
        .run_dir = run_dir,
        .slug = asking->compiled->slug,
        .run_id = asking->run_id,
        .manifest_short = asking->compiled->manifest_short,
        .redactor = asking->redactor,
    };
    asking->rundir = rundir_open(&options, error);
    return asking->rundir == NULL ? -1 : 0;
}

static int run_session(struct asking *asking, struct osiris_error *error)
{
    const struct session_options options = {
        .compiled = asking->compiled,
        .registry = asking->inquiry->registry,
        .rundir = asking->rundir,
        .redactor = asking->redactor,
        .run_id = asking->run_id,
        .verb = asking->inquiry->verb,
        .adapter = "local",
        .worker_path = paths_worker(),
        .adapter_path = paths_adapter_path(),
        .adapter_dir = paths_adapter_dir(),
        .version = PACKAGE_VERSION,
    };

    memory_insist_no_more();
    int result = session_run(&options, &asking->result, error);
    memory_insist();
    return result;
}

static json_object *ask(struct asking *asking, struct osiris_error *error)
{
    const struct adapter_folders folders = {paths_adapter_path(), paths_adapter_dir()};

    json_object *spec = adapter_file_describe("local", &folders, NULL, error);

    json_object_put(spec);
    if (spec == NULL || compile(asking, error) < 0)
        return NULL;
    fill_redactor(asking);
    if (open_records(asking, error) < 0 || run_session(asking, error) < 0)
        return NULL;
    json_object *answer = json_member(json_member(asking->result.steps, STEP_ID), "result");
    if (answer == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the worker sent no answer");
        return NULL;
    }
    return json_object_get(answer);
}

static int make_folder(struct asking *asking, struct osiris_error *error)
{
    const char *where = getenv("TMPDIR");
    int length = snprintf(asking->folder, sizeof asking->folder, "%s/osiris-ask.XXXXXX",
                          where == NULL || where[0] == '\0' ? "/tmp" : where);

    if (length < 0 || (size_t)length >= sizeof asking->folder || mkdtemp(asking->folder) == NULL)
        return osiris_error_set_errno(error, errno, "cannot create a temporary folder");
    return 0;
}

json_object *inquiry_ask(const struct inquiry *inquiry, int *signal_number,
                         struct osiris_error *error)
{
    struct asking asking = {.inquiry = inquiry};

    *signal_number = 0;
    if (make_folder(&asking, error) < 0)
        return NULL;
    json_object *answer = ask(&asking, error);
    *signal_number = asking.result.signal_number;
    json_object_put(asking.result.steps);
    rundir_free(asking.rundir);
    redactor_free(asking.redactor);
    compiled_free(asking.compiled);
    pipeline_free(asking.pipeline);
    remove_tree(asking.folder);
    return answer;
}
