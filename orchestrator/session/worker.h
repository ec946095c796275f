/* The state of a worker: whether it can be reached, that it has failed, that it was killed. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_WORKER_H
#define OSIRIS_ORCHESTRATOR_SESSION_WORKER_H

#include "orchestrator/session/state.h"

/* Whether messages can be sent to it. */
bool worker_is_reachable(const struct session_worker *worker);
/* Whether it has ended, and all consequences are settled. */
bool worker_is_over(const struct session_worker *worker);
/* Whether the step runs in it. */
bool worker_has_step(const struct session_worker *worker, size_t step);
bool worker_has_group(const struct session_worker *worker, size_t group);

/* A phase that must end within a time. */
void worker_begin_phase(struct session_worker *worker, enum worker_phase phase, int64_t bound_ms);

/* Records that the worker has failed. Only the first failure counts; session_settle does the rest. Takes `error`. */
void worker_fail(struct session_worker *worker, struct osiris_error *error);
void worker_fail_with(struct session_worker *worker, int category, const char *message);
/* The same for a violation of the protocol. */
void worker_fail_violation(struct session_worker *worker, const char *what);
/* The same for a worker that its adapter could not start. */
void worker_fail_to_start(struct session_worker *worker, struct osiris_error *error);
void worker_kill(struct session_worker *worker);

/* The request in flight with this id, or NULL. */
struct session_request *worker_find_request(struct session_worker *worker, const char *id);
/* Whether a request of a commit has done what matters: everything is published. A worker whose outputs are at home has nothing to publish
 * itself; they were published before its second phase. */
bool worker_is_published(const struct session_worker *worker, const struct session_request *request);
/* Whether it has published all of its outputs of a group that is being committed. */
bool worker_has_published(const struct session_worker *worker, size_t group);

#endif
