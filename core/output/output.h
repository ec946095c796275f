/*
 * An output file that appears as a whole or not at all. The descriptor is a real file in the target's folder:
 * unnamed (O_TMPFILE) where the filesystem can, else a hidden file ".<name>.osiris-<run id>-<pid>-<n>.tmp"
 * (with the hash of a long name) that is locked (flock) for as long as its process lives.
 * Publishing links it beside the target if it is unnamed, then renames it to the target and syncs the
 * folder. A replaced file is kept under the hidden name until the output is closed, so that publishing
 * can be retracted.
 *
 * An existing file must be writable and keeps its permissions (not its owner and ACLs: it is a new
 * file) unless others are requested. A character device is written directly. Two outputs of one path do not interfere with each other: the
 * one published last remains.
 *
 * Appending is atomic, too: the output begins with a copy of the existing file (shared blocks
 * where the file system supports them), to which it appends. If the target has changed when the output is finished or
 * published, that is an error, because what somebody else has written meanwhile would be lost.
 *
 * Opening an output first removes stale hidden files of the same target and, where locks are visible to everyone who could write there
 * (not on network file systems), of targets whose names differ from its own only in numbers, like those of parts and dates: those
 * of the same user whose lock nobody holds. (Osiris removes those of a killed worker at the end of the run, if it is still running;
 * see litter.h.)
 * One thread at a time for one output.
 */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/base/file-id.h"
#include "core/base/fingerprint.h"

struct output;

/* The folder of relative paths (a descriptor, AT_FDCWD) and the umask for new files and folders, whatever the
 * process's current ones are. */
struct output_origin {
    int folder;
    struct file_id id; /* of the folder, unless it is AT_FDCWD */
    char *path;        /* its path; NULL: it has none any more */
    mode_t umask;
};

/* Opens the current working directory, with a descriptor of at least that number, and notes it and the umask. The path is to be freed. */
void output_note_origin(struct output_origin *origin, int least);
/* -1: a driver has closed the folder's descriptor, so `path` cannot be opened. */
int output_check_origin(const struct output_origin *origin, const char *path, struct osiris_error *error);

struct output_options {
    const char *path;
    const struct output_origin *origin; /* NULL: those of the process */
    const char *run_id; /* goes into hidden names */
    mode_t mode;        /* exactly these permissions; 0: those of the existing file, or 0666 less the umask */
    bool create_directories;
    bool append;  /* begin with the content of the existing file, if there is one */
    bool no_sync; /* neither the file nor its folder is synced: a crash of the machine may lose it */
    bool named; /* do not try O_TMPFILE (tests of the fallback) */
    /* NULL, or called with the folder (a descriptor) before a hidden name appears there. */
    void (*hides_in)(void *context, int folder);
    /* NULL, or called with a descriptor (O_PATH) of a folder that was created; or once it has a published file. */
    void (*made)(void *context, int folder);
    void (*keeps)(void *context, int folder);
    void *context;
};

/* Fails early: if the folder is missing or not writable, if the target is a folder, a pipe or
 * write-protected, if its name is too long. If the target is a symbolic link, what it points to is
 * replaced, not the link. */
int output_open(const struct output_options *options, struct output **out,
                struct osiris_error *error);

/* An output that writes directly to `fd` (which is duplicated): nothing is published. */
int output_open_stream(const char *path, int fd, struct output **out, struct osiris_error *error);
bool output_is_stream(const struct output *output);
bool output_is_published(const struct output *output);

/* Identifies the future file on this machine, the same for every path that leads there. 1: none, it is a device or a stream. */
int output_identity(const struct output *output, char hex[FINGERPRINT_SIZE], struct osiris_error *error);

int output_fd(const struct output *output);
const char *output_path(const struct output *output); /* as given */
/* Bytes in it now, -1 on error. */
int64_t output_size(const struct output *output);
/* Bytes of the existing file that are kept: 0 unless it appends. */
int64_t output_initial_size(const struct output *output);

/* Call it between writes, any number of times: makes the system start writing new data to the disk, so that
 * output_finish has little left to do. Rarely waits. */
void output_write_back(struct output *output);
/* Everything is written: fsync (unless no_sync). After that, publishing only changes names. */
int output_finish(struct output *output, struct osiris_error *error);
/* Of many outputs, each may be set aside once it is finished, and then keeps no descriptor. They are on a shelf, the
 * descriptor of the folder of the first one (-1 before), which the caller closes after the outputs. An output in another
 * folder is not set aside. */
int output_set_aside(struct output *output, int *shelf, struct osiris_error *error);
/* Call it for the last output of a shelf after all have been published (which does not sync the folder each time). */
int output_sync_folder(struct output *output, struct osiris_error *error);
/* Does the part of publishing that can fail without showing anything: the output gets its hidden name. It must be finished. */
int output_make_ready(struct output *output, struct osiris_error *error);
/* Publishes it under its name. The output must be finished. Frees nothing. */
int output_publish(struct output *output, struct osiris_error *error);
/* Retracts it: the new file is removed, and a replaced one is restored. -1: it cannot be undone, because the file system cannot
 * exchange names (NFS), or the old file was not ours, and it is lost, or because somebody else has replaced the new file. An output that was not published
 * is not an error. */
int output_retract(struct output *output, struct osiris_error *error);
/* Closes it and, unless it was published, removes every trace, including folders that it has created (if empty). A file that it has
 * replaced is removed, too. False: a hidden file may be left. */
bool output_close(struct output *output);

#endif
