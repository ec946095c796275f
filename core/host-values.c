/* What a host table hands out of configs; see host-values.h. */
#include "core/host-values.h"

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

static json_object *root_of(const struct osiris_host *host, int32_t scope)
{
    const struct host_values *values = host->context;

    return scope == OSIRIS_CONFIG       ? values->config
           : scope == OSIRIS_CONNECTION ? values->connection
                                        : NULL;
}

static json_object *get(const struct osiris_host *host, int32_t scope, const char *path)
{
    json_object *value;

    (void)find(root_of(host, scope), path, &value);
    return value;
}

static int32_t value_type(const struct osiris_host *host, int32_t scope, const char *path)
{
    json_object *value;

    if (!find(root_of(host, scope), path, &value))
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

static const char *get_string(const struct osiris_host *host, int32_t scope, const char *path,
                              const char *fallback)
{
    json_object *value = get(host, scope, path);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : fallback;
}

static int64_t get_integer(const struct osiris_host *host, int32_t scope, const char *path,
                           int64_t fallback)
{
    json_object *value = get(host, scope, path);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

static double get_number(const struct osiris_host *host, int32_t scope, const char *path,
                         double fallback)
{
    json_object *value = get(host, scope, path);

    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
        return json_object_get_double(value);
    return fallback;
}

static int32_t get_boolean(const struct osiris_host *host, int32_t scope, const char *path,
                           int32_t fallback)
{
    json_object *value = get(host, scope, path);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
                                                         : fallback;
}

static size_t get_count(const struct osiris_host *host, int32_t scope, const char *path)
{
    json_object *value = get(host, scope, path);

    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value);
    if (json_object_is_type(value, json_type_object))
        return (size_t)json_object_object_length(value);
    return 0;
}

/* json-c keeps a text inside the value, and may move it at the next call. */
static const char *get_json(const struct osiris_host *host, int32_t scope, const char *path)
{
    struct host_values *values = host->context;
    const char *text = NULL;
    json_object *value;

    pthread_mutex_lock(&values->lock);
    const char *found = find(root_of(host, scope), path, &value)
                            ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)
                            : NULL;
    json_object *kept = found == NULL ? NULL : json_object_new_string(found);
    if (kept != NULL && json_object_array_add(values->texts, kept) == 0)
        text = json_object_get_string(kept);
    else
        json_object_put(kept);
    pthread_mutex_unlock(&values->lock);
    return text;
}

int host_values_init(struct host_values *values)
{
    *values = (struct host_values){.texts = json_object_new_array()};
    if (values->texts == NULL)
        return -1;
    pthread_mutex_init(&values->lock, NULL);
    return 0;
}

void host_values_clear(struct host_values *values)
{
    if (values->texts == NULL)
        return;
    json_object_put(values->config);
    json_object_put(values->connection);
    json_object_put(values->texts);
    pthread_mutex_destroy(&values->lock);
    *values = (struct host_values){0};
}

void host_values_fill(struct osiris_host *host)
{
    host->value_type = value_type;
    host->get_string = get_string;
    host->get_integer = get_integer;
    host->get_number = get_number;
    host->get_boolean = get_boolean;
    host->get_count = get_count;
    host->get_json = get_json;
}
