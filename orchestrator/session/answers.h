/* What workers answer to requests. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ANSWERS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ANSWERS_H

#include "orchestrator/session/state.h"

/* `id` is NULL if the message has none that is a text. */
void worker_take_answer(struct session_worker *worker, const char *id, json_object *message);
/* Requests of a worker that is gone are not answered any more: those that are about groups count as failed. */
void worker_forget_requests(struct session_worker *worker);
/* Files that have their names now. */
void session_note_published(struct session *session, json_object *result);

#endif
