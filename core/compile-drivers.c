/* What only the drivers know to be wrong with configs; see compile-configs.h and ask-worker.h. */
#include <stdio.h>
#include <string.h>

#include "core/ask-worker.h"
#include "core/compile-configs.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/redact.h"

void compiler_add_question(struct config_compiler *compiler, json_object *config,
                           json_object *fields)
{
    const struct pipeline_step *step = compiler->step;
    json_object *question, *copy = NULL;

    if (!step->component->validates || compiler->connection_only ||
        compiler->pipeline->has_secret_params)
        return;
    if (compiler->questions == NULL)
        compiler->questions = json_object_new_array();
    question = json_object_new_object();
    if (json_object_deep_copy(config, &copy, NULL) < 0)
        copy = NULL;
    json_add_integer(question, "step", step - compiler->pipeline->steps);
    json_add_string(question, "step_id", step->id);
    json_add_string(question, "file", step->component->file);
    json_add_string(question, "driver", step->component->name);
    json_add_string(question, "component", step->component_name);
    json_add(question, "config", copy);
    json_add(question, "connection",
             fields == NULL ? json_object_new_object() : json_object_get(fields));
    json_append(compiler->questions, question);
}

/* No secret leaves for this. */
static json_object *without_secrets(const struct config_compiler *compiler)
{
    json_object *secrets = compiler->compiled->secrets;
    struct redactor *redactor = redactor_new();
    bool known = redactor != NULL;

    for (size_t i = 0; known && i < json_array_count(secrets); i++)
        known = redactor_add(redactor,
                             json_object_get_string(json_object_array_get_idx(secrets, i))) == 0;
    json_object *clean = json_object_new_array();
    for (size_t i = 0; known && i < json_array_count(compiler->questions); i++) {
        json_object *question = json_object_array_get_idx(compiler->questions, i);
        json_object *copy = json_object_new_object();
        json_object_object_foreach(question, key, value)
        {
            json_add(copy, key,
                     strcmp(key, "connection") == 0 ? redactor_json(redactor, value)
                                                    : json_object_get(value));
        }
        json_append(clean, copy);
    }
    redactor_free(redactor);
    if (known)
        return clean;
    json_object_put(clean);
    return NULL;
}

static void report_error(struct config_compiler *compiler, json_object *answer)
{
    const struct pipeline_step *step = compiler->step;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_free_ char *message = NULL;

    osiris_error_from_json(&error, answer);
    if (error.category != OSIRIS_ERROR_CONFIG) {
        pipeline_diagnose(compiler->diagnostics, DIAGNOSTIC_ERROR, "driver_failed",
                          compiler->pipeline, &step->component_where, compiler->location,
                          error.hint, "the config of \"%s\" cannot be checked: %s", step->id,
                          error.message);
        return;
    }
    if (asprintf(&message, "%s: %s", step->component_name, error.message) < 0)
        message = NULL;
    compiler_report(compiler, error.option, error.hint,
                    message == NULL ? "out of memory" : message);
}

void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *questions = without_secrets(compiler);
    _cleanup_json_ json_object *answers =
        questions == NULL ? NULL : validate_with_worker(worker_path, questions, &error);

    if (answers == NULL) {
        diagnostics_add(compiler->diagnostics, DIAGNOSTIC_ERROR, "driver_failed", NULL, NULL, 0,
                        NULL, error.hint, "configs cannot be checked: %s",
                        error.message == NULL ? "out of memory" : error.message);
        return;
    }
    for (size_t i = 0; i < json_array_count(answers); i++) {
        json_object *errors = json_object_array_get_idx(answers, i);
        json_object *question = json_object_array_get_idx(questions, i);
        compiler_choose_step(compiler, (size_t)json_member_integer(question, "step", 0));
        for (size_t j = 0; j < json_array_count(errors); j++)
            report_error(compiler, json_object_array_get_idx(errors, j));
    }
}
