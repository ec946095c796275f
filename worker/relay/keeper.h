/*
 * The keeper: the parent of a worker that relays lead to. It outlives them, keeps what the worker prints, tells relays how it has
 * ended, ends whatever the worker has left behind, and removes the folder. A process of its own, with one thread.
 *
 * If the keeper is killed, the worker gets SIGTERM (lifecycle.h). What remains of the folder is removed by the next --start or
 * --kill there, or by --sweep.
 */
#ifndef OSIRIS_WORKER_RELAY_KEEPER_H
#define OSIRIS_WORKER_RELAY_KEEPER_H

#include "worker/relay/folder.h"

/* Runs a worker on a listening socket and returns its exit status. */
typedef int (*worker_function)(int listen_fd);

struct keeper_start {
    struct folder folder; /* locked */
    int worker_lock, worker_socket, keeper_socket;
    const char *const *removed; /* absolute paths to remove in the end, with `removed_count` elements */
    size_t removed_count;
    worker_function work;
};

/* Detaches a keeper, which starts the worker. Takes all descriptors of *start; the keeper unlocks the folder. */
int keeper_detach(struct keeper_start *start, struct osiris_error *error);

#endif
