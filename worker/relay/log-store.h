/*
 * What a worker prints, in memory: it may contain what drivers should not print, so it is not written to a disk. Bytes have an
 * offset from the first one on, and none is forgotten, so that each link can begin where the one before it ended. Beyond
 * `maximum` bytes further output is dropped, and the last line says so.
 *
 * One thread.
 */
#ifndef OSIRIS_WORKER_RELAY_LOG_STORE_H
#define OSIRIS_WORKER_RELAY_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_STORE_BLOCK ((size_t)64 << 10)

struct log_store {
    size_t maximum;
    uint64_t length;
    char **blocks; /* of LOG_STORE_BLOCK bytes; owned */
    size_t block_count;
    bool full;
};

void log_store_init(struct log_store *store, size_t maximum);
void log_store_clear(struct log_store *store);

void log_store_append(struct log_store *store, const char *bytes, size_t length);
/* Adds a line of our own, even to a full store. It begins a new line. */
void log_store_append_line(struct log_store *store, const char *line);

/* Bytes from `offset` on: *bytes, valid until the next call; returns how many (0: there are none yet). */
size_t log_store_at(const struct log_store *store, uint64_t offset, const char **bytes);

#endif
