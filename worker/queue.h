/*
 * The queue of batches on one edge: one producing thread, one reading thread, bounded in bytes.
 *
 *   bounded: a full queue blocks the producer; a batch larger than the bound passes when the queue is empty. The structures of a
 *            batch count as well.
 *   elastic: beyond the bound batches go to an unnamed temporary file and come back in order.
 *
 * Batches are moved in and out, never copied (but through the file).
 */
#ifndef OSIRIS_WORKER_QUEUE_H
#define OSIRIS_WORKER_QUEUE_H

#include <osiris/arrow.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct queue;

enum queue_result {
    QUEUE_OK,
    QUEUE_END,       /* get: the producer has finished and all was read */
    QUEUE_CLOSED,    /* the reader has closed it: wants no more */
    QUEUE_CANCELLED, /* cancelled, or the producer failed */
    QUEUE_ERROR,     /* the spill file failed; the error is set */
};

/* `spill_dir` is for elastic queues (borrowed): where the file is made, on first need. */
struct queue *queue_new(uint64_t bound_bytes, bool elastic, const char *spill_dir);
/* Releases what is still in it. No thread may use it any more. */
void queue_free(struct queue *queue);

/* [producer] The stream's schema, checked; copied. Comes before the first put. */
int queue_set_schema(struct queue *queue, const struct ArrowSchema *schema);
/* [producer] Takes `array`, whatever the result. `bytes` is its size. Waits while the queue is full. */
enum queue_result queue_put(struct queue *queue, struct ArrowArray *array, uint64_t bytes,
                            struct osiris_error *error);
/* [producer] The same for a queue that is never full (elastic, or without a bound), and queue_wake is called soon: a reader that
 * waits is woken once for several batches. */
enum queue_result queue_put_quietly(struct queue *queue, struct ArrowArray *array, uint64_t bytes,
                                    struct osiris_error *error);
void queue_wake(struct queue *queue);
/* [producer] There will be no more. */
void queue_finish(struct queue *queue);

/* [reader] Waits for the schema and copies it. */
enum queue_result queue_get_schema(struct queue *queue, struct ArrowSchema *schema);
/* [reader] Waits for the next batch. */
enum queue_result queue_get(struct queue *queue, struct ArrowArray *array, uint64_t *bytes,
                            struct osiris_error *error);
/* [reader] Reads no more: the producer's next put returns QUEUE_CLOSED. */
void queue_close(struct queue *queue);

/* [producer] It cannot continue; the reader gets QUEUE_ERROR with this error next. Moves the error. */
void queue_fail(struct queue *queue, struct osiris_error *error);
/* Resets the queue to its state after queue_new. No thread may use it. */
void queue_renew(struct queue *queue);

/* [any thread] Wakes both sides; every call from then on returns QUEUE_CANCELLED. */
void queue_cancel(struct queue *queue);

#endif
