/* Places, and the tasks of their adapters, each on its own thread (orchestrator/adapter/thread.h). */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_PLACE_H
#define OSIRIS_ORCHESTRATOR_SESSION_PLACE_H

#include "orchestrator/session/state.h"

/* Makes the places that the plan names, and assigns each step to a worker. */
void session_make_places(struct session *session);
void session_free_places(struct session *session);

/* Starts preparing all places at the same time. */
int session_prepare_places(struct session *session, struct osiris_error *error);
/* Starts the workers of all places that are prepared. */
void session_start_workers(struct session *session);
/* Replaces a lost worker: the place is left, then prepared again. */
void place_restart(struct session_place *place);
/* Starts waiting for the end of a failed worker, at the latest when the adapter's current task has ended. False: there is no worker to
 * wait for. */
bool place_await_failed(struct session_place *place);
/* At the end of the run: starts waiting for the ends of all workers. */
void session_end_workers(struct session *session);
/* `collects`: artifacts are collected first. To be called until it is true: all adapters are closed, or left behind. */
bool session_leave_places(struct session *session, bool collects);

/* Handles the adapter's reports and the outcome of its task. */
void place_handle_outcome(struct session_place *place);
/* Whether its adapter has a task. */
bool place_is_busy(const struct session_place *place);

/* The run has failed: cancels the starting of workers. */
void session_stop_starting(struct session *session);
/* The run is cancelled or has timed out: adapters should return soon. */
void session_cancel_adapters(struct session *session);
/* The same at the end of the run: adapters that do not return in time are abandoned. */
void session_hurry_adapters(struct session *session, int64_t within_ms);
/* Abandons an adapter that has not returned by its deadline. */
void place_check_deadline(struct session_place *place, int64_t now);

#endif
