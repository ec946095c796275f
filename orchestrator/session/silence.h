/*
 * A worker's heartbeats say which function of a driver is being called, and for how long it has not called back into its host.
 * Beyond a bound it is taken for hung: its step is stopped like one that is late.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SILENCE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SILENCE_H

#include "orchestrator/session/state.h"

/* The driver of the worker's step is in this function, and has not called its host for so long. */
void session_check_silence(struct session_worker *worker, size_t step, const char *function, int64_t silent_ms);

#endif
