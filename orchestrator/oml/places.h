/*
 * Places where steps can run: the name of an execution adapter, or a name that osiris.yaml defines for an adapter with options:
 *
 *     adapters:
 *       cloud: {adapter: e2b, template: osiris-worker}
 *
 * osiris.yaml is looked for in $OSIRIS_HOME, or else in the working directory. The options of places that are used are read by their
 * adapter's spec: variables (variables.h) are filled in, values are typed and checked.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_PLACES_H
#define OSIRIS_ORCHESTRATOR_OML_PLACES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/oml/diagnostic.h"

struct places_request {
    const char *osiris_home; /* or NULL */
    bool (*is_used)(void *context, const char *name);
    /* What the adapter says of itself (borrowed): asked for places that are used. NULL: it cannot be had, which somebody else reports;
     * then its options are not checked. */
    json_object *(*spec)(void *context, const char *adapter);
    void *context;
};

/* {name: {adapter: str, options: {…}}}, empty if there is no file; of places that are not used without options. Secret values are added
 * to `secrets`, an array. NULL: something in the file is wrong (reported), an option of a place that is used, too. What this version does
 * not read in it is warned of. No line of it is shown: it may hold a secret. */
json_object *places_load(const struct places_request *request, json_object *secrets, struct diagnostics *diagnostics);

#endif
