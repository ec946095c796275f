/* The number of connections that steps use at a time. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_LIMITS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_LIMITS_H

#include "orchestrator/compile/compile.h"
#include "orchestrator/compile/graph.h"

/* {of, count, max} of a step whose connection has a max_connections (free it), otherwise NULL. */
json_object *compiled_step_connections(const struct compiled *compiled, const struct pipeline_step *step);
/* Checks that steps which must run at the same time do not exceed the limit together. */
void compile_check_connections(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled,
                               struct diagnostics *diagnostics);

#endif
