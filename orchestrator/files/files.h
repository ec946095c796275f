/*
 * The files of this machine that steps in other places read and write ("files at home", docs/protocol.md).
 *
 * One thread for a session does everything that may wait for a disk or for the reader of standard output: opening, reading, writing,
 * syncing, publishing. The session's loop gives it work (the functions below, none of which waits) and takes events when files_fd is
 * readable. Work on one file is done in its order, and files take turns.
 *
 * A `struct file` belongs to the loop from files_open until it takes FILE_CLOSED, the last event of a file; the thread uses it
 * until it has reported that. Bytes to write belong to the thread from file_write on, those that were read to the event. What may
 * wait here is bounded by the credit that the loop grants and passes on (core/wire/window.h).
 *
 * An output is one of core/output/output.h, so what is true there is true here. If osiris is killed, its list of litter in its
 * own folder of `temp_root` lets the next run remove what is left, as for a worker.
 */
#ifndef OSIRIS_ORCHESTRATOR_FILES_FILES_H
#define OSIRIS_ORCHESTRATOR_FILES_FILES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/output/output.h"

struct files;
struct file;

struct files_options {
    const char *run_id;
    const char *temp_root;
    struct output_origin origin; /* of relative paths; its folder outlives the files */
    int stdout_fd;               /* for the path "-"; -1: there is none */
};

struct file_options {
    bool is_input;
    bool is_artifacts; /* what is written is a stream of them (core/output/artifacts-stream.h), for the folder `path` */
    const char *step_id; /* all texts are copied */
    const char *path;
    mode_t mode;
    bool create_directories, append, no_sync;
};

/* NULL with the error set. */
struct files *files_new(const struct files_options *options, struct osiris_error *error);
/* Closes all files. False: the thread does not return from the system within a few seconds, and everything is left to it. */
bool files_free(struct files *files);
/* Becomes readable when there are events. */
int files_fd(const struct files *files);

/* → FILE_OPENED. `owner` comes with each event. */
struct file *files_open(struct files *files, const struct file_options *options, void *owner);

/* Bytes for an output. */
struct file_bytes {
    void *body;        /* of core/wire/body.h; taken */
    size_t length;
    const char *codec; /* a constant, or NULL: not compressed */
    size_t size;       /* when decompressed */
};

/* → FILE_WRITTEN, or FILE_FAILED once. */
void file_write(struct file *file, const struct file_bytes *bytes);

enum file_end {
    FILE_END,   /* everything is written for now */
    FILE_ASIDE, /* and no more will be: it may be set aside (output.h) */
    FILE_READY, /* and it will be published next: it gets its hidden name */
};

/* → FILE_FINISHED, with an error if it has failed before. */
void file_finish(struct file *file, enum file_end end);
/* Lets so many more bytes of an input be read. → FILE_READ, …, FILE_ENDED. `codec` (a constant, or NULL) is used from now on. */
void file_read(struct file *file, int64_t bytes, const char *codec);
/* → FILE_CLOSED, and no other event. An output that was not published leaves nothing. */
void file_close(struct file *file);

/* Publishes outputs that are ready: all, or if one cannot be published none. → FILES_PUBLISHED. The list is copied. */
void files_publish(struct files *files, struct file *const *list, size_t count, void *owner);
/* Takes back what was published. → FILES_RETRACTED. */
void files_retract(struct files *files, struct file *const *list, size_t count, void *owner);

enum file_event_kind {
    FILE_OPENED,    /* `bytes`: of the existing content with which it begins; or the error */
    FILE_WRITTEN,   /* so many bytes (when decompressed) */
    FILE_FAILED,    /* what was written is lost: the error */
    FILE_FINISHED,  /* `bytes`: all of it, -1: unknown; or the error */
    FILE_READ,      /* `read`: of an input */
    FILE_ENDED,     /* an input, with an error or without */
    FILE_CLOSED,
    FILES_PUBLISHED, /* `published`, or the error */
    FILES_RETRACTED, /* or the error, which describes the first file that stays */
};

struct file_event {
    enum file_event_kind kind;
    void *owner;
    int64_t bytes;
    struct file_bytes read;
    struct osiris_error error;
    json_object *published; /* [{step_id, path, bytes}] */
    size_t kept;            /* outputs that could not be taken back */
};

/* The next event, whose contents belong to the caller until file_event_clear. False: there is none. */
bool files_take(struct files *files, struct file_event *event);
void file_event_clear(struct file_event *event);

#endif
