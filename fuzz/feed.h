/*
 * Plays the other end of one or two channels from a fuzzer's input, and sees that what comes back keeps to the protocol.
 *
 * The input is text, a line an act, so that a mutation of it still means something:
 *
 *     {…}      a message, in a frame of its own
 *     = N      the next message has the N bytes that follow this line (and a newline) as its body
 *     ~        waits until all requests are answered, or another one has come, or for a moment
 *     !…       the bytes of the rest of the input, as they are
 *     0 … 1 …  for the channel of that number; else it is the first
 */
#ifndef OSIRIS_FUZZ_FEED_H
#define OSIRIS_FUZZ_FEED_H

#include <stdbool.h>

#include "core/wire/channel.h"
#include "fuzz.h"

#define FEED_CHANNELS 2

struct feed_end {
    int socket;
    struct channel *received; /* reads the same socket */
    uint64_t sequence;        /* of what was sent */
    size_t requests, answers; /* sent by it, come back */
    size_t asked;             /* requests that have come */
    bool ended;
    void *body; /* room for one that comes */
};

struct feed {
    struct feed_end ends[FEED_CHANNELS];
    size_t count;
    size_t asked_before; /* by the last wait */
};

/* Makes `count` socketpairs; the other ends are in `sockets`, close-on-exec. */
void feed_open(struct feed *feed, int *sockets, size_t count);
void feed_play(struct feed *feed, const uint8_t *data, size_t size);
/* No more will come: each peer sees the end. */
void feed_end(struct feed *feed);
/* Reads until all peers have closed, or `timeout_ms`. */
void feed_drain(struct feed *feed, int timeout_ms);
void feed_close(struct feed *feed);

#endif
