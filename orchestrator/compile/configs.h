/*
 * Shared by the files that check steps' configs. Private to them.
 *
 *   configs.c     a step's turn
 *   connection.c  its connection, and which parts of the config belong to the connection
 *   check.c       schemas and constraints
 *   drivers.c     validation by its driver
 *   outputs.c     steps that would write the same file
 */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_CONFIGS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_CONFIGS_H

#include "orchestrator/compile/internal.h"

struct connections;

struct config_compiler {
    const struct pipeline *pipeline;
    const struct pipeline_step *step;
    char location[64]; /* steps[1].config */
    struct compiled *compiled;
    struct diagnostics *diagnostics;
    const char *osiris_home;
    bool connection_only;            /* the verb needs nothing of the config but the connection */
    struct connections *connections; /* loaded on first need */
    bool connections_failed;
    const char *alias; /* of the step's connection (borrowed), or NULL */
    int64_t max_connections; /* that the connection allows; 0: not set, -1: invalid */
    json_object *
        questions; /* of steps in which nothing else is wrong: see ask-worker.h, and `step`, the step's number */
};

/* Another step's turn. */
void compiler_choose_step(struct config_compiler *compiler, size_t index);

/* The name of a step in messages; it may have no id. */
const char *compiler_step_name(const struct pipeline_step *step);

/* An error of the step's config, or of its connection's reference, at `where` in the pipeline. */
#define compiler_error(compiler, type, where, hint, ...)                                               \
    pipeline_diagnose((compiler)->diagnostics, DIAGNOSTIC_ERROR, (type), (compiler)->pipeline,     \
                      (where), (compiler)->location, (hint), __VA_ARGS__)

/* connection.c */

/* Their entries in the component's spec: x-connection-fields, or NULL. */
json_object *compiler_connection_fields(const struct component *component);
/* Whether one of the spec's lists of JSON pointers says that the top-level field is secret. */
bool compiler_is_secret(const struct component *component, const char *field);
/* "mysql" of "mysql.extractor" */
void compiler_family(const struct component *component, char *family, size_t size);
/* The connection's fields, or NULL with the problem reported. */
json_object *compiler_resolve_connection(struct config_compiler *compiler);
/* Applies the step's overrides, which are in its config, to the connection's fields. */
void compiler_take_overrides(const struct pipeline_step *step, json_object *config, json_object *fields);
/* Keys of the connection are not repeated in the config, and neither are their defaults. */
void compiler_drop_connection_defaults(const struct pipeline_step *step, json_object *config);
/* Adds fields that the connection lacks and for which the schema has a default. */
void compiler_fill_connection_defaults(const struct pipeline_step *step, json_object *fields);

/* check.c */

/* `fields` is NULL if the component has a connection that could not be resolved. */
void compiler_check_config(struct config_compiler *compiler, json_object *config, json_object *fields);
/* Reports a problem of an option of the step (a key or a JSON pointer; NULL: of the whole config), at the option's position. */
void compiler_report(struct config_compiler *compiler, const char *option, const char *hint,
                     const char *message);

/* drivers.c: remembers what the step's driver is to be asked, if it can be. */
void compiler_add_question(struct config_compiler *compiler, json_object *config,
                           json_object *fields);
/* Sends all requests and reports the drivers' answers. */
void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path);

/* outputs.c: reports steps that would write one file. */
void compiler_check_outputs(struct config_compiler *compiler);

#endif
