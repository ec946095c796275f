/*
 * Places where steps can run: an execution adapter's own name, or one that osiris.yaml gives to an adapter with options:
 *
 *     adapters:
 *       cloud: {adapter: e2b, template: osiris-worker}
 *
 * osiris.yaml is looked for in $OSIRIS_HOME, or else in the working directory. Variables (variables.h) are filled in into the options of
 * places that are used.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_PLACES_H
#define OSIRIS_ORCHESTRATOR_OML_PLACES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/oml/diagnostic.h"

struct places_request {
    const char *osiris_home; /* or NULL */
    bool (*is_used)(void *context, const char *name);
    void *context;
};

/* {name: {adapter: str, options: {…}}}, empty if there is no file; of places that are not used without options. Secret values are added
 * to `secrets`, an array; what only the adapter knows to be secret (its spec's `secrets`), its host finds out. NULL: the file is broken
 * (reported). What this version does not read in it is warned of. No line of it is shown: it may hold a secret. */
json_object *places_load(const struct places_request *request, json_object *secrets, struct diagnostics *diagnostics);

#endif
