/* OSIRIS_RPC_DEBUG: frames go into the run's debug.log and into its trace (records/trace.h). */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_TRACE_H
#define OSIRIS_ORCHESTRATOR_SESSION_TRACE_H

#include "orchestrator/session/state.h"

/* Has the frames of the worker's channel traced, if the run is to be. */
void worker_trace(struct session_worker *worker);

#endif
