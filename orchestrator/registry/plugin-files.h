/*
 * Searching folders for plug-ins: lists of folders, and the shared objects in a folder. Listed folders need not exist,
 * as in PATH.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_PLUGIN_FILES_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_PLUGIN_FILES_H

#include <dirent.h>
#include <stddef.h>

/* The next folder of a colon-separated list (NULL: an empty list), which is advanced; empty entries are skipped. Free
 * it; NULL: there are no more. */
char *plugin_folders_next(const char **list);

/* The name of the next shared object in a folder, *length without ".so". Borrowed until the next call. NULL: there are no more
 * (errno 0), or the folder cannot be read. */
const char *plugin_files_next(DIR *folder, size_t *length);

#endif
