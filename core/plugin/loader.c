/*
 * Loading shared objects through libltdl; see loader.h. `loader_lock` guards libltdl, whose state is
 * global and not thread-safe, and the list of loaded objects, which is global to the process like the objects.
 */
#include "core/plugin/loader.h"

#include <dlfcn.h>
#include <json-c/json.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/plugin/spec-check.h"

static pthread_mutex_t loader_lock = PTHREAD_MUTEX_INITIALIZER;
static bool loader_ready; /* guarded by loader_lock: lt_dlinit is called once */

static int refuse(struct osiris_error *error, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct osiris_error *error, const char *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *why = memory_vformat(format, arguments);
    va_end(arguments);
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "plug-in \"%s\": %s", path, why);
}

/* libltdl reports "file not found" whatever happened, and binds lazily: this finds the real reason. The handle
 * is kept open, so that the object is mapped only once. */
static int preflight(const char *path, struct osiris_error *error)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return osiris_error_set_errno(error, errno, "plug-in \"%s\"", path);
    if (!S_ISREG(status.st_mode))
        return refuse(error, path, "it is not a file");
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL) == NULL) {
        const char *reason = dlerror();
        size_t length = strlen(path);
        /* glibc begins with the path. */
        if (reason != NULL && strncmp(reason, path, length) == 0 && reason[length] == ':')
            reason += length + 2;
        return refuse(error, path, "cannot be loaded: %s", reason == NULL ? "unknown" : reason);
    }
    return 0;
}

static const struct osiris_plugin *open_locked(const char *path, struct osiris_error *error)
{
    if (!loader_ready && lt_dlinit() != 0) {
        refuse(error, path, "libltdl cannot start: %s", lt_dlerror());
        return NULL;
    }
    loader_ready = true;
    if (preflight(path, error) < 0)
        return NULL;
    lt_dlhandle handle = lt_dlopen(path);
    if (handle == NULL) {
        refuse(error, path, "libltdl cannot load it: %s", lt_dlerror());
        return NULL;
    }
    /* Drivers are never unloaded: their threads, exit handlers and release callbacks may outlive a run. */
    (void)lt_dlmakeresident(handle);
    const struct osiris_plugin *plugin = lt_dlsym(handle, OSIRIS_PLUGIN_SYMBOL);
    if (plugin == NULL)
        refuse(error, path, "it does not export \"%s\"; it is not an Osiris plug-in",
               OSIRIS_PLUGIN_SYMBOL);
    return plugin;
}

/* `kind`: a driver's kind; 0: the spec is an adapter's. */
static int check_spec(const char *path, const char *name, const char *spec, int kind,
                      struct osiris_error *error)
{
    enum json_tokener_error why;
    _cleanup_json_ json_object *parsed = NULL;

    if (spec == NULL)
        return refuse(error, path, "\"%s\" has no spec", name);
    parsed = json_parse(spec, &why);
    if (parsed == NULL)
        return refuse(error, path, "the spec of \"%s\" is not JSON: %s", name,
                      json_tokener_error_desc(why));
    _cleanup_free_ char *problem = spec_check(parsed);
    if (problem == NULL && kind != 0)
        problem = spec_check_kind(parsed, kind);
    return problem == NULL ? 0 : refuse(error, path, "the spec of \"%s\": %s", name, problem);
}

/* Names are used in messages, files and folders. */
static int check_names(const char *path, const char *what, const char *name, const char *version,
                       struct osiris_error *error)
{
    if (name == NULL || name[0] == '\0')
        return refuse(error, path, "%s has no name", what);
    if (!spec_name_is_valid(name))
        return refuse(
            error, path,
            "the name of %s is not valid: use letters, digits, _, - and single dots between them, "
            "at most 63 characters",
            what);
    if (version == NULL || version[0] == '\0')
        return refuse(error, path, "%s, \"%s\", has no version", what, name);
    for (const unsigned char *c = (const unsigned char *)version; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 127)
            return refuse(error, path, "the version of %s contains a blank or a character that is not ASCII",
                          what);
    return 0;
}

static int check_driver(const char *path, const struct osiris_driver *driver,
                        struct osiris_error *error)
{
    if (driver->struct_size < OSIRIS_DRIVER_SIZE_1_0)
        return refuse(error, path, "a driver's struct_size is %u, version 1.0 has %zu",
                      driver->struct_size, OSIRIS_DRIVER_SIZE_1_0);
    if (check_names(path, "a driver", driver->name, driver->version, error) < 0)
        return -1;
    if (strchr(driver->name, '.') == NULL)
        return refuse(error, path, "the driver's name \"%s\" does not have the form family.what",
                      driver->name);
    if (driver->kind < OSIRIS_EXTRACTOR || driver->kind > OSIRIS_WRITER)
        return refuse(error, path, "the driver \"%s\" has the unknown kind %d", driver->name,
                      driver->kind);
    if (driver->open == NULL || driver->run == NULL || driver->close == NULL)
        return refuse(error, path, "the driver \"%s\" lacks the verb \"%s\"", driver->name,
                      driver->open == NULL  ? "open"
                      : driver->run == NULL ? "run"
                                            : "close");
    return check_spec(path, driver->name, driver->spec, driver->kind, error);
}

static int check_adapter(const char *path, const struct osiris_adapter *adapter,
                         struct osiris_error *error)
{
    if (adapter->struct_size < OSIRIS_ADAPTER_SIZE_1_0)
        return refuse(error, path, "an adapter's struct_size is %u, version 1.0 has %zu",
                      adapter->struct_size, OSIRIS_ADAPTER_SIZE_1_0);
    if (check_names(path, "an adapter", adapter->name, adapter->version, error) < 0)
        return -1;
    const char *missing = adapter->open == NULL          ? "open"
                          : adapter->prepare == NULL     ? "prepare"
                          : adapter->execute == NULL     ? "execute"
                          : adapter->worker_exit == NULL ? "worker_exit"
                          : adapter->terminate == NULL   ? "terminate"
                          : adapter->collect == NULL     ? "collect"
                          : adapter->close == NULL       ? "close"
                                                         : NULL;
    if (missing != NULL)
        return refuse(error, path, "the adapter \"%s\" lacks the verb \"%s\"", adapter->name, missing);
    return check_spec(path, adapter->name, adapter->spec, 0, error);
}

static bool driver_is_called(const struct osiris_driver *driver, const char *name)
{
    if (strcmp(driver->name, name) == 0)
        return true;
    for (size_t i = 0; driver->aliases != NULL && driver->aliases[i] != NULL; i++)
        if (strcmp(driver->aliases[i], name) == 0)
            return true;
    return false;
}

/* Checks that no name occurs twice among the drivers before `driver` and within it. */
static int check_clashes(const char *path, const struct osiris_driver *const *drivers, size_t index,
                         struct osiris_error *error)
{
    const struct osiris_driver *driver = drivers[index];

    for (size_t i = 0; driver->aliases != NULL && driver->aliases[i] != NULL; i++) {
        if (!spec_name_is_valid(driver->aliases[i]) ||
            strcmp(driver->aliases[i], driver->name) == 0)
            return refuse(error, path,
                          "the driver \"%s\" has an alias that is not a valid name, or is its own name",
                          driver->name);
    }
    for (size_t earlier = 0; earlier < index; earlier++) {
        const char *clash = NULL;
        if (driver_is_called(drivers[earlier], driver->name))
            clash = driver->name;
        for (size_t i = 0; driver->aliases != NULL && driver->aliases[i] != NULL; i++)
            if (driver_is_called(drivers[earlier], driver->aliases[i]))
                clash = driver->aliases[i];
        if (clash != NULL)
            return refuse(error, path, "two of its drivers have the name \"%s\"", clash);
    }
    return 0;
}

static int check_plugin(const char *path, const struct osiris_plugin *plugin,
                        struct osiris_error *error)
{
    unsigned major = plugin->abi_version >> 16;

    if (major != OSIRIS_ABI_MAJOR)
        return refuse(error, path,
                      "it was built for version %u.%u of the plug-in interface, and this is %u.%u; "
                      "build it against the headers of this version of Osiris",
                      major, plugin->abi_version & 0xffff, OSIRIS_ABI_MAJOR, OSIRIS_ABI_MINOR);
    if (plugin->struct_size < OSIRIS_PLUGIN_SIZE_1_0)
        return refuse(error, path, "its descriptor's struct_size is %u, version 1.0 has %zu",
                      plugin->struct_size, OSIRIS_PLUGIN_SIZE_1_0);
    if (check_names(path, "the plug-in", plugin->name, plugin->version, error) < 0)
        return -1;
    bool empty = true;
    for (size_t i = 0; plugin->drivers != NULL && plugin->drivers[i] != NULL; i++) {
        empty = false;
        if (check_driver(path, plugin->drivers[i], error) < 0 ||
            check_clashes(path, plugin->drivers, i, error) < 0)
            return -1;
    }
    for (size_t i = 0; plugin->adapters != NULL && plugin->adapters[i] != NULL; i++) {
        empty = false;
        if (check_adapter(path, plugin->adapters[i], error) < 0)
            return -1;
    }
    if (empty)
        return refuse(error, path, "it has neither drivers nor adapters");
    return 0;
}

const struct osiris_plugin *loader_open(const char *path, struct osiris_error *error)
{
    /* A path without a slash would be searched for in the system's folders. */
    _cleanup_free_ char *file = memory_format("%s%s", strchr(path, '/') == NULL ? "./" : "", path);

    pthread_mutex_lock(&loader_lock);
    const struct osiris_plugin *plugin = open_locked(file, error);
    pthread_mutex_unlock(&loader_lock);
    if (plugin == NULL || check_plugin(path, plugin, error) < 0)
        return NULL;
    return plugin;
}

const struct osiris_driver *loader_driver(const struct osiris_plugin *plugin, const char *path,
                                          const char *name, struct osiris_error *error)
{
    for (size_t i = 0; plugin->drivers != NULL && plugin->drivers[i] != NULL; i++)
        if (driver_is_called(plugin->drivers[i], name))
            return plugin->drivers[i];
    if (plugin->drivers == NULL || plugin->drivers[0] == NULL)
        refuse(error, path, "it has execution adapters, but no driver \"%s\"", name);
    else
        refuse(error, path, "it has no driver \"%s\"", name);
    return NULL;
}

const struct osiris_adapter *loader_adapter(const struct osiris_plugin *plugin, const char *path,
                                            const char *name, struct osiris_error *error)
{
    for (size_t i = 0; plugin->adapters != NULL && plugin->adapters[i] != NULL; i++)
        if (strcmp(plugin->adapters[i]->name, name) == 0)
            return plugin->adapters[i];
    if (plugin->adapters == NULL || plugin->adapters[0] == NULL)
        refuse(error, path, "it has drivers, but no execution adapter \"%s\"", name);
    else
        refuse(error, path, "it has no execution adapter \"%s\"", name);
    return NULL;
}
