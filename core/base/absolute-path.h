/* Paths that mean the same wherever they are used. */
#ifndef OSIRIS_CORE_BASE_ABSOLUTE_PATH_H
#define OSIRIS_CORE_BASE_ABSOLUTE_PATH_H

/* A path that leads to the same from everywhere: what is relative begins in `folder`, or (NULL) in the working directory. Free
 * it. If there is no such folder any more it stays relative. */
char *absolute_path(const char *folder, const char *path);

#endif
