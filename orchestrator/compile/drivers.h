/* What only the drivers know to be wrong with configs. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_DRIVERS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_DRIVERS_H

#include "orchestrator/compile/compiler.h"

/* Remembers what the step's driver is to be asked, if it can be. */
void compiler_add_question(struct config_compiler *compiler, json_object *config, json_object *fields);
/* Asks all of it, and reports what the drivers say. */
void compiler_ask_drivers(struct config_compiler *compiler, const char *worker_path);

#endif
