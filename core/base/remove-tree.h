/*
 * Removing a folder with all that is in it. Only for folders whose name this run has made up: a name that comes from a
 * user or a peer may be that of a folder with other people's files.
 */
#ifndef OSIRIS_CORE_BASE_REMOVE_TREE_H
#define OSIRIS_CORE_BASE_REMOVE_TREE_H

#include <json-c/json.h>

/* Does not follow links. Missing is fine. */
void remove_tree(const char *path);

/* What stands in a folder now, {name: null}; and to remove what has come since, which leaves what was there before as it is,
 * with whatever has come into it. A missing folder has nothing. NULL: it cannot be read; then nothing is removed. */
json_object *folder_entries(const char *path);
void remove_new_entries(const char *path, json_object *known);

/* A folder that a driver of this user's has made, and perhaps closed to its owner. A descriptor, or -1 with errno. */
int open_folder_of_ours(int folder, const char *name);

#endif
