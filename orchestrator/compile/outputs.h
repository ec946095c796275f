/* Steps that would write the same file. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_OUTPUTS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_OUTPUTS_H

#include "orchestrator/compile/compiler.h"

/* Reports steps that would write a file that another step writes. */
void compiler_check_outputs(struct config_compiler *compiler);

#endif
