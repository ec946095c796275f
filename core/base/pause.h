/*
 * Time in which a process does not run: it was stopped (Ctrl-Z, SIGSTOP), or its machine stood still. Whoever judges another
 * process by how long it takes must not count the time in which it could not have listened itself.
 *
 * (CLOCK_MONOTONIC does not count the time in which a machine is suspended, but it does count that in which a process is
 * stopped, and of a virtual machine that stands still.)
 */
#ifndef OSIRIS_CORE_BASE_PAUSE_H
#define OSIRIS_CORE_BASE_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#define PAUSE_SLICE_MS 250 /* nobody waits longer at a time: so much of a pause may be counted */

/* A loop that wants to know whether it ran all the time. Zero: it has not begun. */
struct pause_watch {
    int64_t due_ms;
};

/* Before a wait of at most timeout_ms. */
void pause_expect(struct pause_watch *watch, int64_t timeout_ms);
/* At any time after it: how long the process did not run since, as far as that shows; 0: it did. */
int64_t pause_take(struct pause_watch *watch);

/* A wait for others, in slices: what one of them takes longer than it was to does not count. */
struct patience {
    int64_t left_ms;
    int64_t slice_ms, began_ms; /* the slice under way; 0: none */
};

/* How long to wait now, at most PAUSE_SLICE_MS; 0: it is over. */
int64_t patience_next(struct patience *patience);

/* Whether the process at the other end of a connected socket is stopped, as far as that can be seen: it runs on this machine. */
bool pause_has_peer(int socket);

#endif
