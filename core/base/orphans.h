/*
 * Processes that have lost their parents: a driver's child that detaches itself (setsid, double fork) is in no process group
 * that could be killed, but a subreaper above it becomes its parent. The worker is one for as long as it lives, osiris while it
 * runs a pipeline, for what a worker that was killed has left, and both while they try a plug-in (guarded.h).
 */
#ifndef OSIRIS_CORE_BASE_ORPHANS_H
#define OSIRIS_CORE_BASE_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How it was before. */
struct adoption {
    pid_t *relatives; /* children that this process had already; owned */
    size_t count;
    bool adopted; /* orphans below it were its children already */
};

/* Orphans below this process become its children. `before` may be NULL: for good. */
void orphans_adopt(struct adoption *before);
/* As it was before; clears it. */
void orphans_release(struct adoption *before);

/* Kills and reaps all children but the relatives (NULL: all), and what becomes a child by that, for at most timeout_ms. Says how
 * many there were. Nobody may wait for any of them elsewhere. */
size_t orphans_end(const struct adoption *before, int timeout_ms);

#endif
