/* Places: which there are, and what their adapters are at, each on its own thread (orchestrator/adapter/thread.h). */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_PLACE_H
#define OSIRIS_ORCHESTRATOR_SESSION_PLACE_H

#include "orchestrator/session/state.h"

/* Finds out which places the plan names, and which steps run in which worker. */
void session_make_places(struct session *session);
void session_free_places(struct session *session);

/* Has all adapters prepare what they need, at the same time. */
int session_prepare_places(struct session *session, struct osiris_error *error);
/* Those that are prepared start their workers. */
void session_start_workers(struct session *session);
/* A lost worker is replaced: its place is left, then prepared anew. */
void place_restart(struct session_place *place);
/* The end of a worker that has failed is waited for, when the adapter has returned from what it is at. False: there is none to wait for. */
bool place_await_failed(struct session_place *place);
/* The run ends: the ends of all workers are waited for. */
void session_end_workers(struct session *session);
/* `collects`: what is there is brought home. To be called until it is true: all adapters are closed, or left behind. */
bool session_leave_places(struct session *session, bool collects);

/* What the adapter has reported, and what has become of its task. */
void place_take_adapter(struct session_place *place);
/* It is at something. */
bool place_is_busy(const struct session_place *place);

/* The run fails: nobody needs workers that are being made. */
void session_stop_starting(struct session *session);
/* It is cancelled or late: what adapters do from now on is not to take long. */
void session_cancel_adapters(struct session *session);
/* The same at its end: those that do not return in time are left behind. */
void session_hurry_adapters(struct session *session, int64_t within_ms);
/* Leaves an adapter behind that does not return. */
void place_check_deadline(struct session_place *place, int64_t now);

#endif
