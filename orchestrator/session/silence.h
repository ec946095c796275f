/*
 * A worker's heartbeats name the driver function that each step is in, and say how long the driver has not called its host. After a
 * timeout the driver counts as hung, and its step is stopped like one that has exceeded its `timeout`.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SILENCE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SILENCE_H

#include "orchestrator/session/state.h"

/* The driver of the worker's step is in `function` and has not called its host for `silent_ms`. */
void session_check_silence(struct session_worker *worker, size_t step, const char *function, int64_t silent_ms);

#endif
