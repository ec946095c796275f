/* Opening folders whose paths are not trusted: a cloned project may contain an .osiris folder of its own. */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_BENEATH_H
#define OSIRIS_ORCHESTRATOR_RECORDS_BENEATH_H

#include <sys/types.h>

/* Opens the folder `path` below the folder `base`. No component of the path may be empty, ".", ".." or a symbolic link. Returns a
 * descriptor, or -1 with errno. */
int open_beneath(const char *base, const char *path);

/* The same, but creates missing folders. */
int make_beneath(const char *base, const char *path, mode_t mode);

#endif
