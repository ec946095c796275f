/*
 * The files of an archive, in memory: paths, contents, and whether they may be executed. ARCHIVE_MAXIMUM bounds their size.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_ARCHIVE_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

#define ARCHIVE_MAXIMUM ((size_t)1 << 30)
#define ARCHIVE_MAXIMUM_MEMBERS 20000

struct archive_member {
    char *path; /* relative; owned, like the bytes */
    char *bytes;
    size_t length;
    bool executable;
};

struct archive {
    struct archive_member *members;
    size_t count, capacity;
    size_t length; /* of all bytes */
};

void archive_clear(struct archive *archive);
#define _cleanup_archive_ _cleanup_(archive_clear)

/* Takes path and bytes, also when it fails. -1: the path does not fit, is there already, or the archive is full. */
int archive_add(struct archive *archive, char *path, char *bytes, size_t length, bool executable, struct osiris_error *error);
/* Borrowed; NULL: there is none. */
const struct archive_member *archive_find(const struct archive *archive, const char *path);
/* By path; before anything below. */
void archive_sort(struct archive *archive);

/* A name of at most ARCHIVE_NAME_MAXIMUM bytes behind a folder of at most ARCHIVE_FOLDER_MAXIMUM: where the name begins
 * in a path; NULL: it does not fit. A path that is short enough is all name. */
#define ARCHIVE_NAME_MAXIMUM 100
#define ARCHIVE_FOLDER_MAXIMUM 155
const char *archive_name(const char *path);

#endif
