/* Bundles for places; see place-bundle.h. */
#include <config.h>

#include "cli/place-bundle.h"

#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json-access.h"
#include "core/base/memory.h"
#include "orchestrator/bundle/bundle.h"
#include "orchestrator/registry/paths.h"

char *place_bundle_folder(void)
{
    _cleanup_free_ char *cache = paths_cache_dir();

    return cache == NULL ? NULL : memory_format("%s/bundles", cache);
}

static bool has_component(json_object *driver, const char *name)
{
    json_object *components = json_member(driver, "components");

    for (size_t i = 0; i < json_array_count(components); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(components, i)), name) == 0)
            return true;
    return false;
}

/* Where the file of a component is in the bundle. */
static const char *path_of_component(const struct bundle *bundle, const char *name)
{
    json_object *drivers = json_member(bundle->description, "drivers");

    for (size_t i = 0; i < json_array_count(drivers); i++) {
        json_object *driver = json_object_array_get_idx(drivers, i);
        if (has_component(driver, name))
            return json_member_string(driver, "file", NULL);
    }
    return NULL;
}

static const char *path_of_file(const struct bundle *bundle, const struct adapter_bundle_request *request, const char *file)
{
    for (size_t i = 0; i < request->component_count; i++)
        if (strcmp(request->components[i]->file, file) == 0)
            return path_of_component(bundle, request->components[i]->name);
    return NULL;
}

static int list_drivers(const struct bundle *bundle, const struct adapter_bundle_request *request, struct adapter_bundle *made,
                        struct osiris_error *error)
{
    size_t count = 0;

    while (request->driver_paths[count] != NULL)
        count++;
    made->driver_paths = calloc(count + 1, sizeof *made->driver_paths);
    for (size_t i = 0; i < count; i++) {
        const char *path = path_of_file(bundle, request, request->driver_paths[i]);
        if (path == NULL)
            return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "\"%s\" is not in the bundle", request->driver_paths[i]);
        made->driver_paths[i] = strdup(path);
    }
    return 0;
}

int place_bundle_make(const struct adapter_bundle_request *request, struct adapter_bundle *made, struct osiris_error *error)
{
    _cleanup_free_ char *folder = place_bundle_folder();
    _cleanup_bundle_ struct bundle bundle = {0};
    const struct bundle_options options = {
        .worker_path = request->worker_path,
        .components = request->components,
        .component_count = request->component_count,
        .version = PACKAGE_VERSION,
        .cache_dir = folder,
    };

    if (bundle_create(&options, &bundle, error) < 0 || list_drivers(&bundle, request, made, error) < 0)
        return -1;
    made->path = strdup(bundle.path);
    made->hash = strdup(bundle.hash);
    made->size = bundle.size;
    made->description = bundle_description_text(&bundle);
    made->warnings = json_object_get(bundle.warnings);
    return 0;
}
