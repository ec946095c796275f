/*
 * Processes that have lost their parents: a driver's child that detaches itself (setsid, double fork) is in no process group
 * that could be killed, but a subreaper above it becomes its parent. The worker is one for as long as it lives, osiris while it
 * runs a pipeline, for what a worker that was killed has left, and both while they try a plug-in (guarded.h).
 */
#ifndef OSIRIS_CORE_ORPHANS_H
#define OSIRIS_CORE_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Children of this process. */
struct orphans {
    pid_t *pids; /* owned */
    size_t count;
};

/* Orphans below this process become its children. Says whether they did already. */
bool orphans_adopt(void);
/* No longer, unless they did before. */
void orphans_release(bool before);

/* Those that are there now; empty if there are none, or no memory. */
void orphans_list(struct orphans *list);
void orphans_clear(struct orphans *list);

/* Kills and reaps all children but `except` (or NULL), and what becomes a child by that, for at most timeout_ms. Says how many
 * there were. Nobody may wait for any of them elsewhere. */
size_t orphans_end(const struct orphans *except, int timeout_ms);

#endif
