/*
 * The worker as a process: how it is isolated at its start, and what it prints when it crashes.
 */
#ifndef OSIRIS_WORKER_LIFECYCLE_H
#define OSIRIS_WORKER_LIFECYCLE_H

#include "core/base/error.h"
#include "worker/run.h"

/* Before anything else: the channel moves to a private descriptor (returned), stdin becomes /dev/null, stdout
 * goes where stderr goes; no SIGPIPE, no core file, not dumpable; a process group of its own; a subreaper;
 * SIGTERM is sent when the parent dies. -1 with the error set. */
int lifecycle_begin(int channel_fd, struct osiris_error *error);

/* A descriptor that becomes readable when SIGTERM, SIGINT or SIGHUP arrives. Blocks them for all threads. */
int lifecycle_signal_fd(struct osiris_error *error);

/* Names the step that the calling thread works for, for the line that is printed if it crashes. The strings are kept. */
void lifecycle_name_thread(const char *step_id, const char *component);

/* The drivers' threads have ended: ends all processes that they have started, including those that detached themselves. */
void lifecycle_end_children(void);

/* Ends the whole process group and all children, this process with them. */
void lifecycle_kill_group(void) __attribute__((noreturn));

/* Everything is done: the process ends within 10 s, whatever drivers do at its exit. */
void lifecycle_bound_exit(void);

/* Before anything is loaded: records the working directory and the umask, for as long as the process lives. */
void lifecycle_note_origin(struct worker_origin *origin);
/* The same after changing to the folder that `prepare` names. */
int lifecycle_enter(struct worker_origin *origin, const char *folder, struct osiris_error *error);

#endif
