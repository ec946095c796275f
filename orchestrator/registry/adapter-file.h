/*
 * The files of execution adapters: <name>.so in one of the folders of OSIRIS_ADAPTER_PATH, or in the installed one.
 * Osiris itself loads an adapter only to run a pipeline. For anything else an adapter is loaded in a child process,
 * which describes it: an adapter that crashes when it is loaded only causes an error.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_ADAPTER_FILE_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_ADAPTER_FILE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/base/error.h"

struct adapter_folders {
    const char *path;          /* colon-separated, or NULL */
    const char *installed_dir; /* or NULL */
};

/* The file's path (free it), or NULL with the error set. `places` (places.h, or NULL) are further names for suggestions. */
char *adapter_file_find(const char *name, const struct adapter_folders *folders,
                        json_object *places, struct osiris_error *error);

/* Whether the adapter's file is in the installed folder. */
bool adapter_file_is_installed(const char *name, const struct adapter_folders *folders);

/* The adapter's spec (an object; free it), or NULL with the error set: the file does not exist, cannot be loaded, or
 * has no such adapter. Call it while there is one thread. */
json_object *adapter_file_describe(const char *name, const struct adapter_folders *folders, json_object *places,
                                   struct osiris_error *error);

#endif
