/* The configs and connections of a pipeline's steps. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_CONFIGS_H
#define OSIRIS_ORCHESTRATOR_COMPILE_CONFIGS_H

#include "orchestrator/compile/compile.h"

/* Fills configs, connections and secrets, and checks them against the components' schemas. */
void compile_configs(const struct compile_options *options, struct compiled *compiled,
                     struct diagnostics *diagnostics);

#endif
