/*
 * Default locations: the worker, the folders of drivers and adapters, the cache.
 * Compiled in by configure, overridden by the environment. Strings are borrowed from the environment
 * or static.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_PATHS_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_PATHS_H

/* OSIRIS_WORKER, or LIBEXECDIR/osiris/osiris-worker. */
const char *paths_worker(void);

/* OSIRIS_DRIVER_PATH and OSIRIS_ADAPTER_PATH: folders, colon-separated; NULL if unset or empty. */
const char *paths_driver_path(void);
const char *paths_adapter_path(void);

/* The installed folders, searched last; that of adapters may be another one (OSIRIS_ADAPTER_DIR). */
const char *paths_driver_dir(void);
const char *paths_adapter_dir(void);

/* $XDG_CACHE_HOME/osiris, or $HOME/.cache/osiris; NULL if neither is an absolute path. Free
 * it. The folder need not exist. */
char *paths_cache_dir(void);

#endif
