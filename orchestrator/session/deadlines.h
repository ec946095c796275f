/*
 * Timeouts of the run, of attempts of steps, and of stopping. All times are of this process's monotonic clock, so they mean the same
 * wherever a step runs.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_DEADLINES_H
#define OSIRIS_ORCHESTRATOR_SESSION_DEADLINES_H

#include "orchestrator/session/state.h"

void session_check_deadlines(struct session *session);
/* When session_check_deadlines must be called next. */
int64_t session_next_deadline(const struct session *session);
/* Kills all workers that have not ended. */
void session_fail_workers(struct session *session, int category, const char *message);

#endif
