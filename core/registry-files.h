/*
 * The files of the registry: folders are scanned, descriptions come from the cache or from a run of
 * `osiris-worker --describe`. Private to registry.c and adapter-file.c.
 */
#ifndef OSIRIS_CORE_REGISTRY_FILES_H
#define OSIRIS_CORE_REGISTRY_FILES_H

#include "core/registry.h"

/* What a file has: as the worker described it ({file, drivers, adapters, …} or {file, error}), or as the cache knows from
 * then. NULL with the error set. The caller owns it. */
json_object *registry_describe_file(const char *path, const char *worker_path,
                                    const char *cache_dir, struct osiris_error *error);

/* [{file, folder (number in the search order), … as the worker described it, or error}], in the search
 * order, files sorted by name. NULL with the error set. The caller owns it. */
json_object *registry_describe_files(const struct registry_options *options,
                                     struct osiris_error *error);

#endif
