/*
 * Shared by the files of output.h.
 */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_INTERNAL_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_INTERNAL_H

#include <sys/stat.h>

#include "core/output/output.h"

struct output {
    int fd;
    int folder;     /* the target's */
    struct output_origin origin;
    bool masks;     /* by the origin's umask */
    char *path;     /* as given */
    char *name;     /* of the target in its folder */
    char *stem;     /* the start of hidden names: `name`, or its hash if it is long */
    char *hidden;   /* the temporary name in the folder; NULL while there is none */
    char *run_id;
    char *folder_path;
    char **made; /* the folders that were created for it, outermost first */
    size_t made_count;
    bool device;    /* /dev/null and the like: written directly, nothing to publish */
    bool finished, published;
    bool no_sync, append;
    bool had_target;      /* append: the file that was there, as it was */
    struct stat original;
    int64_t initial_size;
    bool stream;        /* as a device, and its size is not known */
    bool aside;         /* set aside: it has no descriptor, and `folder` is the shelf */
    int64_t final_size; /* then */
    void (*hides_in)(void *context, int folder);
    void (*tell_made)(void *context, int folder);
    void *context;
    int64_t written_back; /* write-back has been started up to here */
};

/* Reports a call that failed with `number` when it tried to `what` the output. -1. */
int output_fail(struct output *output, struct osiris_error *error, int number, const char *what);

/* Gives an unnamed file its hidden name. */
int output_name_unnamed(struct output *output, struct osiris_error *error);

/* output-folders.c: opens the target's folder, creating it if it is missing and `create`; created folders are removed again while empty. The
 * new file gets `mode` less the origin's umask. */
int output_open_folder(struct output *output, bool create, struct osiris_error *error);
void output_remove_made_folders(struct output *output);
void output_mask_file(const struct output *output, mode_t mode);

/* output-append.c: starts the output with a copy of the existing file; and checks that this file is unchanged. */
int output_copy_original(struct output *output, struct osiris_error *error);
int output_check_original(struct output *output, struct osiris_error *error);

#endif
