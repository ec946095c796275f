/* Steps that would write one file. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_OUTPUTS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_OUTPUTS_H

#include "orchestrator/compile/compiler.h"

/* Reports them. */
void compiler_check_outputs(struct config_compiler *compiler);

#endif
