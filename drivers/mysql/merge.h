/*
 * Several readers at once, each on a thread of its own, their batches handed over as they come. What they build and what
 * waits to be taken is bounded in bytes together; a reader waits until there is room. The first error ends all.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_MERGE_H
#define OSIRIS_DRIVERS_MYSQL_MERGE_H

#include "reader.h"

#define MYSQL_MERGE_BYTES (12u << 20)
/* Of it what all readers build at once; a batch of one is never larger than MYSQL_BATCH_BYTES for it. */
#define MYSQL_MERGE_BUILD_BYTES (8u << 20)
/* So many readers may read at a time what can have giant rows: each may hold one. */
#define MYSQL_MERGE_GIANTS 3

struct mysql_merge;

/* Starts the threads of connected readers, which are theirs until mysql_merge_free. `row_bytes`: what a row is thought to
 * have. NULL: reported. */
struct mysql_merge *mysql_merge_new(const struct osiris_host *host, struct mysql_reader *readers,
                                    size_t count, uint64_t row_bytes);
/* Waits for the first statement's columns. -1: a reader has reported why. */
int mysql_merge_schema(struct mysql_merge *merge, struct ArrowSchema *out);
/* The next batch of any reader; at the end of all, its release is NULL. -1: a reader has reported why. */
int mysql_merge_next(struct mysql_merge *merge, struct ArrowArray *out);
/* [any thread] Ends the waits of the hand-over; the readers are interrupted by their owner. */
void mysql_merge_stop(struct mysql_merge *merge);
/* Stops the readers and waits for their threads. */
void mysql_merge_free(struct mysql_merge *merge);

#endif
