/* OSIRIS_RPC_DEBUG: frames are written to the run's debug.log and to its trace (records/trace.h). */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_TRACE_H
#define OSIRIS_ORCHESTRATOR_SESSION_TRACE_H

#include "orchestrator/session/state.h"

/* Traces the frames of the worker's channel if the run has a trace. */
void worker_trace(struct session_worker *worker);

#endif
