/* The link to a worker: heartbeats, silence, and how one that broke is made again. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_LINK_H
#define OSIRIS_ORCHESTRATOR_SESSION_LINK_H

#include "orchestrator/session/state.h"

void worker_check_deadlines(struct session_worker *worker);
/* The next moment at which worker_check_deadlines has something to do. */
int64_t worker_next_deadline(const struct session_worker *worker);
/* What came of an attempt to make the link again. */
void worker_take_link(struct session_worker *worker, struct adapter_outcome *outcome);

#endif
