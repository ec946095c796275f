/*
 * Bytes on their way from one descriptor to another: a buffer of limited size. When it is full, nothing more is read, so the sender
 * waits. Neither descriptor blocks. What comes for a reader that is gone is read and dropped.
 */
#ifndef OSIRIS_WORKER_RELAY_PUMP_H
#define OSIRIS_WORKER_RELAY_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_BYTES ((size_t)256 << 10)

struct pump {
    int from, to; /* borrowed; -1: it has ended; nobody reads */
    char *bytes;  /* PUMP_BYTES; owned */
    size_t begin, end;
    int64_t moved_ms; /* when something was last written */
};

/* -1: no memory. */
int pump_init(struct pump *pump, int from, int to);
void pump_clear(struct pump *pump);

/* What to poll for; 0: nothing. */
short pump_poll_from(const struct pump *pump);
short pump_poll_to(const struct pump *pump);

/* Reads and writes as much as possible; sets `from` and `to` to -1. */
void pump_move(struct pump *pump);
/* Puts bytes before all others; there must be room. */
void pump_begin_with(struct pump *pump, const char *text);
/* Drops what has not been written. */
void pump_drop(struct pump *pump);

static inline bool pump_is_empty(const struct pump *pump)
{
    return pump->begin == pump->end;
}

/* Everything was written that will ever come. */
static inline bool pump_is_done(const struct pump *pump)
{
    return pump->from < 0 && pump_is_empty(pump);
}

#endif
