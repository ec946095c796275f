/* The state of an output. Private to the files of output.h. */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_STATE_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_STATE_H

#include <sys/stat.h>

#include "core/output/output.h"

/* How a published output has appeared. */
enum output_appearance {
    OUTPUT_NEW,
    OUTPUT_EXCHANGED,   /* the replaced file has the hidden name now */
    OUTPUT_OVERWRITTEN, /* the replaced file is lost */
};

struct output {
    int fd;
    int folder;     /* the target's */
    struct file_id file_id, folder_id; /* of these two */
    int kept;       /* the file that was there, locked, while it has the hidden name; or -1 */
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
    enum output_appearance appeared; /* once it is published */
    struct stat shown;               /* the new file */
    bool no_sync, append;
    bool had_target;      /* when appending: the existing file, as it was */
    struct stat original;
    int64_t initial_size;
    bool stream;        /* like a device, and its size is not known */
    bool aside;         /* set aside: it has no descriptor, and `folder` is the shelf */
    int64_t final_size; /* of a file that is set aside */
    void (*hides_in)(void *context, int folder);
    void (*report_made)(void *context, int folder);
    void (*report_kept)(void *context, int folder);
    void *context;
    int64_t written_back; /* write-back has been started up to here */
};

/* Reports a call that failed with `number` when it tried to `what` the output. -1. */
int output_fail(struct output *output, struct osiris_error *error, int number, const char *what);

/* The folder of the output's relative paths, for cleaning up: if a driver has closed the origin's, a new descriptor, which is also
 * stored in *again, to be closed. */
int output_reach_origin(const struct output_origin *origin, int *again);
/* Call it before the output's descriptors are used after a driver has run. */
int output_check_descriptors(const struct output *output, struct osiris_error *error);

#endif
