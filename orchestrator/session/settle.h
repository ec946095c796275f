/*
 * What was recorded while descriptors and deadlines were served has its consequences here, and nowhere else: the run's failure,
 * workers that have failed, groups whose workers have all answered. The loop calls it; what it does may bring on more of the same.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SETTLE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SETTLE_H

#include "orchestrator/session/state.h"

/* True: something was settled, and may have made new actions possible. */
bool session_settle(struct session *session);

/* Replaces lost workers, and lets groups go on whose pause is over. A group starts when its workers are there. */
void session_resume(struct session *session);
/* The next moment at which session_resume has something to do. */
int64_t session_next_resumption(const struct session *session);

#endif
