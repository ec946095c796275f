/* The bundle of a place; see adapter-bundle.h. */
#include "orchestrator/adapter/adapter-bundle.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json-text.h"

void adapter_bundle_clear(struct adapter_bundle *bundle)
{
    free(bundle->path);
    free(bundle->hash);
    free(bundle->description);
    for (size_t i = 0; bundle->driver_paths != NULL && bundle->driver_paths[i] != NULL; i++)
        free(bundle->driver_paths[i]);
    free(bundle->driver_paths);
    json_object_put(bundle->warnings);
    *bundle = (struct adapter_bundle){0};
}

void adapter_bundle_give(const struct adapter_bundle *bundle, struct osiris_bundle *given)
{
    const struct osiris_bundle whole = {
        .struct_size = given->struct_size,
        .path = bundle->path,
        .hash = bundle->hash,
        .size = bundle->size,
        .driver_paths = (const char *const *)bundle->driver_paths,
        .description = bundle->description,
    };

    memcpy(given, &whole, given->struct_size < sizeof whole ? given->struct_size : sizeof whole);
}

const struct component *const *adapter_bundle_copy_components(const struct component *const *components, size_t count)
{
    const struct component **copies = calloc(count + 1, sizeof *copies);

    for (size_t i = 0; i < count; i++) {
        struct component *copy = calloc(1, sizeof *copy);
        *copy = (struct component){
            .name = strdup(components[i]->name), .file = strdup(components[i]->file), .spec = json_copy(components[i]->spec)};
        copies[i] = copy;
    }
    return copies;
}

void adapter_bundle_free_components(const struct component *const *components, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)components[i]->name);
        free((char *)components[i]->file);
        json_object_put(components[i]->spec);
        free((void *)components[i]);
    }
    free((void *)components);
}
