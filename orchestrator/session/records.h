/* What is recorded of the steps before any of them runs: their inputs, configs and folders of artifacts. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_RECORDS_H
#define OSIRIS_ORCHESTRATOR_SESSION_RECORDS_H

#include "orchestrator/session/state.h"

/* The config as the driver gets it: without what is not its own. Free it. */
json_object *session_step_config(const struct session_step *step);
/* Makes the folders, and writes what is in them from the beginning. */
int session_record_steps(struct session *session, struct osiris_error *error);

#endif
