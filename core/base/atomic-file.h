/* Small files and folders: written by a temporary file and a rename, so that a reader sees all or nothing. */
#ifndef OSIRIS_CORE_BASE_ATOMIC_FILE_H
#define OSIRIS_CORE_BASE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/error.h"

/* Replaces `path`, by way of "<path>.tmp", or of another name beside it. It is not synced: what is written so can be made anew. */
int atomic_file_write(const char *path, const void *bytes, size_t length, mode_t mode,
                      struct osiris_error *error);

/* Whether `path` is a file that has these bytes already, so that it need not be written. */
bool atomic_file_holds(const char *path, const void *bytes, size_t length);

/* Room in `folder` for what is written into it later, when the disk may be full: a file without a name, which is gone with
 * its descriptor. -1: there is none to be had. */
int atomic_file_reserve(const char *folder, size_t size, mode_t mode);
/* Replaces `path`, which is in that folder, by way of `temporary`, a name of the caller's own. Once. Returns -1 with errno;
 * `path` is as it was then. */
int atomic_file_write_reserved(int reserved, const char *temporary, const char *path, const void *bytes, size_t length);

/* Makes a folder and its parents; one that is there already is fine. */
int make_directories(const char *path, mode_t mode, struct osiris_error *error);

/* Reads a whole file of at most `maximum` bytes; a NUL follows what *length counts. Free it. */
char *read_whole_file(const char *path, size_t maximum, size_t *length,
                      struct osiris_error *error);

/* write(2) until all is written. 0 or -1 with errno. */
int write_fully(int fd, const void *bytes, size_t length);

/* The same of whole lines at the end of a file that nobody else writes to: what a full disk lets through of a last line is taken
 * back, so that what comes later begins a line. */
int append_lines(int fd, const char *lines, size_t length);
/* Takes back the beginning of a line at the file's end, which somebody could not finish. */
void cut_to_whole_lines(int fd);

#endif
