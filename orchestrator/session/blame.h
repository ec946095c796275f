/* Describes the end of a worker, and finds the step that caused it. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_BLAME_H
#define OSIRIS_ORCHESTRATOR_SESSION_BLAME_H

#include "orchestrator/session/state.h"

/* Call it when the worker's end is known. `error` is the worker's failure; it becomes the error that describes the end, and names
 * the step if that is known. */
void worker_explain_end(const struct session_worker *worker, struct osiris_error *error);

#endif
