/*
 * A relay: a short-lived process that joins its standard input and output to the socket of a detached worker. To the orchestrator its two
 * ends are one link of the channel; whatever carries them (ssh, docker exec, E2B's process calls) starts it.
 *
 *     standard input ──► buffer ──► socket        at most RELAY_BUFFER each way; a slow reader stops its writer
 *     standard output ◄── buffer ◄── socket
 *     standard error ◄── log of the worker, from an offset
 *
 * One thread, one poll loop, non-blocking descriptors. The relay ends when the socket has ended, when nobody reads its output, or, after
 * the end of its input, when the worker has closed the socket.
 */
#ifndef OSIRIS_WORKER_RELAY_RELAY_H
#define OSIRIS_WORKER_RELAY_RELAY_H

#include <stdint.h>

#include "worker/relay/folder.h"

/* Written to standard output before anything else: what comes before it, a place has printed itself. */
#define RELAY_GREETING "\nosiris-relay 1\n"
#define RELAY_BUFFER ((size_t)256 << 10)

/* Exit codes. Others are the place's: 125 to 127 a shell's or a container's, 255 ssh's. */
enum {
    RELAY_MAX_EXIT = 63, /* up to here: the worker's own */
    RELAY_SIGNAL = 64,   /* plus the number of the signal that has ended the worker */
    RELAY_LINK_ENDED = 96, /* as far as is known, the worker is still running */
    RELAY_NO_WORKER = 97,
    RELAY_FAILED = 98, /* a line on standard error says why */
};

/* The exit code. */
int relay_run(struct relay_folder *folder, int64_t log_offset);

#endif
