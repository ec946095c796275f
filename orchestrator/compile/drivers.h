/* Problems of configs that only drivers can find. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_DRIVERS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_DRIVERS_H

#include "orchestrator/compile/compiler.h"

/* Adds the question to the step's driver, if it can validate configs. */
void compiler_add_question(struct config_compiler *compiler, json_object *config, json_object *fields);
/* Sends all questions, and reports the problems that the drivers have found. */
void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path);

#endif
