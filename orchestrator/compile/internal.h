/* Shared by the files of the compiler. Private to them. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_INTERNAL_H
#define OSIRIS_ORCHESTRATOR_COMPILE_INTERNAL_H

#include "orchestrator/compile/compile.h"
#include "orchestrator/compile/graph.h"

/* configs.c: fills configs, connections and secrets, and checks them against the components' schemas. */
void compile_configs(const struct compile_options *options, struct compiled *compiled,
                     struct diagnostics *diagnostics);

/* limits.c */

#define COMPILE_MAXIMUM_CONNECTIONS 100000

/* {of, count, max} of a step whose connection has a max_connections, free it; else NULL. */
json_object *compiled_step_connections(const struct compiled *compiled, const struct pipeline_step *step);
/* Checks that steps that must run at the same time do not use more connections than allowed. */
void compile_check_connections(const struct pipeline *pipeline, const struct graph *graph, const struct compiled *compiled,
                               struct diagnostics *diagnostics);

/* sizes.c: what is wrong with a config as a message to a worker, or NULL. */
const char *compile_config_problem(json_object *config);
/* The plan and all connections travel in one. 0, or -1 with the problem reported. */
int compile_check_prepare(const struct compiled *compiled, struct diagnostics *diagnostics);

#endif
