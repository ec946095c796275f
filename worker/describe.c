/* Describing plug-ins, each in a child process; see describe.h. */
#include "worker/describe.h"

#include <osiris/plugin.h>
#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/plugin/loader.h"
#include "core/plugin/guarded.h"
#include "core/plugin/kind.h"
#include "core/base/memory.h"

#define DESCRIPTION_MAXIMUM (16u << 20)

static json_object *describe_driver(const struct osiris_driver *driver)
{
    json_object *object = json_object_new_object();
    json_object *aliases = json_object_new_array();

    json_add_string(object, "name", driver->name);
    for (size_t i = 0; driver->aliases != NULL && driver->aliases[i] != NULL; i++)
        json_append(aliases, json_string(driver->aliases[i]));
    json_add(object, "aliases", aliases);
    json_add_string(object, "kind", kind_name(driver->kind));
    json_add_string(object, "version", driver->version);
    json_add(object, "spec", json_parse(driver->spec, NULL));
    json_add_boolean(object, "validates", OSIRIS_HAS(driver, validate) && driver->validate != NULL);
    return object;
}

static json_object *describe_adapter(const struct osiris_adapter *adapter)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "name", adapter->name);
    json_add_string(object, "version", adapter->version);
    json_add(object, "spec", json_parse(adapter->spec, NULL));
    return object;
}

static json_object *describe(const char *path)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct osiris_plugin *plugin = loader_open(path, &error);
    json_object *object = json_object_new_object();
    char version[32];

    json_add_string(object, "file", path);
    if (plugin == NULL) {
        json_add_string(object, "error", error.message);
        return object;
    }
    json_object *drivers = json_object_new_array();
    json_object *adapters = json_object_new_array();
    snprintf(version, sizeof version, "%u.%u", plugin->abi_version >> 16,
             plugin->abi_version & 0xffff);
    json_add_string(object, "abi_version", version);
    json_add_string(object, "plugin", plugin->name);
    json_add_string(object, "version", plugin->version);
    for (size_t i = 0; plugin->drivers != NULL && plugin->drivers[i] != NULL; i++)
        json_append(drivers, describe_driver(plugin->drivers[i]));
    for (size_t i = 0; plugin->adapters != NULL && plugin->adapters[i] != NULL; i++)
        json_append(adapters, describe_adapter(plugin->adapters[i]));
    json_add(object, "drivers", drivers);
    json_add(object, "adapters", adapters);
    return object;
}

static bool describe_in_child(void *path, int answer)
{
    _cleanup_json_ json_object *description = describe(path);
    const char *text = json_text(description, JSON_C_TO_STRING_PLAIN, NULL);

    return write_fully(answer, text, strlen(text)) == 0;
}

static json_object *describe_guarded(char *path)
{
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(DESCRIPTION_MAXIMUM);
    _cleanup_free_ char *reason = guarded_run(describe_in_child, path, "it was loaded", &answer);
    json_object *description = reason == NULL ? json_parse(answer.data, NULL) : NULL;

    if (json_object_is_type(description, json_type_object))
        return description;
    json_object_put(description);
    description = json_object_new_object();
    _cleanup_free_ char *refusal =
        memory_format("plug-in \"%s\": %s", path, reason == NULL ? "its description is malformed" : reason);
    json_add_string(description, "file", path);
    json_add_string(description, "error", refusal);
    return description;
}

int worker_describe(int count, char **files)
{
    _cleanup_json_ json_object *all = json_object_new_array();

    for (int i = 0; i < count; i++)
        json_append(all, describe_guarded(files[i]));
    const char *text = json_text(all, JSON_C_TO_STRING_PLAIN, NULL);
    return write_fully(STDOUT_FILENO, text, strlen(text)) < 0;
}
