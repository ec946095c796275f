/* Where the worker, the drivers, the adapters and the cache are; see paths.h. */
#include "orchestrator/registry/paths.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/memory.h"

static const char *from_environment(const char *name, const char *fallback)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? fallback : value;
}

const char *paths_worker(void)
{
    return from_environment("OSIRIS_WORKER", OSIRIS_WORKER_DIR "/osiris-worker");
}

const char *paths_driver_path(void)
{
    return from_environment("OSIRIS_DRIVER_PATH", NULL);
}

const char *paths_adapter_path(void)
{
    return from_environment("OSIRIS_ADAPTER_PATH", NULL);
}

const char *paths_driver_dir(void)
{
    return OSIRIS_DRIVER_DIR;
}

const char *paths_adapter_dir(void)
{
    return from_environment("OSIRIS_ADAPTER_DIR", OSIRIS_ADAPTER_DIR);
}

char *paths_cache_dir(void)
{
    const char *cache = from_environment("XDG_CACHE_HOME", "");
    const char *home = from_environment("HOME", "");

    /* The XDG specification says to ignore a relative path. */
    if (cache[0] == '/')
        return memory_format("%s/osiris", cache);
    return home[0] == '/' ? memory_format("%s/.cache/osiris", home) : NULL;
}
