/*
 * Processes that have lost their parents. A driver's child that detaches itself (setsid, double fork) is not in a
 * process group that could be killed, but a subreaper above it becomes its parent. The worker is a subreaper for as
 * long as it lives, osiris while it runs a pipeline, for the processes of killed workers, and both while they try a
 * plug-in (guarded.h).
 */
#ifndef OSIRIS_CORE_BASE_ORPHANS_H
#define OSIRIS_CORE_BASE_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The state before. */
struct adoption {
    pid_t *relatives; /* children that this process already had; owned */
    size_t count;
    bool adopted; /* it already was a subreaper */
};

/* Makes orphans below this process its children. `before` may be NULL: permanently. */
void orphans_adopt(struct adoption *before);
/* Restores the state and clears it. */
void orphans_release(struct adoption *before);

/* Kills and reaps all children except the relatives (NULL: all), and processes that become children by that, for at
 * most timeout_ms. Returns their number. No other thread may wait for any of them. */
size_t orphans_end(const struct adoption *before, int timeout_ms);

#endif
