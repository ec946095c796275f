/*
 * The libraries of a program or a shared object, all the way down, as the dynamic loader finds them: it is asked itself
 * (LD_TRACE_LOADED_OBJECTS, as ldd does), with an environment that is empty otherwise, as workers are started. Of several
 * variants it is to choose the one for any processor. It maps the files and runs none of their code.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_LIBRARIES_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_LIBRARIES_H

#include <json-c/json.h>

#include "core/base/error.h"

/* {name that files ask for: path, or null if it cannot be found}; what is needed by a path of its own is listed as
 * {path: path}. The loader itself is not in it. `preload` is a list, separated by blanks, of libraries to be listed,
 * too, if they are there, or NULL. The caller owns it. NULL with the error set. */
json_object *libraries_list(const char *loader, const char *file, const char *preload, struct osiris_error *error);

#endif
