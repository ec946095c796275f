/*
 * Building JSON objects. Nothing that is added is lost: a failed allocation ends the process, whatever its size
 * (core/base/memory.h).
 */
#ifndef OSIRIS_CORE_BASE_JSON_BUILD_H
#define OSIRIS_CORE_BASE_JSON_BUILD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"

static inline json_object *json_string(const char *text)
{
    json_object *string = json_object_new_string(text);

    if (string == NULL)
        memory_exhausted();
    return string;
}

/* Takes `value`. */
static inline void json_add(json_object *object, const char *key, json_object *value)
{
    if (json_object_object_add(object, key, value) < 0)
        memory_exhausted();
}

/* A NULL text adds nothing. */
static inline void json_add_string(json_object *object, const char *key, const char *text)
{
    if (text != NULL)
        json_add(object, key, json_string(text));
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
    if (json_object_array_add(array, value) < 0)
        memory_exhausted();
}

#endif
