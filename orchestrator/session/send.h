/* Messages and requests to a worker. If one cannot be sent, the worker has failed; the caller need not check. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SEND_H
#define OSIRIS_ORCHESTRATOR_SESSION_SEND_H

#include "orchestrator/session/state.h"

void worker_send(struct session_worker *worker, json_object *message);
/* The same for what the worker waits for, which may always be sent (channel_send_owed). */
void worker_send_owed(struct session_worker *worker, json_object *message);
/* Sent after all earlier bodies; `body` may be NULL. */
void worker_send_body(struct session_worker *worker, json_object *message, const struct channel_body *body);
/* Takes `params`, which may be NULL. False: the worker has failed and will not answer. */
bool worker_send_request(struct session_worker *worker, enum request_kind kind, const char *method, size_t index,
                         json_object *params);

#endif
