/* Small files and folders: written by a temporary file and a rename, so that a reader sees all or nothing. */
#ifndef OSIRIS_CORE_BASE_ATOMIC_FILE_H
#define OSIRIS_CORE_BASE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/error.h"

/* Replaces `path` through "<path>.tmp" or another name beside it. It is not synced: only files that can be recreated
 * are written this way. */
int atomic_file_write(const char *path, const void *bytes, size_t length, mode_t mode,
                      struct osiris_error *error);

/* Whether `path` is a file that already has this content, so that it need not be written. */
bool atomic_file_holds(const char *path, const void *bytes, size_t length);

/* Reserves space in `folder` for a later write, when the disk may be full: an unnamed file, which disappears with
 * its descriptor. -1: not possible. */
int atomic_file_reserve(const char *folder, size_t size, mode_t mode);
/* Replaces `path`, which is in that folder, through `temporary`, a name that only the caller uses. Once. Returns -1 with errno;
 * `path` is then unchanged. */
int atomic_file_write_reserved(int reserved, const char *temporary, const char *path, const void *bytes, size_t length);

/* Creates a folder and its parents; it may already exist. */
int make_directories(const char *path, mode_t mode, struct osiris_error *error);

/* Reads a whole file of at most `maximum` bytes; a NUL that *length does not count follows. Free it. */
char *read_whole_file(const char *path, size_t maximum, size_t *length,
                      struct osiris_error *error);

/* write(2) until all is written. 0 or -1 with errno. */
int write_fully(int fd, const void *bytes, size_t length);

/* The same for whole lines at the end of a file that nobody else writes to: if a full disk truncates the last line, it is
 * removed, so that later text starts a new line. */
int append_lines(int fd, const char *lines, size_t length);
/* Removes an incomplete line from the end of the file. */
void cut_to_whole_lines(int fd);

#endif
