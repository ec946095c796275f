/* Processes that drivers have left behind. When a worker on this machine is killed, its children become children of this process. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ORPHANS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ORPHANS_H

#include "orchestrator/session/state.h"

/* Call it when no worker and no process of an adapter is running: every new child is an orphan. */
void session_end_orphans(struct session *session);

#endif
