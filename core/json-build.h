/*
 * Building JSON objects: each call tolerates an object that could not be allocated (and then gives the
 * value back), so that a run of them needs one check at the end, or none where a missing member of a
 * record is the right answer to a lack of memory.
 */
#ifndef OSIRIS_CORE_JSON_BUILD_H
#define OSIRIS_CORE_JSON_BUILD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Takes `value`. */
static inline void json_add(json_object *object, const char *key, json_object *value)
{
    if (object == NULL || json_object_object_add(object, key, value) < 0)
        json_object_put(value);
}

/* A NULL text adds nothing. */
static inline void json_add_string(json_object *object, const char *key, const char *text)
{
    if (text != NULL)
        json_add(object, key, json_object_new_string(text));
}

static inline void json_add_integer(json_object *object, const char *key, int64_t value)
{
    json_add(object, key, json_object_new_int64(value));
}

static inline void json_add_number(json_object *object, const char *key, double value)
{
    json_add(object, key, json_object_new_double(value));
}

static inline void json_add_boolean(json_object *object, const char *key, bool value)
{
    json_add(object, key, json_object_new_boolean(value));
}

/* Takes `value`. */
static inline void json_append(json_object *array, json_object *value)
{
    if (array == NULL || json_object_array_add(array, value) < 0)
        json_object_put(value);
}

#endif
