/* Messages between osiris and its workers, masked. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_REDACT_MESSAGE_H
#define OSIRIS_ORCHESTRATOR_BASE_REDACT_MESSAGE_H

#include <json-c/json.h>

#include "core/base/redact.h"

/* Returns a copy in which text from outside is masked. What the protocol needs is kept. The caller owns it. */
json_object *redactor_message(struct redactor *redactor, json_object *message);

#endif
