/*
 * Values of a config as the host table hands them out (include/osiris/host.h): by key, or by JSON pointer if the path
 * begins with a slash. `root` is an object, or NULL: then nothing is there. Results are borrowed. Safe on any
 * thread as long as nobody changes the object, but for host_value_json.
 */
#ifndef OSIRIS_CORE_HOST_VALUES_H
#define OSIRIS_CORE_HOST_VALUES_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

/* OSIRIS_ABSENT … OSIRIS_OBJECT */
int32_t host_value_type(json_object *root, const char *path);
const char *host_value_string(json_object *root, const char *path, const char *fallback);
int64_t host_value_integer(json_object *root, const char *path, int64_t fallback);
double host_value_number(json_object *root, const char *path, double fallback);
int32_t host_value_boolean(json_object *root, const char *path, int32_t fallback);
size_t host_value_count(json_object *root, const char *path);
/* NULL if it is absent. json-c keeps the text inside the value and may move it at the next call: callers lock, and copy. */
const char *host_value_json(json_object *root, const char *path);

#endif
