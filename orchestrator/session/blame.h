/* How a worker has ended, in words, and which of its steps is to blame. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_BLAME_H
#define OSIRIS_ORCHESTRATOR_SESSION_BLAME_H

#include "orchestrator/session/state.h"

/* Its end is known. `error` is what it has failed of: it becomes the error of the worker's end, and names the step if that
 * is known. */
void worker_explain_end(const struct session_worker *worker, struct osiris_error *error);

#endif
