/*
 * The files of the registry: folders are scanned, descriptions come from the cache or from a run of
 * `osiris-worker --describe`. Private to registry.c.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_REGISTRY_FILES_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_REGISTRY_FILES_H

#include "orchestrator/registry/registry.h"

/* [{file, folder (number in the search order), … as the worker described it, or error}], in the search order, files
 * sorted by name; then existing folders that cannot be read, as files with an error. NULL with the error set. The
 * caller owns it. */
json_object *registry_describe_files(const struct registry_options *options,
                                     struct osiris_error *error);

#endif
