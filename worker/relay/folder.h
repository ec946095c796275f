/*
 * The private folder of a worker that relays lead to:
 *
 *   start.lock      locked by whoever creates, clears or removes the folder
 *   worker.lock     locked for as long as the keeper or the worker lives
 *   socket, keeper  where the two listen
 *   pid             of the worker
 *   work/, artifacts/, tmp/
 *
 * A unix socket's path has at most 107 bytes; the folder's may be longer. Sockets are therefore named relative to the folder,
 * which becomes the working directory of the process.
 */
#ifndef OSIRIS_WORKER_RELAY_FOLDER_H
#define OSIRIS_WORKER_RELAY_FOLDER_H

#include <stdbool.h>

#include "core/base/error.h"

#define FOLDER_WORKER "socket"
#define FOLDER_KEEPER "keeper"
#define FOLDER_START_LOCK "start.lock"
#define FOLDER_WORKER_LOCK "worker.lock"

struct folder {
    const char *path; /* absolute; borrowed */
    int fd;           /* or -1 */
    int start_lock;   /* or -1 */
};

#define FOLDER_INIT                                                                                \
    {                                                                                              \
        .fd = -1, .start_lock = -1                                                                 \
    }
#define _cleanup_folder_ _cleanup_(folder_close)

enum { FOLDER_FAILED = -1, FOLDER_OPEN = 0, FOLDER_NONE = 1 };

/* Opens a folder that must be this user's alone; FOLDER_NONE: it does not exist. */
int folder_open(struct folder *folder, const char *path, struct osiris_error *error);
/* Opens and locks it, and waits a limited time for the lock. `create`: also creates it. An existing folder must be empty,
 * or have been created by this function. */
int folder_lock(struct folder *folder, const char *path, bool create, struct osiris_error *error);
void folder_unlock(struct folder *folder);
void folder_close(struct folder *folder);

/* The worker's lock: a descriptor that holds it, or -1. */
int folder_lock_worker(const struct folder *folder, struct osiris_error *error);
/* Whether a keeper or a worker lives. */
bool folder_is_alive(const struct folder *folder);
/* The worker's process id; 0: unknown. */
int folder_read_pid(const struct folder *folder);
int folder_write_pid(const struct folder *folder, int pid, struct osiris_error *error);

/* Listening and connected sockets. They make the folder the working directory. -1 with errno. */
int folder_listen(const struct folder *folder, const char *name);
int folder_connect(const struct folder *folder, const char *name);

/* Whether both are the same folder, not only of the same name. */
bool folder_is_same(const struct folder *one, const struct folder *other);

/* Whether a keeper answers. It becomes the working directory, too. */
bool folder_has_keeper(const struct folder *folder);

/* Removes everything but the lock of a locked folder; then the folder itself. */
void folder_clear(const struct folder *folder);
void folder_remove(const struct folder *folder);

#endif
