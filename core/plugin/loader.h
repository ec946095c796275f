/*
 * The only code that loads shared objects: libltdl behind four functions. Its errors say "file not found"
 * whatever happened and it binds lazily, so each object is first opened with dlopen(RTLD_NOW |
 * RTLD_LOCAL), whose error is shown, and then through libltdl, made resident. The descriptor is
 * checked before anyone sees it. One lock inside; callable from any thread.
 */
#ifndef OSIRIS_CORE_PLUGIN_LOADER_H
#define OSIRIS_CORE_PLUGIN_LOADER_H

#include <osiris/plugin.h>

#include "core/base/error.h"

/* Loads `path` (a .so; no .la file is needed) and checks its osiris_plugin: major version, sizes, names,
 * aliases and clashes inside it, required verbs of each driver and adapter, spec JSON an object. Every
 * refusal names the file and says why. The result lives until the process ends. */
const struct osiris_plugin *loader_open(const char *path, struct osiris_error *error);

/* The driver or adapter of that name or alias in a loaded plug-in, or NULL (error set). */
const struct osiris_driver *loader_driver(const struct osiris_plugin *plugin, const char *path,
                                          const char *name, struct osiris_error *error);
const struct osiris_adapter *loader_adapter(const struct osiris_plugin *plugin, const char *path,
                                            const char *name, struct osiris_error *error);

#endif
