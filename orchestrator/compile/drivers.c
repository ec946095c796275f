/* Validation of configs by drivers; see drivers.h and ask-worker.h. */
#include "orchestrator/compile/drivers.h"

#include <string.h>

#include "orchestrator/registry/ask-worker.h"
#include "orchestrator/compile/connection.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/base/redact.h"

void compiler_add_question(struct config_compiler *compiler, json_object *config,
                           json_object *fields)
{
    const struct pipeline_step *step = compiler->step;

    if (!step->component->validates || compiler->connection_only ||
        compiler->pipeline->has_secret_params)
        return;
    if (compiler->questions == NULL)
        compiler->questions = json_object_new_array();
    json_object *question = json_object_new_object();
    json_add_integer(question, "step", step - compiler->pipeline->steps);
    json_add_string(question, "step_id", step->id);
    json_add_string(question, "file", step->component->file);
    json_add_string(question, "driver", step->component->name);
    json_add_string(question, "component", step->component_name);
    json_add(question, "config", json_copy(config));
    json_add(question, "connection",
             fields == NULL ? json_object_new_object() : json_object_get(fields));
    json_append(compiler->questions, question);
}

static struct redactor *new_redactor(const struct config_compiler *compiler)
{
    json_object *secrets = compiler->compiled->secrets;
    struct redactor *redactor = redactor_new();

    for (size_t i = 0; i < json_array_count(secrets); i++)
        (void)redactor_add(redactor, json_object_get_string(json_object_array_get_idx(secrets, i)));
    return redactor;
}

/* No secrets are sent for this, but a secret text remains in fields that are not secret: for example, a host with the
 * same name as the password. */
static json_object *clean_connection(struct config_compiler *compiler, struct redactor *redactor, json_object *question)
{
    json_object *connection = redactor_record(redactor, json_member(question, "connection"));

    compiler_choose_step(compiler, (size_t)json_member_integer(question, "step", 0));
    json_object_object_foreach(connection, field, value)
    {
        if (compiler_is_secret(compiler->step->component, field) && json_object_is_type(value, json_type_string))
            json_object_set_string(value, REDACT_MASK);
    }
    return connection;
}

static json_object *without_secrets(struct config_compiler *compiler, struct redactor *redactor)
{
    json_object *clean = json_object_new_array();

    for (size_t i = 0; i < json_array_count(compiler->questions); i++) {
        json_object *question = json_object_array_get_idx(compiler->questions, i);
        json_object *copy = json_object_new_object();
        json_object_object_foreach(question, key, value)
        {
            json_add(copy, key,
                     strcmp(key, "connection") == 0 ? clean_connection(compiler, redactor, question)
                                                    : json_object_get(value));
        }
        json_append(clean, copy);
    }
    return clean;
}

static void report_error(struct config_compiler *compiler, struct redactor *redactor, json_object *answer)
{
    const struct pipeline_step *step = compiler->step;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_from_json(&error, answer);
    redactor_error(redactor, &error);
    if (error.category != OSIRIS_ERROR_CONFIG) {
        pipeline_diagnose(compiler->diagnostics, DIAGNOSTIC_ERROR, "driver_failed",
                          compiler->pipeline, &step->component_where, compiler->location,
                          error.hint, "the config of \"%s\" cannot be checked: %s", step->id,
                          error.message);
        return;
    }
    _cleanup_free_ char *message = memory_format("%s: %s", step->component_name, error.message);
    compiler_report(compiler, error.option, error.hint, message);
}

static void report_answers(struct config_compiler *compiler, struct redactor *redactor, json_object *questions,
                           json_object *answers)
{
    for (size_t i = 0; i < json_array_count(answers); i++) {
        json_object *errors = json_object_array_get_idx(answers, i);
        json_object *question = json_object_array_get_idx(questions, i);
        compiler_choose_step(compiler, (size_t)json_member_integer(question, "step", 0));
        for (size_t j = 0; j < json_array_count(errors); j++)
            report_error(compiler, redactor, json_object_array_get_idx(errors, j));
    }
}

void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct redactor *redactor = new_redactor(compiler);
    _cleanup_json_ json_object *questions = without_secrets(compiler, redactor);
    _cleanup_json_ json_object *answers = validate_with_worker(worker_path, questions, &error);

    if (answers != NULL)
        report_answers(compiler, redactor, questions, answers);
    else
        diagnostics_add(compiler->diagnostics, DIAGNOSTIC_ERROR, "driver_failed", NULL, NULL, 0,
                        NULL, error.hint, "configs cannot be checked: %s", error.message);
    redactor_free(redactor);
}
