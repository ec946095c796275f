/* Folders named in files that anybody may have written: a cloned project comes with its own .osiris. */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_BENEATH_H
#define OSIRIS_ORCHESTRATOR_RECORDS_BENEATH_H

#include <sys/types.h>

/* Opens the folder `path` below the folder `base`. No component of the path may be empty, "." or "..", and none a symbolic link.
 * A descriptor, or -1 with errno. */
int open_beneath(const char *base, const char *path);

/* The same, and makes the folders that are missing. */
int make_beneath(const char *base, const char *path, mode_t mode);

#endif
