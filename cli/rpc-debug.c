/* Where a run's frames are traced; see rpc-debug.h. */
#include "cli/rpc-debug.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/memory.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

static const char *variable(void)
{
    const char *value = getenv("OSIRIS_RPC_DEBUG");

    return value == NULL ? "" : value;
}

static bool is_off(const char *value)
{
    static const char *const words[] = {"", "false", "0", "no", "off", NULL};

    return is_one_of(value, words);
}

static bool is_on(const char *value)
{
    static const char *const words[] = {"true", "1", "yes", "on", NULL};

    return is_one_of(value, words);
}

int rpc_debug_check(struct osiris_error *error)
{
    const char *value = variable();

    if (is_off(value) || is_on(value) || strchr(value, '/') != NULL)
        return 0;
    osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                     "OSIRIS_RPC_DEBUG=%.64s is not true, false or a path with a slash", value);
    return osiris_error_hint(error, "write ./%.64s for a file of that name", value);
}

static bool is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

char *rpc_debug_path(const char *run_dir, const char *run_id)
{
    const char *value = variable();

    if (is_off(value))
        return NULL;
    if (is_on(value))
        return memory_format("%s/rpc.trace", run_dir);
    if (is_folder(value))
        return memory_format("%s/%s.trace", value, run_id);
    return strdup(value);
}
