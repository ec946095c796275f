/*
 * Places where steps can run: the name of an execution adapter, or a name that osiris.yaml defines for an adapter with options:
 *
 *     adapters:
 *       cloud: {adapter: e2b, template: osiris-worker}
 *
 * osiris.yaml is searched in $OSIRIS_HOME, or else in the working directory. Variables (variables.h) are substituted in the options of
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
 * (reported). Keys that this version does not read get a warning. No line of it is shown, because it may contain a secret. */
json_object *places_load(const struct places_request *request, json_object *secrets, struct diagnostics *diagnostics);

#endif
