/*
 * JSON as text, read and written, and copies of it. json-c goes on with half a value where memory is lacking, so here none
 * may be: an allocation that fails ends the process, whatever its size (core/base/memory.h). What calls
 * these has the bound of what was read, or of a message.
 */
#ifndef OSIRIS_CORE_BASE_JSON_TEXT_H
#define OSIRIS_CORE_BASE_JSON_TEXT_H

#include <json-c/json.h>
#include <stddef.h>

/* NULL: it is not JSON. `why` may be NULL. */
json_object *json_parse(const char *text, enum json_tokener_error *why);

/* The object's own copy, as json_object_to_json_string_ext gives it; `length` may be NULL. */
const char *json_text(json_object *object, int flags, size_t *length);

/* A deep copy; of NULL it is NULL. */
json_object *json_copy(json_object *object);

#endif
