/* Receiving from workers. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_RECEIVE_H
#define OSIRIS_ORCHESTRATOR_SESSION_RECEIVE_H

#include "orchestrator/session/state.h"

/* `revents`: what poll reported for the worker's channel. */
void worker_receive(struct session_worker *worker, short revents);

#endif
