/* Whether what a worker is told of a pipeline fits into messages. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_SIZES_H
#define OSIRIS_ORCHESTRATOR_COMPILE_SIZES_H

#include "orchestrator/compile/compile.h"

/* What is wrong with a config as a message to a worker, or NULL. */
const char *compile_config_problem(json_object *config);
/* The plan and all connections travel in one. 0, or -1 with the problem reported. */
int compile_check_prepare(const struct compiled *compiled, struct diagnostics *diagnostics);

#endif
