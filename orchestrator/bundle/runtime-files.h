/* Files that a driver needs beside its libraries, as its spec says (x-runtime; docs/drivers.md). */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_RUNTIME_FILES_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_RUNTIME_FILES_H

#include "orchestrator/bundle/contents.h"
#include "orchestrator/registry/registry.h"

/* `driver` is the path of the component's file in the bundle. */
int runtime_files_add(struct contents *contents, const struct component *component, const char *driver,
                      struct osiris_error *error);

/* Whether the spec allows that the driver's symbol table is cut off. */
bool runtime_allows_strip(const struct component *component);

#endif
