/*
 * A relay: one link to a worker. Its standard input and output are joined to the worker's socket, and its standard error has
 * what the worker prints (docs/protocol.md).
 */
#ifndef OSIRIS_WORKER_RELAY_RELAY_H
#define OSIRIS_WORKER_RELAY_RELAY_H

#include <stdint.h>

#include "worker/relay/folder.h"

/* Exit codes of a relay. Below RELAY_SIGNALLED it is the worker's own. */
enum {
    RELAY_SIGNALLED = 64, /* plus the signal that has ended the worker */
    RELAY_LINK_ENDED = 96,
    RELAY_NO_WORKER = 97,
    RELAY_FAILED = 98,
};

/* Closes the folder. Returns the exit code; RELAY_FAILED with the error set. */
int relay_run(struct folder *folder, uint64_t log_offset, struct osiris_error *error);

/* A question to the keeper: a connection on which the line was sent. -1: there is no keeper. */
int relay_ask_keeper(const struct folder *folder, const char *line);

#endif
