/*
 * While descriptors and deadlines are served, failures are only recorded. Their consequences are drawn here and nowhere else: the run's
 * failure, failed workers, groups whose workers have all answered. Called by the loop, again until nothing is left to settle.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SETTLE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SETTLE_H

#include "orchestrator/session/state.h"

/* True: something was settled, which may allow new actions. */
bool session_settle(struct session *session);

/* Replaces lost workers, and resumes groups whose pause is over. A group starts when its own workers are running. */
void session_resume(struct session *session);
/* When session_resume must be called next. */
int64_t session_next_resumption(const struct session *session);

#endif
