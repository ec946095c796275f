/* Starting a worker in a folder, and ending one whose keeper was killed. */
#ifndef OSIRIS_WORKER_RELAY_START_H
#define OSIRIS_WORKER_RELAY_START_H

#include "worker/relay/keeper.h"

struct start_request {
    const char *path;           /* absolute */
    const char *const *removed; /* with `removed_count` elements */
    size_t removed_count;
    worker_function work;
};

/* Starts a worker unless one is there. 0: there is a keeper. */
int start_worker_in(const struct start_request *request, struct osiris_error *error);

/* The folder is locked, and has no keeper: ends a worker that is left, at once or by SIGTERM first, and waits until it has gone. */
int start_end_remains(const struct folder *folder, bool at_once, struct osiris_error *error);

#endif
