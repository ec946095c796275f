/* JSON as text; see json-text.h. */
#include "core/base/json-text.h"

#include "core/base/memory.h"

json_object *json_parse(const char *text, enum json_tokener_error *why)
{
    enum json_tokener_error unused;

    memory_insist();
    json_object *object = json_tokener_parse_verbose(text, why == NULL ? &unused : why);
    memory_insist_no_more();
    return object;
}

const char *json_text(json_object *object, int flags, size_t *length)
{
    size_t unused;

    memory_insist();
    const char *text = json_object_to_json_string_length(object, flags, length == NULL ? &unused : length);
    if (text == NULL)
        memory_exhausted();
    memory_insist_no_more();
    return text;
}

json_object *json_copy(json_object *object)
{
    json_object *copy = NULL;

    memory_insist();
    if (object != NULL && json_object_deep_copy(object, &copy, NULL) < 0)
        memory_exhausted();
    memory_insist_no_more();
    return copy;
}
