/*
 * Several readers at once, each on its own thread; their batches are handed over as they arrive. What they build and what
 * waits to be taken is bounded together, in bytes; a reader waits until there is room. The first error ends all of them.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_MERGE_H
#define OSIRIS_DRIVERS_MYSQL_MERGE_H

#include "reader.h"

#define MYSQL_MERGE_BYTES (12u << 20)
/* The part of it that all readers build at once; for this bound, no batch is larger than MYSQL_BATCH_BYTES. */
#define MYSQL_MERGE_BUILD_BYTES (8u << 20)
/* The number of readers that may read giant rows at a time: each may hold one. */
#define MYSQL_MERGE_GIANTS 3

struct mysql_merge;

/* Starts the threads of connected readers, which own them until mysql_merge_free. `row_bytes`: the estimated size of a
 * row. NULL: reported. */
struct mysql_merge *mysql_merge_new(const struct osiris_host *host, struct mysql_reader *readers,
                                    size_t count, uint64_t row_bytes);
/* Waits for the first statement's columns. -1: a reader has reported why. */
int mysql_merge_schema(struct mysql_merge *merge, struct ArrowSchema *out);
/* The next batch of any reader; when all have ended, its release is NULL. -1: a reader has reported why. */
int mysql_merge_next(struct mysql_merge *merge, struct ArrowArray *out);
/* [any thread] Ends the waits of the merge; the owner interrupts the readers. */
void mysql_merge_stop(struct mysql_merge *merge);
/* Stops the readers and waits for their threads. */
void mysql_merge_free(struct mysql_merge *merge);

#endif
