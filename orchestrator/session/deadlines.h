/*
 * What may take only so long: the run, attempts of steps, and stopping. All times are this process's monotonic clock, so that they
 * mean the same wherever a step runs.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_DEADLINES_H
#define OSIRIS_ORCHESTRATOR_SESSION_DEADLINES_H

#include "orchestrator/session/state.h"

void session_check_deadlines(struct session *session);
/* The next moment at which session_check_deadlines has something to do. */
int64_t session_next_deadline(const struct session *session);
/* Kills all that are not over. */
void session_fail_workers(struct session *session, int category, const char *message);

#endif
