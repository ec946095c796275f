/*
 * The compiler of steps' configs: whose turn it is, and reporting what is wrong there. Private to the files that look at configs:
 *
 *   configs.c     a step's turn
 *   connection.c  its connection, and what of the config is the connection's
 *   check.c       schemas and constraints
 *   drivers.c     what its driver says of it
 *   outputs.c     steps that would write one file
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
    bool connection_only;            /* the verb needs nothing of the config but the connection */
    struct connections *connections; /* loaded on first need */
    bool connections_failed;
    const char *alias; /* of the step's connection (borrowed), or NULL */
    int64_t max_connections; /* that the connection allows; 0: it says nothing, -1: what it says is wrong */
    json_object *
        questions; /* of steps in which nothing else is wrong: see ask-worker.h, and `step`, the step's number */
};

/* Another step's turn. */
void compiler_choose_step(struct config_compiler *compiler, size_t index);

/* How texts name a step, which may have no id. */
const char *compiler_step_name(const struct pipeline_step *step);

/* An error of the step's config, or of its connection's reference, at `where` in the pipeline. */
#define compiler_error(compiler, type, where, hint, ...)                                               \
    pipeline_diagnose((compiler)->diagnostics, DIAGNOSTIC_ERROR, (type), (compiler)->pipeline,     \
                      (where), (compiler)->location, (hint), __VA_ARGS__)

/* Reports a problem of an option of the step (a key or a JSON pointer; NULL: of the whole config), at the option's place. */
void compiler_report(struct config_compiler *compiler, const char *option, const char *hint, const char *message);

#endif
