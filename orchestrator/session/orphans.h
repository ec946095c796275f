/* Processes that drivers have left: what a worker that was killed has left running on this machine becomes this process's child. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ORPHANS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ORPHANS_H

#include "orchestrator/session/state.h"

/* No worker and no adapter's process is there: whatever child is new, is one. */
void session_end_orphans(struct session *session);

#endif
