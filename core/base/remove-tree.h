/*
 * Removing a folder and everything in it. Only for folders whose name this run has generated: a name that comes from a
 * user or a peer may belong to a folder with other people's files.
 */
#ifndef OSIRIS_CORE_BASE_REMOVE_TREE_H
#define OSIRIS_CORE_BASE_REMOVE_TREE_H

#include <json-c/json.h>

/* Does not follow links. The folder may be missing. */
void remove_tree(const char *path);

/* The current entries of a folder, {name: null}; and the removal of later ones, which does not touch the earlier ones
 * or anything inside them. A missing folder has no entries. NULL: it cannot be read; then nothing is removed. */
json_object *folder_entries(const char *path);
void remove_new_entries(const char *path, json_object *known);

/* Opens a folder that a driver of the same user has created and possibly made inaccessible to its owner. A descriptor,
 * or -1 with errno. */
int open_folder_of_ours(int folder, const char *name);

#endif
