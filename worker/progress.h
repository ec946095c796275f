/*
 * The progress of a step. Atomic, so that any thread counts and reads: the step's thread, those of its driver, and the main
 * thread for heartbeats.
 */
#ifndef OSIRIS_WORKER_PROGRESS_H
#define OSIRIS_WORKER_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct step_progress {
    atomic_bool cancelled;
    atomic_bool touched; /* its driver has received a batch, or the end of an input */
    atomic_int_fast64_t rows, bytes;
};

static inline void progress_add(struct step_progress *progress, int64_t rows, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->rows, rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->bytes, (int_fast64_t)bytes, memory_order_relaxed);
}

static inline bool progress_is_cancelled(const struct step_progress *progress)
{
    return atomic_load_explicit((atomic_bool *)&progress->cancelled, memory_order_relaxed);
}

#endif
