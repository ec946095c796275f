/*
 * Places where steps can run: an execution adapter's own name, or one that osiris.yaml gives to an adapter with options:
 *
 *     adapters:
 *       cloud: {adapter: e2b, template: osiris-worker}
 *
 * osiris.yaml is looked for in $OSIRIS_HOME, or else in the working directory.
 */
#ifndef OSIRIS_CORE_PLACES_H
#define OSIRIS_CORE_PLACES_H

#include <json-c/json.h>

#include "core/diagnostic.h"

/* {name: {adapter: str, options: {…}}}, empty if there is no file. NULL: it is broken (reported) or memory is short. What
 * this version does not read in the file is warned of. */
json_object *places_load(const char *osiris_home, struct diagnostics *diagnostics);

#endif
