/* Requests to workers. A worker to which a request cannot be sent has failed (send.h). */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_REQUESTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_REQUESTS_H

#include "orchestrator/session/state.h"

void worker_send_hello(struct session_worker *worker);
/* `made`: what the adapter has filled in, with the paths of the place. */
void worker_send_prepare(struct session_worker *worker, const struct osiris_channel *made);
void session_send_step(struct session *session, size_t step);
/* To every worker of the group. If there are several, all of them commit before anything is published. */
void session_send_commit(struct session *session, size_t group);
void session_send_publish(struct session *session, size_t group);
void session_send_abort(struct session *session, size_t group);
bool session_group_has_phases(const struct session *session, size_t group);
void worker_send_cancel(struct session_worker *worker);
/* To all workers in WORKER_RUNNING. */
void session_send_cancel(struct session *session);
/* Sets WORKER_CLEANING and its deadline. */
void worker_send_cleanup(struct session_worker *worker);
void worker_send_heartbeat(struct session_worker *worker);

#endif
