/* What the files share that look at steps' configs (compile-configs.c, compile-drivers.c, compile-outputs.c). Private to them. */
#ifndef OSIRIS_CORE_COMPILE_CONFIGS_H
#define OSIRIS_CORE_COMPILE_CONFIGS_H

#include "core/compile-internal.h"

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
    json_object *
        questions; /* of steps in which nothing else is wrong: see ask-worker.h, and `step`, the step's number */
};

/* Another step's turn. */
void compiler_choose_step(struct config_compiler *compiler, size_t index);

/* Reports a problem of an option of the step (a key or a JSON pointer; NULL: of the whole config), at the option's place. */
void compiler_report(struct config_compiler *compiler, const char *option, const char *hint,
                     const char *message);

/* compile-drivers.c: remembers what the step's driver is to be asked, if it can be. */
void compiler_add_question(struct config_compiler *compiler, json_object *config,
                           json_object *fields);
/* Asks all of it, and reports what the drivers say. */
void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path);

/* compile-outputs.c: reports steps that would write one file. */
void compiler_check_outputs(struct config_compiler *compiler);

#endif
