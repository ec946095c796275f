/* Reading the members of a request; see fields.h. */
#include "worker/fields.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json-access.h"

void fields_refuse(struct fields *fields, const char *key, const char *what)
{
    if (fields->failed)
        return;
    fields->failed = true;
    osiris_error_set(fields->error, OSIRIS_ERROR_INTERNAL, "%s: %s%s%s %s", fields->method, fields->path,
                     fields->path[0] == '\0' || key[0] == '\0' || key[0] == '[' ? "" : ".", key, what);
}

int fields_end(const struct fields *fields)
{
    return fields->failed ? -1 : 0;
}

void fields_join(struct fields *whole, const struct fields *part)
{
    whole->failed = whole->failed || part->failed;
}

void *fields_array(struct fields *fields, size_t count, size_t size)
{
    void *array = count == 0 ? NULL : calloc(count, size);

    if (count > 0 && array == NULL && !fields->failed) {
        fields->failed = true;
        osiris_error_set_errno(fields->error, ENOMEM, "cannot read %s", fields->method);
    }
    return array;
}

struct fields fields_of_params(const char *method, json_object *params, struct osiris_error *error)
{
    struct fields fields = {.map = params, .method = method, .error = error};

    if (!json_object_is_type(params, json_type_object))
        fields_refuse(&fields, "params", params == NULL ? "is missing" : "is not a map");
    return fields;
}

static struct fields inside(struct fields *parent, json_object *map)
{
    struct fields fields = {.map = map, .method = parent->method, .failed = parent->failed, .error = parent->error};

    return fields;
}

static void check_is_map(struct fields *parent, struct fields *fields)
{
    if (!json_object_is_type(fields->map, json_type_object))
        fields_refuse(fields, "", "is not a map");
    fields_join(parent, fields);
}

struct fields fields_of_element(struct fields *parent, const char *list, size_t index, json_object *element)
{
    struct fields fields = inside(parent, element);

    snprintf(fields.path, sizeof fields.path, "%.64s%s%.32s[%zu]", parent->path, parent->path[0] == '\0' ? "" : ".", list, index);
    check_is_map(parent, &fields);
    return fields;
}

struct fields fields_of_value(struct fields *parent, const char *map, const char *name, json_object *value)
{
    struct fields fields = inside(parent, value);

    snprintf(fields.path, sizeof fields.path, "%.32s%s%.32s.%.64s", parent->path, parent->path[0] == '\0' ? "" : ".", map, name);
    check_is_map(parent, &fields);
    return fields;
}

/* NULL: it is absent, or has been refused. */
static json_object *find(struct fields *fields, const char *key, json_type type, bool required)
{
    static const char *const names[] = {
        [json_type_int] = "is not an integer",
        [json_type_object] = "is not a map",
        [json_type_array] = "is not a list",
        [json_type_string] = "is not a string",
    };
    json_object *value = json_member(fields->map, key);

    if (json_object_is_type(value, type))
        return value;
    if (value != NULL)
        fields_refuse(fields, key, names[type]);
    else if (required)
        fields_refuse(fields, key, "is missing");
    return NULL;
}

const char *fields_optional_string(struct fields *fields, const char *key, const char *fallback)
{
    json_object *value = find(fields, key, json_type_string, false);

    return value == NULL ? fallback : json_object_get_string(value);
}

const char *fields_string(struct fields *fields, const char *key)
{
    json_object *value = find(fields, key, json_type_string, true);

    return value == NULL ? "" : json_object_get_string(value);
}

static int64_t check_minimum(struct fields *fields, const char *key, json_object *value, int64_t minimum)
{
    int64_t number = json_object_get_int64(value);

    if (!json_is_integer(value)) {
        fields_refuse(fields, key, "is not an integer");
        return minimum;
    }
    if (number >= minimum)
        return number;
    fields_refuse(fields, key, minimum == 0 ? "is negative" : "is not positive");
    return minimum;
}

int64_t fields_integer(struct fields *fields, const char *key, int64_t minimum)
{
    json_object *value = find(fields, key, json_type_int, true);

    return value == NULL ? minimum : check_minimum(fields, key, value, minimum);
}

int64_t fields_optional_integer(struct fields *fields, const char *key, int64_t minimum, int64_t fallback)
{
    json_object *value = find(fields, key, json_type_int, false);

    return value == NULL ? fallback : check_minimum(fields, key, value, minimum);
}

json_object *fields_map(struct fields *fields, const char *key)
{
    return find(fields, key, json_type_object, true);
}

json_object *fields_optional_map(struct fields *fields, const char *key)
{
    return find(fields, key, json_type_object, false);
}

json_object *fields_list(struct fields *fields, const char *key)
{
    return find(fields, key, json_type_array, true);
}

json_object *fields_optional_list(struct fields *fields, const char *key)
{
    return find(fields, key, json_type_array, false);
}

const char *fields_text_of(struct fields *fields, const char *list, size_t index, json_object *element)
{
    char key[64];

    if (json_object_is_type(element, json_type_string))
        return json_object_get_string(element);
    snprintf(key, sizeof key, "%.32s[%zu]", list, index);
    fields_refuse(fields, key, "is not a string");
    return "";
}
