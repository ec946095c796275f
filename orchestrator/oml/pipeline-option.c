/* Options of steps, and their positions; see pipeline-option.h. */
#include "orchestrator/oml/pipeline-option.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json-access.h"
#include "orchestrator/oml/yaml.h"

struct source_location pipeline_config_location(const struct pipeline_step *step, const char *key)
{
    const struct yaml_node *node = step->config_node;
    struct source_location where = step->config_where;

    if (key[0] != '/') {
        const struct yaml_node *found = yaml_get_key(node, key);
        return found == NULL ? where : found->where;
    }
    while (node != NULL && *key == '/') {
        size_t length = strcspn(++key, "/");
        _cleanup_free_ char *name = strndup(key, length);
        const struct yaml_node *next = NULL;
        if (node->kind == YAML_MAPPING) {
            const struct yaml_node *found = yaml_get_key(node, name);
            next = yaml_get(node, name);
            if (found != NULL)
                where = found->where;
        } else if (node->kind == YAML_SEQUENCE) {
            size_t index = strtoul(name, NULL, 10);
            next = index < node->count ? node->items[index] : NULL;
            if (next != NULL)
                where = next->where;
        }
        node = next;
        key += length;
    }
    return where;
}

/* Of a key or a JSON pointer the first key, which is `length` long. */
static const char *first_key(const char *option, size_t *length)
{
    const char *key = option + (option[0] == '/');

    *length = strcspn(key, "/");
    return key;
}

bool pipeline_has_option(const struct pipeline_step *step, const char *option)
{
    size_t length;
    const char *start = first_key(option, &length);
    _cleanup_free_ char *key = strndup(start, length);

    return json_object_object_get_ex(step->config, key, NULL);
}

bool component_has_connection_field(const struct component *component, const char *option)
{
    json_object *fields = json_member(component->spec, "x-connection-fields");
    size_t length = 0;
    const char *key = option == NULL ? NULL : first_key(option, &length);

    for (size_t i = 0; key != NULL && i < json_array_count(fields); i++) {
        const char *field = json_member_string(json_object_array_get_idx(fields, i), "name", "");
        if (strncmp(field, key, length) == 0 && field[length] == '\0')
            return true;
    }
    return false;
}

struct source_location pipeline_option_location(const struct pipeline_step *step,
                                                const char *option)
{
    if (pipeline_has_option(step, option))
        return pipeline_config_location(step, option);
    return component_has_connection_field(step->component, option) ? step->connection_where
                                                                   : step->config_where;
}
