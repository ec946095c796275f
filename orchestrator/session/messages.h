/* Messages from workers. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_MESSAGES_H
#define OSIRIS_ORCHESTRATOR_SESSION_MESSAGES_H

#include "orchestrator/session/state.h"

/* Handles one message (borrowed), whose body has this length. */
void worker_handle(struct session_worker *worker, json_object *message, size_t body_length);

#endif
