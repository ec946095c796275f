/*
 * Signs of life: whether a driver that was called still does something. A call to the host is one, and so is each entry into
 * the driver. While the host itself makes the driver wait (for an input, for a slow orchestrator, for the disk) it is not silent.
 * Step threads and drivers' own threads write them, without a lock; the main thread reads them for each heartbeat.
 */
#ifndef OSIRIS_WORKER_SIGNS_H
#define OSIRIS_WORKER_SIGNS_H

#include <stdatomic.h>
#include <stdint.h>

struct step_signs {
    _Atomic(const char *) function; /* of the driver that the step's thread is in, or NULL */
    atomic_uint count;
    atomic_int host_waits;
};

/* The values that the main thread has read last. */
struct signs_seen {
    const char *function;
    unsigned count;
    int64_t silent_since_ms;
};

/* [step's thread] Around each call of a driver's function, which is not a host's wait. The name is kept. */
void signs_enter(struct step_signs *signs, const char *function);
void signs_leave(struct step_signs *signs);
/* [any thread] The driver has called its host. The other two enclose a wait inside the host. */
void signs_note(struct step_signs *signs);
void signs_begin_wait(struct step_signs *signs);
void signs_end_wait(struct step_signs *signs);
/* [main thread] The driver's function that is being called, or NULL, and for how long no sign has come, as far as this thread
 * has seen. */
const char *signs_read(const struct step_signs *signs, struct signs_seen *seen, int64_t *silent_ms);
/* [main thread] The process did not run for so long. */
void signs_skip_pause(struct signs_seen *seen, int64_t pause_ms);

#endif
