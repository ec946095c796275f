/*
 * Bundles in the cache folder, each as HASH.tar.gz. A bundle appears there by a rename, and counts only if it ends as
 * it must, so what a killed process or a full disk has left is never used. At most CACHE_MAXIMUM_FILES and
 * CACHE_MAXIMUM_BYTES are kept: those that have not been used for the longest time are removed. Nothing here is an
 * error but that a bundle cannot be written.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_CACHE_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_CACHE_H

#include "orchestrator/bundle/pack.h"

#define CACHE_MAXIMUM_FILES 16
#define CACHE_MAXIMUM_BYTES ((int64_t)512 << 20)

/* Free it. */
char *cache_path(const char *folder, const struct pack_identity *identity);

/* The size of the bundle in the cache, which counts as used now; -1: it is not there. */
int64_t cache_find(const char *folder, const struct pack_identity *identity);

/* Writes it, and removes what is too much, never this one. */
int cache_write(const char *folder, const struct pack_identity *identity, const void *bytes, size_t length,
                struct osiris_error *error);

#endif
