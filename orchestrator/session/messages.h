/* What workers say. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_MESSAGES_H
#define OSIRIS_ORCHESTRATOR_SESSION_MESSAGES_H

#include "orchestrator/session/state.h"

/* One message (borrowed) with its body's length. */
void worker_handle(struct session_worker *worker, json_object *message, size_t body_length);

#endif
