/*
 * Removing a folder with all that is in it. Only for folders whose name this run has made up: a name that comes from a
 * user or a peer may be that of a folder with other people's files.
 */
#ifndef OSIRIS_CORE_REMOVE_TREE_H
#define OSIRIS_CORE_REMOVE_TREE_H

/* Does not follow links. Missing is fine. */
void remove_tree(const char *path);

#endif
