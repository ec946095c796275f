/* Paths that are valid in every working directory. */
#ifndef OSIRIS_CORE_BASE_ABSOLUTE_PATH_H
#define OSIRIS_CORE_BASE_ABSOLUTE_PATH_H

/* Makes a path absolute: a relative one starts in `folder`, or (NULL) in the working directory. Free
 * it. If the folder no longer exists, the path stays relative. */
char *absolute_path(const char *folder, const char *path);

#endif
