/*
 * Where plug-ins may lie: lists of folders, and the shared objects in one. Folders that are listed need not be there, as in PATH.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_PLUGIN_FILES_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_PLUGIN_FILES_H

#include <dirent.h>
#include <stddef.h>

/* The next folder of a colon-separated list (NULL: none), which moves on behind it; empty ones are skipped. Free it; NULL: there
 * are no more. */
char *plugin_folders_next(const char **list);

/* The name of the next shared object in a folder, *length without ".so". Borrowed until the next call. NULL: there are no more
 * (errno 0), or the folder cannot be read. */
const char *plugin_files_next(DIR *folder, size_t *length);

#endif
