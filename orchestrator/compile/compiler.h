/*
 * The compiler of steps' configs: its current step, and reporting problems. Private to the files that compile configs:
 *
 *   configs.c     compiling a step
 *   connection.c  the step's connection, and connection fields in its config
 *   check.c       schemas and constraints
 *   drivers.c     validation by drivers
 *   outputs.c     steps that would write the same file
 */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_COMPILER_H
#define OSIRIS_ORCHESTRATOR_COMPILE_COMPILER_H

#include "orchestrator/compile/compile.h"

struct connections;

struct config_compiler {
    const struct pipeline *pipeline;
    const struct pipeline_step *step;
    char location[64]; /* steps[1].config */
    struct compiled *compiled;
    struct diagnostics *diagnostics;
    const char *osiris_home;
    bool connection_only;            /* the verb needs only the connection, nothing else of the config */
    struct connections *connections; /* loaded on first need */
    bool connections_failed;
    const char *alias; /* of the current step's connection (borrowed), or NULL */
    int64_t max_connections; /* of the connection; 0: not set, -1: invalid */
    json_object *questions; /* about steps without other errors: see ask-worker.h, with `step`, the step's number */
};

/* Sets the current step. */
void compiler_choose_step(struct config_compiler *compiler, size_t index);

/* The name of a step in messages; it may have no id. */
const char *compiler_step_name(const struct pipeline_step *step);

/* An error of the step's config, or of its connection's reference, at `where` in the pipeline. */
#define compiler_error(compiler, type, where, hint, ...)                                               \
    pipeline_diagnose((compiler)->diagnostics, DIAGNOSTIC_ERROR, (type), (compiler)->pipeline,     \
                      (where), (compiler)->location, (hint), __VA_ARGS__)

/* Reports a problem of an option of the step (a key or a JSON pointer; NULL: of the whole config), at the option's position. */
void compiler_report(struct config_compiler *compiler, const char *option, const char *hint, const char *message);

#endif
