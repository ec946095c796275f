/*
 * Masks messages between osiris and its workers, which contain text from outside. Names of steps, components and places, states and
 * times are not changed; all other text is treated as text from outside.
 */
#include "orchestrator/base/redact-message.h"

#include <string.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/one-of.h"

/* Members whose values osiris and the worker choose from fixed sets. */
static const char *const own_members[] = {
    "id",   "method", "type", "status", "driver", "component", "step_id", "category", "level", "ts", "compression", "codec",
    "function", "place", "kind", "mode", "from", "to", "session_id", "plan", "option", "step_ids",
    "clock", "phase", "verb", "version", "run_id", NULL,
};

static json_object *mask_text(struct redactor *redactor, json_object *value)
{
    _cleanup_free_ char *text =
        redactor_text(redactor, json_object_get_string(value), (size_t)json_object_get_string_len(value));

    return text == NULL ? NULL : json_string(text);
}

static json_object *mask_members(struct redactor *redactor, json_object *value);

static json_object *mask_member(struct redactor *redactor, const char *key, json_object *value)
{
    if (is_one_of(key, own_members))
        return redactor_record(redactor, value);
    if (strcmp(key, "config") == 0 || strcmp(key, "result") == 0)
        return redactor_json(redactor, value);
    if (redact_key_is_secret(key) && strcmp(key, "key") != 0 && !json_object_is_type(value, json_type_object) &&
        !json_object_is_type(value, json_type_null))
        return json_string(REDACT_MASK);
    return mask_members(redactor, value);
}

/* The depth of a message is bounded. */
static json_object *mask_members(struct redactor *redactor, json_object *value)
{
    json_object *copy;

    if (json_object_is_type(value, json_type_string))
        return mask_text(redactor, value);
    if (json_object_is_type(value, json_type_array)) {
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_append(copy, mask_members(redactor, json_object_array_get_idx(value, i)));
        return copy;
    }
    if (!json_object_is_type(value, json_type_object))
        return redactor_record(redactor, value);
    copy = json_object_new_object();
    json_object_object_foreach(value, key, member)
        json_add(copy, key, mask_member(redactor, key, member));
    return copy;
}

/* Members that a driver chooses: only those of the worker are kept. */
static json_object *mask_free(struct redactor *redactor, json_object *data, const char *const *workers)
{
    json_object *copy = redactor_event(redactor, data);

    if (!json_object_is_type(data, json_type_object))
        return copy;
    json_object_object_foreach(data, key, member)
    {
        if (is_one_of(key, workers))
            json_add(copy, key, redactor_record(redactor, member));
    }
    return copy;
}

static json_object *mask_data(struct redactor *redactor, const char *type, json_object *data)
{
    static const char *const of_event[] = {"step_id", "ts", NULL}, *const of_tags[] = {"step", NULL};

    if (strcmp(type, "event") == 0)
        return mask_free(redactor, data, of_event);
    json_object *copy = mask_members(redactor, data);
    json_object *tags = strcmp(type, "metric") == 0 ? json_member(data, "tags") : NULL;
    if (tags != NULL)
        json_add(copy, "tags", mask_free(redactor, tags, of_tags));
    return copy;
}

json_object *redactor_message(struct redactor *redactor, json_object *message)
{
    const char *type = json_member_string(message, "type", "");
    json_object *copy;

    if (!json_object_is_type(message, json_type_object))
        return redactor_json(redactor, message);
    copy = json_object_new_object();
    json_object_object_foreach(message, key, member)
    {
        if (strcmp(key, "data") == 0)
            json_add(copy, key, mask_data(redactor, type, member));
        else if (strcmp(key, "result") == 0)
            json_add(copy, key, mask_members(redactor, member));
        else
            json_add(copy, key, mask_member(redactor, key, member));
    }
    return copy;
}
