/* Messages between osiris and its workers, masked. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_REDACT_MESSAGE_H
#define OSIRIS_ORCHESTRATOR_BASE_REDACT_MESSAGE_H

#include <json-c/json.h>

#include "core/base/redact.h"

/* A copy: what the message says for others is masked, what both sides go by is kept. The caller owns it. */
json_object *redactor_message(struct redactor *redactor, json_object *message);

#endif
