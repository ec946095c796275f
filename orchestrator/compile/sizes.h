/* Checks whether the data of a pipeline fits into messages to a worker. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_SIZES_H
#define OSIRIS_ORCHESTRATOR_COMPILE_SIZES_H

#include "orchestrator/compile/compile.h"

/* Why the config does not fit into a message; NULL: it fits. */
const char *compile_config_problem(json_object *config);
/* Checks the message with the plan and all connections. 0, or -1 with the problem reported. */
int compile_check_prepare(const struct compiled *compiled, struct diagnostics *diagnostics);

#endif
