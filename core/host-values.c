/* Values of a config as the host table hands them out; see host-values.h. */
#include "core/host-values.h"

#include <osiris/host.h>
#include <stdbool.h>

/* False if there is no such value; *value is NULL for JSON's null, too. */
static bool find(json_object *root, const char *path, json_object **value)
{
    *value = NULL;
    if (!json_object_is_type(root, json_type_object) || path == NULL)
        return false;
    if (path[0] == '/')
        return json_pointer_get(root, path, value) == 0;
    return json_object_object_get_ex(root, path, value);
}

static json_object *get(json_object *root, const char *path)
{
    json_object *value;

    (void)find(root, path, &value);
    return value;
}

int32_t host_value_type(json_object *root, const char *path)
{
    json_object *value;

    if (!find(root, path, &value))
        return OSIRIS_ABSENT;
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return OSIRIS_BOOLEAN;
    case json_type_int:
        return OSIRIS_INTEGER;
    case json_type_double:
        return OSIRIS_NUMBER;
    case json_type_string:
        return OSIRIS_STRING;
    case json_type_array:
        return OSIRIS_ARRAY;
    case json_type_object:
        return OSIRIS_OBJECT;
    default:
        return OSIRIS_NULL;
    }
}

const char *host_value_string(json_object *root, const char *path, const char *fallback)
{
    json_object *value = get(root, path);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : fallback;
}

int64_t host_value_integer(json_object *root, const char *path, int64_t fallback)
{
    json_object *value = get(root, path);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

double host_value_number(json_object *root, const char *path, double fallback)
{
    json_object *value = get(root, path);

    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
        return json_object_get_double(value);
    return fallback;
}

int32_t host_value_boolean(json_object *root, const char *path, int32_t fallback)
{
    json_object *value = get(root, path);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
                                                         : fallback;
}

size_t host_value_count(json_object *root, const char *path)
{
    json_object *value = get(root, path);

    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value);
    if (json_object_is_type(value, json_type_object))
        return (size_t)json_object_object_length(value);
    return 0;
}

const char *host_value_json(json_object *root, const char *path)
{
    json_object *value;

    return find(root, path, &value)
               ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)
               : NULL;
}
