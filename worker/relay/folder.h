/*
 * The private folder of a worker that was started detached (osiris-worker --start, docs/protocol.md):
 *
 *   lock        locked (F_OFD_SETLK) while the keeper or the worker lives
 *   socket      where the worker listens
 *   pid         "KEEPER WORKER": process ids
 *   log         what the worker has printed
 *   status      how the worker has ended: "exited N" or "signalled N"
 *   seen        somebody has read the status and all of the log
 *   work/       the worker's working directory
 *   artifacts/  tmp/   for `prepare`
 */
#ifndef OSIRIS_WORKER_RELAY_FOLDER_H
#define OSIRIS_WORKER_RELAY_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"

struct relay_folder {
    const char *path; /* absolute; borrowed */
    int fd;
    int lock; /* of its file; -1: not held */
};

#define RELAY_FOLDER_INIT {.path = NULL, .fd = -1, .lock = -1}
#define _cleanup_relay_folder_ _cleanup_(relay_folder_close)

/* Opens it; if `create` is set, makes it first. It must be the user's own, closed to everyone else, and no link. -1 with the error,
 * of the category not_found if there is no such folder. */
int relay_folder_open(struct relay_folder *folder, const char *path, bool create, struct osiris_error *error);
void relay_folder_close(struct relay_folder *folder);

/* Takes the lock. 1: it is held now; 0: a keeper, a worker or a starter holds it; -1: the folder was removed meanwhile, or cannot be
 * locked. */
int relay_folder_lock(struct relay_folder *folder, struct osiris_error *error);
void relay_folder_unlock(struct relay_folder *folder);
bool relay_folder_is_locked(const struct relay_folder *folder);

bool relay_folder_has(const struct relay_folder *folder, const char *name);
/* Creates an empty file. */
void relay_folder_mark(const struct relay_folder *folder, const char *name);

int relay_folder_write_pids(const struct relay_folder *folder, pid_t keeper, pid_t worker, struct osiris_error *error);
/* False: there are none. */
bool relay_folder_read_pids(const struct relay_folder *folder, pid_t *keeper, pid_t *worker);

/* `status` as waitpid has reported it. */
int relay_folder_write_status(const struct relay_folder *folder, int status, struct osiris_error *error);
/* False: it has not ended, or nobody has seen it end. */
bool relay_folder_read_status(const struct relay_folder *folder, bool *signalled, int *code);

/* The socket. The paths of sockets are short, so both change the working directory to the folder. A descriptor, or -1 with errno. */
int relay_folder_listen(const struct relay_folder *folder);
int relay_folder_connect(const struct relay_folder *folder);

#endif
