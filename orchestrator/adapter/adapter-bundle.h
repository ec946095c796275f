/*
 * The bundle of a place, which its adapter may ask for (`bundle` in osiris/adapter.h). Who makes it is not known here: bundles belong to a
 * folder that includes the same things as this one (orchestrator/bundle), and the command line joins the two.
 *
 * It is made on the adapter's thread, from copies, because an adapter may be abandoned while it waits.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_ADAPTER_BUNDLE_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_ADAPTER_BUNDLE_H

#include <osiris/adapter.h>

#include "core/base/error.h"
#include "orchestrator/registry/registry.h"

struct adapter_bundle_request {
    const char *worker_path;
    const struct component *const *components; /* of the place's steps */
    size_t component_count;
    const char *const *driver_paths; /* NULL-terminated: their files */
};

struct adapter_bundle {
    char *path, *hash, *description;
    int64_t size;
    char **driver_paths;   /* of the request's, in the bundle; NULL-terminated */
    json_object *warnings; /* [text], or NULL */
};

/* Uses nothing but its arguments. The bundle is cleared by the caller, also on failure. */
typedef int adapter_bundle_maker(const struct adapter_bundle_request *request, struct adapter_bundle *bundle,
                                 struct osiris_error *error);

void adapter_bundle_clear(struct adapter_bundle *bundle);
/* As the adapter gets it: fills in as much as it knows of. Strings are borrowed. */
void adapter_bundle_give(const struct adapter_bundle *bundle, struct osiris_bundle *given);

/* Copies what a bundle needs: name, file and spec. */
const struct component *const *adapter_bundle_copy_components(const struct component *const *components, size_t count);
void adapter_bundle_free_components(const struct component *const *components, size_t count);

#endif
