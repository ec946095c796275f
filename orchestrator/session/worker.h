/* A worker's record: whether it can be talked to, that it has failed, that it is killed. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_WORKER_H
#define OSIRIS_ORCHESTRATOR_SESSION_WORKER_H

#include "orchestrator/session/state.h"

/* It can be talked to. */
bool worker_is_there(const struct session_worker *worker);
/* Nothing more comes of it, and all that followed from that is settled. */
bool worker_is_over(const struct session_worker *worker);
/* The step runs in it. */
bool worker_has_step(const struct session_worker *worker, size_t step);
bool worker_has_group(const struct session_worker *worker, size_t group);

/* It cannot be talked to any more. Only the first failure counts, and is recorded; session_settle does the rest. Takes `error`. */
void worker_fail(struct session_worker *worker, struct osiris_error *error);
void worker_fail_with(struct session_worker *worker, int category, const char *message);
/* It does what the protocol forbids. */
void worker_violates(struct session_worker *worker, const char *what);
/* Its adapter could not start it. */
void worker_fail_to_start(struct session_worker *worker, struct osiris_error *error);
void worker_kill(struct session_worker *worker);

/* The request under way that has the id; NULL if there is none. */
struct session_request *worker_find_request(struct session_worker *worker, const char *id);
/* Whether it has published all that it was asked to of a group that is being committed. */
bool worker_has_published(const struct session_worker *worker, size_t group);

#endif
