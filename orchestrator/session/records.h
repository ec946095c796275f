/* Records of the steps before any of them runs: their inputs, configs and artifact folders. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_RECORDS_H
#define OSIRIS_ORCHESTRATOR_SESSION_RECORDS_H

#include "orchestrator/session/state.h"

/* The config as the driver receives it, without keys that are for osiris. Free it. */
json_object *session_step_config(const struct session_step *step);
/* Creates the artifact folders, and writes the cleaned configs. */
int session_record_steps(struct session *session, struct osiris_error *error);

#endif
