/*
 * An output file that appears whole or not at all. The descriptor is a real file in the target's folder:
 * unnamed (O_TMPFILE) where the filesystem can, else a hidden file ".<name>.osiris-<run id>-<pid>-<n>.tmp"
 * (a long name stands there as its hash) that is locked (flock) for as long as its process lives.
 * Publishing links it beside the target if it is unnamed, then renames it to the target and syncs the
 * folder. A file that was there is kept under the hidden name until the output is closed, so that publishing
 * can be taken back.
 *
 * A file that is there must be writable, and keeps its permissions (not its owner and ACLs: it is a new
 * file) unless others are asked for. A character device is written through. Two outputs of one path do not disturb each other: the
 * one published last stays.
 *
 * Appending is whole or not at all, too: the output begins with a copy of what is there (shared blocks
 * where the filesystem can), to which is written. If the target is another one when the output is finished or
 * published, that is refused: what somebody else wrote meanwhile would be lost.
 *
 * Opening an output first removes stale hidden files of the same target, and where locks are known to all who could write there
 * (not on network filesystems) of targets whose names differ from its own in numbers only, like those of parts and dates: those
 * of the same user whose lock nobody holds. (Those of a worker that was killed osiris removes at the end of the run, if it lives;
 * see litter.h.)
 * One thread at a time for one output.
 */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/base/fingerprint.h"

struct output;

/* Where relative paths begin (a descriptor, AT_FDCWD) and which umask holds for files and folders that are new, whatever the
 * process's are by now. */
struct output_origin {
    int folder;
    mode_t umask;
};

struct output_options {
    const char *path;
    const struct output_origin *origin; /* NULL: as the process's are */
    const char *run_id; /* goes into hidden names */
    mode_t mode;        /* exactly these permissions; 0: those of the file there, or 0666 less the umask */
    bool create_directories;
    bool append;  /* begin with the content of the file that is there, if one is */
    bool no_sync; /* neither the file nor its folder is synced: a crash of the machine may lose it */
    bool named; /* do not try O_TMPFILE (tests of the fallback) */
    /* NULL, or told of the folder (a descriptor) before a hidden name appears there. */
    void (*hides_in)(void *context, int folder);
    /* NULL, or told of a folder that was made, by a descriptor (O_PATH). */
    void (*made)(void *context, int folder);
    void *context;
};

/* Fails early: if the folder is missing or not writable, if the target is a folder, a pipe or
 * write-protected, if its name is too long. If the target is a symbolic link, what it points to is
 * replaced, not the link. */
int output_open(const struct output_options *options, struct output **out,
                struct osiris_error *error);

/* An output that goes where `fd` (which is duplicated) does, as it is written: nothing is published. */
int output_open_stream(const char *path, int fd, struct output **out, struct osiris_error *error);
bool output_is_stream(const struct output *output);
bool output_is_published(const struct output *output);

/* Which file of this machine it will be, the same for every path that leads there. 1: none, it is a device or a stream. */
int output_identity(const struct output *output, char hex[FINGERPRINT_SIZE], struct osiris_error *error);

int output_fd(const struct output *output);
const char *output_path(const struct output *output); /* as given */
/* Bytes in it now, -1 on error. */
int64_t output_size(const struct output *output);
/* Bytes that were there already and are kept: 0 unless it appends. */
int64_t output_initial_size(const struct output *output);

/* Between writes, as often as you like: has the system begin to write to the disk what has come since, so that
 * output_finish finds little left. Hardly ever waits. */
void output_write_back(struct output *output);
/* All is written: fsync (unless no_sync). After it, publishing is a matter of names. */
int output_finish(struct output *output, struct osiris_error *error);
/* Of many outputs, each may be set aside once it is finished: it keeps no descriptor then. They lie on a shelf, the
 * descriptor of the folder that the first one is in (-1 before), which the caller closes after the outputs. One in another
 * folder stays as it is. */
int output_set_aside(struct output *output, int *shelf, struct osiris_error *error);
/* After all of a shelf have been published (which does not sync the folder each time), for the last one of them. */
int output_sync_folder(struct output *output, struct osiris_error *error);
/* Does what of publishing can fail and shows nothing yet: the output gets its hidden name. It must be finished. */
int output_make_ready(struct output *output, struct osiris_error *error);
/* Makes it appear. The output must be finished. Frees nothing. */
int output_publish(struct output *output, struct osiris_error *error);
/* Takes that back: a file that is new is removed, one that was replaced is there again. -1: it cannot be undone, as where the
 * filesystem cannot exchange two names (NFS), and the old file is lost; or somebody else has replaced the new one. What was not
 * published is no error. */
int output_retract(struct output *output, struct osiris_error *error);
/* Removes the hidden files of a run, none of whose processes lives any more, from a folder. */
void output_remove_hidden(const char *folder, const char *run_id);
/* Closes and, unless it was published, removes every trace, folders that it made (if empty) included. A file that it has replaced
 * goes, too. */
void output_close(struct output *output);

#endif
