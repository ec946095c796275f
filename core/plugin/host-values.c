/* A host table's access to configs; see host-values.h. */
#include "core/plugin/host-values.h"

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"

/* False if there is no such value; *value is also NULL for JSON's null. */
static bool find(json_object *root, const char *path, json_object **value)
{
    *value = NULL;
    if (!json_object_is_type(root, json_type_object) || path == NULL)
        return false;
    if (path[0] == '/')
        return json_pointer_get(root, path, value) == 0;
    return json_object_object_get_ex(root, path, value);
}

/* The plug-in that this thread has called. */
static _Thread_local struct host_values *served;

void host_values_serve(struct host_values *values)
{
    served = values;
}

static void report_misuse(struct host_values *values, const char *function, const char *what)
{
    if (values != NULL && values->misused != NULL)
        values->misused(values, function, what);
}

struct host_values *host_values_of(const struct osiris_host *host, const char *function)
{
    if (host != NULL && host->context != NULL)
        return host->context;
    report_misuse(served, function, "the host");
    return NULL;
}

bool host_values_has(struct host_values *values, const void *given, const char *function, const char *what)
{
    if (given == NULL)
        report_misuse(values, function, what);
    return given != NULL;
}

int host_values_blame(struct osiris_error *error, const char *function, const char *what, const char *kind, const char *name)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "%s was called with NULL for %s; this is a fault of the %s \"%s\"", function, what, kind, name);
}

/* Reads a value that was looked up, or notes that there is none. */
typedef void (*values_reader)(struct host_values *values, bool found, json_object *value, void *answer);

/* json-c keeps a text inside the value and may move it at the next call. */
static void keep_text(struct host_values *values, bool found, json_object *value, void *answer)
{
    if (!found)
        return;
    json_object *kept = json_string(json_text(value, JSON_C_TO_STRING_PLAIN, NULL));
    if (values->texts == NULL)
        values->texts = json_object_new_array();
    json_append(values->texts, kept);
    *(const char **)answer = json_object_get_string(kept);
}

/* The common part of all getters. The values stay what they are while a thread is served, and json-c only reads them here, so that
 * thread needs no lock. (keep_text changes them: it always takes it.) */
static void read_value(const struct osiris_host *host, const char *function, int32_t scope, const char *path, values_reader reader,
                 void *answer)
{
    struct host_values *values = host_values_of(host, function);
    json_object *value;

    if (values == NULL || !host_values_has(values, path, function, "the path"))
        return;
    bool locks = values != served || reader == keep_text;
    if (locks)
        pthread_mutex_lock(&values->lock);
    json_object *root = scope == OSIRIS_CONFIG       ? values->config
                        : scope == OSIRIS_CONNECTION ? values->connection
                                                     : NULL;
    bool found = find(root, path, &value);
    reader(values, found, value, answer);
    if (locks)
        pthread_mutex_unlock(&values->lock);
}

static void read_type(struct host_values *values, bool found, json_object *value, void *answer)
{
    static const int32_t types[] = {[json_type_boolean] = OSIRIS_BOOLEAN, [json_type_int] = OSIRIS_INTEGER,
                                    [json_type_double] = OSIRIS_NUMBER,   [json_type_string] = OSIRIS_STRING,
                                    [json_type_array] = OSIRIS_ARRAY,     [json_type_object] = OSIRIS_OBJECT,
                                    [json_type_null] = OSIRIS_NULL};

    (void)values;
    if (found)
        *(int32_t *)answer = types[json_object_get_type(value)];
    if (*(int32_t *)answer == OSIRIS_INTEGER && !json_is_integer(value))
        *(int32_t *)answer = OSIRIS_NUMBER;
}

static int32_t value_type(const struct osiris_host *host, int32_t scope, const char *path)
{
    int32_t type = OSIRIS_ABSENT;

    read_value(host, "value_type", scope, path, read_type, &type);
    return type;
}

static void read_string(struct host_values *values, bool found, json_object *value, void *answer)
{
    (void)values, (void)found;
    if (json_object_is_type(value, json_type_string))
        *(const char **)answer = json_object_get_string(value);
}

static const char *get_string(const struct osiris_host *host, int32_t scope, const char *path,
                              const char *fallback)
{
    read_value(host, "get_string", scope, path, read_string, &fallback);
    return fallback;
}

/* JSON Schema takes 2.0 and 2e0 for integers. */
static bool is_whole(json_object *value)
{
    double number = json_object_is_type(value, json_type_double) ? json_object_get_double(value) : 0.5;

    return number >= -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number;
}

static void read_integer(struct host_values *values, bool found, json_object *value, void *answer)
{
    (void)values, (void)found;
    if (json_is_integer(value))
        *(int64_t *)answer = json_object_get_int64(value);
    else if (is_whole(value))
        *(int64_t *)answer = (int64_t)json_object_get_double(value);
}

static int64_t get_integer(const struct osiris_host *host, int32_t scope, const char *path,
                           int64_t fallback)
{
    read_value(host, "get_integer", scope, path, read_integer, &fallback);
    return fallback;
}

static void read_number(struct host_values *values, bool found, json_object *value, void *answer)
{
    (void)values, (void)found;
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
        *(double *)answer = json_object_get_double(value);
}

static double get_number(const struct osiris_host *host, int32_t scope, const char *path,
                         double fallback)
{
    read_value(host, "get_number", scope, path, read_number, &fallback);
    return fallback;
}

static void read_boolean(struct host_values *values, bool found, json_object *value, void *answer)
{
    (void)values, (void)found;
    if (json_object_is_type(value, json_type_boolean))
        *(int32_t *)answer = json_object_get_boolean(value);
}

static int32_t get_boolean(const struct osiris_host *host, int32_t scope, const char *path,
                           int32_t fallback)
{
    read_value(host, "get_boolean", scope, path, read_boolean, &fallback);
    return fallback;
}

static void count_members(struct host_values *values, bool found, json_object *value, void *answer)
{
    (void)values, (void)found;
    if (json_object_is_type(value, json_type_array))
        *(size_t *)answer = json_object_array_length(value);
    else if (json_object_is_type(value, json_type_object))
        *(size_t *)answer = (size_t)json_object_object_length(value);
}

static size_t get_count(const struct osiris_host *host, int32_t scope, const char *path)
{
    size_t count = 0;

    read_value(host, "get_count", scope, path, count_members, &count);
    return count;
}

static const char *get_json(const struct osiris_host *host, int32_t scope, const char *path)
{
    const char *text = NULL;

    read_value(host, "get_json", scope, path, keep_text, &text);
    return text;
}

void host_values_init(struct host_values *values)
{
    *values = (struct host_values){0};
    pthread_mutex_init(&values->lock, NULL);
}

void host_values_empty(struct host_values *values)
{
    pthread_mutex_lock(&values->lock);
    json_object_put(values->config);
    json_object_put(values->connection);
    json_object_put(values->texts);
    values->config = values->connection = values->texts = NULL;
    pthread_mutex_unlock(&values->lock);
}

void host_values_clear(struct host_values *values)
{
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
