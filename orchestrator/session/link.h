/* The link to a worker: heartbeats, silence, and re-establishing a lost link. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LINK_H
#define OSIRIS_ORCHESTRATOR_SESSION_LINK_H

#include "orchestrator/session/state.h"

void worker_check_deadlines(struct session_worker *worker);
/* When worker_check_deadlines must be called next. */
int64_t worker_next_deadline(const struct session_worker *worker);
/* Handles the outcome of an attempt to re-establish the link. */
void worker_finish_reconnect(struct session_worker *worker, struct adapter_outcome *outcome);

#endif
