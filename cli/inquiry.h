/*
 * One request to a component about a connection (check, discover, plan). It is made like a run of one step: through the local
 * adapter and a worker, with the same timeouts, signals and redaction. Its records are written to a temporary folder and
 * removed: nothing was run that a user would want to look up.
 */
#ifndef OSIRIS_CLI_INQUIRY_H
#define OSIRIS_CLI_INQUIRY_H

#include <json-c/json.h>

#include "core/base/error.h"
#include "orchestrator/registry/registry.h"

struct inquiry {
    struct registry *registry;
    const struct component *component;
    const char *connection; /* "@mysql.shop" */
    const char *verb;
    json_object *config; /* options of the component, or NULL */
};

/* "@family.alias" or "@family", and of the connections file. */
int inquiry_check_reference(const char *reference, struct osiris_error *error);
/* The component that answers for the family's connections: its extractor, or else its first component. */
const struct component *inquiry_component(struct registry *registry, const char *reference,
                                          struct osiris_error *error);
/* Returns the answer (free it), or NULL with the error set. *signal_number is the signal that cancelled it, or 0. */
json_object *inquiry_ask(const struct inquiry *inquiry, int *signal_number,
                         struct osiris_error *error);

#endif
