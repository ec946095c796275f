/*
 * The keeper: the parent of a detached worker. It outlives all relays, so that no end of a link touches the worker, and nothing of the
 * worker outlives it:
 *
 *  - it copies what the worker prints to the log,
 *  - SIGTERM makes it ask the worker to end, SIGUSR1 makes it kill the worker with everything that the worker has started,
 *  - when the worker has ended, it writes the status, gives a relay a few seconds to pass log and status on, and removes the folder.
 *
 * It is a process with one thread. If it is killed, the worker ends (lifecycle.h), and the folder is left to relay_sweep.
 */
#ifndef OSIRIS_WORKER_RELAY_KEEPER_H
#define OSIRIS_WORKER_RELAY_KEEPER_H

#include <stdint.h>

#include "worker/relay/folder.h"

#define KEEPER_KILL SIGUSR1

struct keeper_options {
    /* Runs the worker in its own process, on a listening socket, and returns its exit status. */
    int (*work)(int listen_fd);
    const char *bundle;  /* where the worker's bundle lies, locked (bundles.h) while the worker lives; NULL: none */
    bool removes_bundle; /* at the end, unless another worker uses it */
    int64_t log_limit;
};

/* Starts keeper and worker in a folder that is locked; the lock passes to them. */
int keeper_start(struct relay_folder *folder, const struct keeper_options *options, struct osiris_error *error);

#endif
