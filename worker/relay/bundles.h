/*
 * Unpacked bundles in a place (docs/bundle.md), each a folder of one parent folder and used by any number of workers. Who uses one
 * holds a shared lock (flock) of it.
 */
#ifndef OSIRIS_WORKER_RELAY_BUNDLES_H
#define OSIRIS_WORKER_RELAY_BUNDLES_H

/* Locks the bundle while the descriptor is open, and notes the time. -1: it could not be locked, or `bundle` is NULL. */
int bundle_use(const char *bundle);
/* Removes the bundle unless somebody uses it. */
void bundle_remove_unused(const char *bundle);
/* Keeps the `kept` bundles below `parent` that were used last, and removes the others, except those in use. Half-unpacked ones, whose
 * names contain a dot, go when nothing was written to them for an hour. */
void bundles_prune(const char *parent, unsigned kept);

#endif
