/* The state of the files and of their thread. Private to this folder. */
#ifndef OSIRIS_ORCHESTRATOR_FILES_FILE_STATE_H
#define OSIRIS_ORCHESTRATOR_FILES_FILE_STATE_H

#include <pthread.h>

#include "core/base/fingerprint.h"
#include "orchestrator/files/files.h"

enum work_kind { WORK_OPEN, WORK_WRITE, WORK_FINISH, WORK_READ, WORK_CLOSE, WORK_PUBLISH, WORK_RETRACT, WORK_STOP };

/* Something for the thread to do. */
struct work {
    enum work_kind kind;
    struct file *file; /* NULL: it is about a list */
    void *owner;
    struct file_bytes bytes;
    size_t done; /* of the bytes */
    enum file_end end;
    int64_t credit;
    const char *codec;
    struct file **list;
    size_t count;
    struct work *next;
};

struct work_queue {
    struct work *first, *last;
};

struct event_entry {
    struct file_event event;
    struct file *closed; /* to free when it is taken */
    struct event_entry *next;
};

/* Of the outputs of a step that were set aside (core/output/output.h). */
struct shelf {
    char *step_id;
    int folder;   /* or -1 */
    size_t users; /* open outputs of the step */
    struct shelf *next;
};

struct file {
    /* Constant. */
    struct files *files;
    void *owner;
    bool is_input, is_artifacts;
    char *step_id, *path;
    mode_t mode;
    bool create_directories, append, no_sync;
    /* The thread's. */
    struct output *output; /* NULL: it is none, or not open */
    struct artifacts_unpacker *unpacker; /* of artifacts */
    char identity[FINGERPRINT_SIZE];
    bool claimed;
    struct shelf *shelf; /* an output's */
    int fd;        /* an input's */
    bool waits;    /* reading or writing may wait for somebody else: poll first */
    struct work_queue work; /* an output's, in its order */
    int64_t credit;         /* an input's */
    const char *codec;
    bool ended;
    struct osiris_error error; /* it has failed */
    bool queued; /* it is in files->busy or files->waiting */
    struct file *next_queued;
    struct file *previous, *next; /* of all, in the order of opening */
};

struct file_queue {
    struct file *first, *last;
};

struct files {
    /* Constant. */
    char *run_id, *temp_root, *temp_dir;
    struct output_origin origin;
    int stdout_fd, temp_lock;
    int wake_fd, event_fd;
    pthread_t thread;
    /* Under the lock. */
    pthread_mutex_t lock;
    struct work_queue work;
    struct event_entry *first_event, *last_event;
    /* The thread's. */
    struct file *first, *last; /* open ones */
    struct file_queue busy, waiting; /* waiting: for a descriptor to become ready */
    size_t waiting_count;
    bool stdout_taken, stops;
    struct shelf *shelves;
};

#endif
