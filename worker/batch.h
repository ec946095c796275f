/*
 * Batches in files: a header of fixed-width integers of this machine, then each buffer at a multiple of 64
 * bytes. For spill files, which no other process sees; lengths are checked nevertheless.
 */
#ifndef OSIRIS_WORKER_BATCH_H
#define OSIRIS_WORKER_BATCH_H

#include <osiris/arrow.h>
#include <stdint.h>

#include "core/base/error.h"

/* Writes a checked array at `offset`; *length gets the bytes that it takes (a multiple of 64). The array stays
 * the caller's. */
int batch_write(int fd, uint64_t offset, const struct ArrowSchema *schema,
                const struct ArrowArray *array, uint64_t *length, struct osiris_error *error);

/* Reads it back into one allocation that the resulting array points into. */
int batch_read(int fd, uint64_t offset, uint64_t length, const struct ArrowSchema *schema,
               struct ArrowArray *array, struct osiris_error *error);

#endif
