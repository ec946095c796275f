/*
 * The registry of components: the driver file of each component, and its spec.
 *
 * Folders are searched in this order: --driver-dir, each of OSIRIS_DRIVER_PATH, the installed one. The
 * orchestrator never loads a driver: unknown files are described by `osiris-worker --describe`, in a
 * process of their own, and the answers are cached under $XDG_CACHE_HOME/osiris/drivers by the file's
 * identity (device, inode, size, times, and the describing worker's identity). Refusals are not: their reason
 * may lie outside the file. One thread.
 *
 * A component that an earlier folder has hides one of the same name in a later folder. Two files of the
 * same folder that claim one name are both refused for that name. A file that can't be described, or a folder that
 * can't be read, is kept with the reason, which is shown when a component is not found and by `osiris components list`.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_REGISTRY_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_REGISTRY_H

#include <json-c/json.h>
#include <osiris/driver.h>
#include <stdbool.h>

#include "core/base/error.h"

struct registry;

struct component {
    const char *name;           /* the driver's own name */
    const char *const *aliases; /* NULL-terminated, never NULL */
    const char *version;
    int kind;                   /* OSIRIS_EXTRACTOR, … */
    json_object *spec;          /* borrowed; an object */
    const char *file;           /* the shared object's path */
    const char *plugin;         /* name of the plug-in in it */
    bool validates;             /* the driver can validate a config */
};

struct registry_options {
    const char *const *driver_dirs; /* NULL-terminated, from --driver-dir; may be NULL */
    const char *driver_path;        /* OSIRIS_DRIVER_PATH, colon-separated, or NULL */
    const char *installed_dir;      /* or NULL */
    const char *worker_path;        /* osiris-worker, for describing */
    const char *cache_dir;          /* NULL: no cache */
};

struct registry *registry_new(const struct registry_options *options, struct osiris_error *error);
/* A registry from descriptions (the array that `osiris-worker --describe` prints), for tests. */
struct registry *registry_new_from_json(json_object *descriptions);
void registry_free(struct registry *registry);
#define _cleanup_registry_ _cleanup_(registry_free_value)
static inline void registry_free_value(struct registry **registry)
{
    registry_free(*registry);
}

/* Looks up a component by name or alias. NULL with the error set: not_found with near misses and with refused files
 * that may have it in the hint; or why the file that has it was refused. */
const struct component *registry_find(struct registry *registry, const char *name,
                                      struct osiris_error *error);

/* All usable components, sorted by name. */
size_t registry_count(const struct registry *registry);
const struct component *registry_get(const struct registry *registry, size_t index);

/* Files, folders and names that were refused, for `components list`: [{file, error}]. Borrowed. */
json_object *registry_refused(const struct registry *registry);

#endif
