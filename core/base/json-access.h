/* Reading members of JSON objects. All results are borrowed. */
#ifndef OSIRIS_CORE_BASE_JSON_ACCESS_H
#define OSIRIS_CORE_BASE_JSON_ACCESS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL if `object` is not an object or has no such member (or it is null). */
static inline json_object *json_member(json_object *object, const char *key)
{
    json_object *value = NULL;

    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

/* `fallback` if it is absent or not a string. */
static inline const char *json_member_string(json_object *object, const char *key,
                                             const char *fallback)
{
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : fallback;
}

/* An integer that fits an int64_t. json-c also has those up to 2^64 - 1, and returns the nearest int64_t for them. */
static inline bool json_is_integer(json_object *value)
{
    return json_object_is_type(value, json_type_int) && json_object_get_uint64(value) <= INT64_MAX;
}

static inline int64_t json_member_integer(json_object *object, const char *key, int64_t fallback)
{
    json_object *value = json_member(object, key);

    return json_is_integer(value) ? json_object_get_int64(value) : fallback;
}

static inline double json_member_number(json_object *object, const char *key, double fallback)
{
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
               ? json_object_get_double(value)
               : fallback;
}

static inline bool json_member_boolean(json_object *object, const char *key, bool fallback)
{
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) : fallback;
}

/* 0 for anything but an array. */
static inline size_t json_array_count(json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

#endif
