/*
 * The files of execution adapters: <name>.so in one of the folders of OSIRIS_ADAPTER_PATH, or in the installed one. Osiris
 * loads an adapter itself, so each is tried in a child process first: one that crashes when it is loaded makes an error.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_ADAPTER_FILE_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_ADAPTER_FILE_H

#include <json-c/json.h>

#include "core/base/error.h"

struct adapter_folders {
    const char *path;          /* colon-separated, or NULL */
    const char *installed_dir; /* or NULL */
};

/* The file's path (free it), or NULL with the error set. `places` (places.h, or NULL) are further names for suggestions. */
char *adapter_file_find(const char *name, const struct adapter_folders *folders,
                        json_object *places, struct osiris_error *error);

/* Checks that the file exists, can be loaded and has the adapter: 0 or -1. Call it while there is only one thread. */
int adapter_file_check(const char *name, const struct adapter_folders *folders, json_object *places,
                       struct osiris_error *error);

#endif
