/* Answers of workers to requests. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ANSWERS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ANSWERS_H

#include "orchestrator/session/state.h"

/* `id` is NULL if the message has no id or its id is not a string. */
void worker_handle_answer(struct session_worker *worker, const char *id, json_object *message);
/* The worker will answer no more requests: those that concern a group count as failed. */
void worker_drop_requests(struct session_worker *worker);
/* Records the files that a commit has published. */
void session_note_published(struct session *session, json_object *result);

#endif
