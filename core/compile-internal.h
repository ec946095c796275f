/* What the files of the compiler share. Private to them. */
#ifndef OSIRIS_CORE_COMPILE_INTERNAL_H
#define OSIRIS_CORE_COMPILE_INTERNAL_H

#include "core/compile.h"
#include "core/graph.h"

/* compile-configs.c: fills configs, connections and secrets, and checks them against the components' schemas. */
void compile_configs(const struct compile_options *options, struct compiled *compiled,
                     struct diagnostics *diagnostics);

#endif
