/*
 * Reading, writing and copying JSON. json-c continues with incomplete values when memory is insufficient, so here
 * a failed allocation ends the process, whatever its size (core/base/memory.h). What callers pass to
 * these functions is bounded like the file or the message that it comes from.
 */
#ifndef OSIRIS_CORE_BASE_JSON_TEXT_H
#define OSIRIS_CORE_BASE_JSON_TEXT_H

#include <json-c/json.h>
#include <stddef.h>

/* NULL: it is not JSON. `why` may be NULL. */
json_object *json_parse(const char *text, enum json_tokener_error *why);

/* The object's own copy, like json_object_to_json_string_ext; `length` may be NULL. */
const char *json_text(json_object *object, int flags, size_t *length);

/* A deep copy; NULL for NULL. */
json_object *json_copy(json_object *object);

#endif
