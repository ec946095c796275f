/* Checks a step's config and connection against the schema of its component. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_CHECK_H
#define OSIRIS_ORCHESTRATOR_COMPILE_CHECK_H

#include "orchestrator/compile/compiler.h"

/* `fields` is NULL if the component has a connection that could not be resolved. */
void compiler_check_config(struct config_compiler *compiler, json_object *config, json_object *fields);

#endif
