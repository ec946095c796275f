/*
 * What the files of output.h share.
 */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_INTERNAL_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_INTERNAL_H

#include <sys/stat.h>

#include "core/output/output.h"

/* How a published output has appeared. */
enum output_appearance {
    OUTPUT_NEW,
    OUTPUT_EXCHANGED,  /* the file that was there has the hidden name now */
    OUTPUT_OVERWRITTEN, /* the file that was there is lost */
};

struct output {
    int fd;
    int folder;     /* the target's */
    struct output_origin origin;
    bool masks;     /* by the origin's umask */
    char *path;     /* as given */
    char *name;     /* of the target in its folder */
    char *stem;     /* what hidden names begin with: `name`, or its hash if it is long */
    char *hidden;   /* the temporary name in the folder; NULL while there is none */
    char *run_id;
    char *folder_path;
    char **made; /* the folders that were made for it, outermost first */
    size_t made_count;
    bool device;    /* /dev/null and its like: written through, there is nothing to publish */
    bool finished, published;
    enum output_appearance appeared; /* once it is published */
    struct stat shown;               /* the new file */
    bool no_sync, append;
    bool had_target;      /* append: the file that was there, as it was */
    struct stat original;
    int64_t initial_size;
    bool stream;        /* as a device, and its size is not known */
    bool aside;         /* set aside: no descriptor of its own, `folder` is the shelf's */
    int64_t final_size; /* then */
    void (*hides_in)(void *context, int folder);
    void (*tell_made)(void *context, int folder);
    void *context;
    int64_t written_back; /* up to here the disk has been told */
};

/* The error of a call that failed with `number` as it was to `what` the output. -1. */
int output_fail(struct output *output, struct osiris_error *error, int number, const char *what);

/* Gives an unnamed file its hidden name. */
int output_name_unnamed(struct output *output, struct osiris_error *error);

/* output-folders.c: the target's folder, made if it is missing and `create`; what was made goes again as long as it is empty. The
 * new file's mode becomes `mode` less the origin's umask. */
int output_open_folder(struct output *output, bool create, struct osiris_error *error);
void output_remove_made_folders(struct output *output);
void output_mask_file(const struct output *output, mode_t mode);

/* output-append.c: begins the output with the file that is there; and whether that is there still. */
int output_copy_original(struct output *output, struct osiris_error *error);
int output_check_original(struct output *output, struct osiris_error *error);

#endif
