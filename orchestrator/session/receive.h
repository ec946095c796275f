/* Taking in what workers have sent. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_RECEIVE_H
#define OSIRIS_ORCHESTRATOR_SESSION_RECEIVE_H

#include "orchestrator/session/state.h"

/* `revents`: of its channel, as poll gave them. */
void worker_receive(struct session_worker *worker, short revents);

#endif
