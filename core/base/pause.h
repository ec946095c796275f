/*
 * Time in which a process does not run, because it was stopped (Ctrl-Z, SIGSTOP) or its machine was paused. A process
 * that judges another one by time must not count the time in which it could not have listened itself.
 *
 * (CLOCK_MONOTONIC excludes the time in which a machine is suspended, but includes the time in which a process is
 * stopped or a virtual machine is paused.)
 */
#ifndef OSIRIS_CORE_BASE_PAUSE_H
#define OSIRIS_CORE_BASE_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#define PAUSE_SLICE_MS 250 /* the longest single wait: this much of a pause may be counted */

/* For a loop that must know whether it ran all the time. Zero: not started. */
struct pause_watch {
    int64_t due_ms;
};

/* Before a wait of at most timeout_ms. `now_ms` is the monotonic clock's: a loop reads it anyway. */
void pause_expect(struct pause_watch *watch, int64_t now_ms, int64_t timeout_ms);
/* At any time after it: how long the process did not run since, as far as that is visible; 0: it ran. */
int64_t pause_take(struct pause_watch *watch, int64_t now_ms);

/* A wait for others, in slices: the time by which a slice overruns does not count. */
struct patience {
    int64_t left_ms;
    int64_t slice_ms, began_ms; /* the current slice; 0: none */
};

/* How long to wait now, at most PAUSE_SLICE_MS; 0: the wait is over. */
int64_t patience_next(struct patience *patience);

/* Whether the process at the other end of a connected socket is stopped; known only if it runs on this machine. */
bool pause_has_peer(int socket);

#endif
