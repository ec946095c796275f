/* Canonical JSON, for fingerprints: one form for each value, with keys sorted by bytes and without white space. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_CANONICAL_JSON_H
#define OSIRIS_ORCHESTRATOR_BASE_CANONICAL_JSON_H

#include <json-c/json.h>

#include "core/base/buffer.h"

/* Appends; 0 or -1 (the buffer has failed). */
int canonical_json(json_object *value, struct buffer *buffer);

/* The same value as block YAML with sorted keys; strings quoted wherever they could be read as anything else. */
int canonical_yaml(json_object *value, struct buffer *buffer);

#endif
