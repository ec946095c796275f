/*
 * Places where steps can run. A place is named by its execution adapter, or by osiris.yaml, which defines adapters with
 * options:
 *
 *     adapters:
 *       cloud: {adapter: e2b, template: osiris-worker}
 *
 * osiris.yaml is searched for in $OSIRIS_HOME, or, if that is not set, in the working directory. The options of places
 * that are used are read by their adapter's spec: variables (variables.h) are substituted, and values are typed and
 * checked.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_PLACES_H
#define OSIRIS_ORCHESTRATOR_OML_PLACES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/oml/diagnostic.h"

struct places_request {
    const char *osiris_home; /* or NULL */
    bool (*is_used)(void *context, const char *name);
    /* Returns the adapter's spec (borrowed); called for places that are used. NULL: it is not available, which is
     * reported elsewhere; then the options are not checked. */
    json_object *(*spec)(void *context, const char *adapter);
    void *context;
};

/* {name: {adapter: str, options: {…}}}, empty if there is no file. Options are only read for places that are used.
 * Secret values are added to `secrets`, an array. NULL: the file, or an option of a place that is used, has an error
 * (reported). Keys that this version does not read cause a warning. No line of the file is shown, because any may
 * contain a secret. */
json_object *places_load(const struct places_request *request, json_object *secrets, struct diagnostics *diagnostics);

#endif
