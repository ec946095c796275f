/*
 * Tar files: POSIX.1-1988 "ustar", which every tar reads. The same members give the same bytes: they are sorted by
 * path, belong to 0:0, have the mode 0755 or 0644 and the same time, and the folders above them come before them.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_TAR_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_TAR_H

#include "orchestrator/bundle/archive.h"

/* Passes the tar file of a sorted archive to a function, in pieces. */
struct tar_sink {
    void (*write)(void *context, const void *bytes, size_t length);
    void *context;
};
void tar_write(const struct archive *archive, const struct tar_sink *sink);

/* Adds the members of a tar file that tar_write has written. */
int tar_read(const char *bytes, size_t length, struct archive *archive, struct osiris_error *error);

#endif
