/* Finding the files of execution adapters; see adapter-file.h. */
#include "orchestrator/registry/adapter-file.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/plugin/guarded.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/plugin/loader.h"
#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "core/base/absolute-path.h"
#include "core/plugin/spec-check.h"
#include "orchestrator/registry/plugin-files.h"

/* Finding. */

struct search {
    const char *name;
    char *found;
    struct buffer *tried;       /* the folders, for the message */
    struct osiris_error obstacle; /* the first error: the adapter may be in the folder that it concerns */
};

/* Listed folders need not exist or contain the file, but existing ones must be readable. */
static void note_obstacle(struct search *search, const char *folder, const char *path, int number)
{
    _cleanup_dir_ DIR *directory = opendir(folder);
    struct stat status;

    if (search->obstacle.category != 0)
        return;
    if (directory == NULL && errno != ENOENT)
        osiris_error_set_errno(&search->obstacle, errno, "cannot read the folder \"%s\"", folder);
    else if (number != ENOENT || lstat(path, &status) == 0)
        osiris_error_set_errno(&search->obstacle, number, "plug-in \"%s\"", path);
}

static void search_folder(struct search *search, const char *folder)
{
    struct stat status;

    buffer_append_format(search->tried, "%s%s", search->tried->length > 0 ? ", " : "", folder);
    if (search->found != NULL)
        return;
    _cleanup_free_ char *path = memory_format("%s/%s.so", folder, search->name);
    /* An adapter that was loaded before may have changed the working directory. */
    _cleanup_free_ char *absolute = absolute_path(NULL, path);
    if (stat(absolute, &status) < 0)
        note_obstacle(search, folder, path, errno);
    else if (S_ISREG(status.st_mode))
        search->found = steal_pointer(&absolute);
    else if (search->obstacle.category == 0)
        osiris_error_set(&search->obstacle, OSIRIS_ERROR_CONFIG, "plug-in \"%s\": it is not a file", path);
}

static void search_folders(struct search *search, const char *list)
{
    char *folder;

    for (; (folder = plugin_folders_next(&list)) != NULL; free(folder))
        search_folder(search, folder);
}

/* The available adapters: {name: null} */

static void list_folder(json_object *names, const char *path)
{
    _cleanup_dir_ DIR *folder = opendir(path);
    const char *file;
    size_t length;

    while (folder != NULL && (file = plugin_files_next(folder, &length)) != NULL) {
        _cleanup_free_ char *name = strndup(file, length);
        json_add(names, name, NULL);
    }
}

static void list_folders(json_object *names, const char *list)
{
    char *folder;

    for (; (folder = plugin_folders_next(&list)) != NULL; free(folder))
        list_folder(names, folder);
}

static char *question(const char *name, const struct adapter_folders *folders, json_object *places)
{
    _cleanup_json_ json_object *names = json_object_new_object();
    size_t count = 0;

    list_folders(names, folders->path);
    list_folders(names, folders->installed_dir);
    if (places != NULL) {
        json_object_object_foreach(places, place, unused)
        {
            (void)unused;
            json_add(names, place, NULL);
        }
    }
    _cleanup_free_ const char **candidates =
        calloc((size_t)json_object_object_length(names) + 1, sizeof *candidates);
    json_object_object_foreach(names, candidate, nothing)
    {
        (void)nothing;
        candidates[count++] = candidate;
    }
    return near_miss_question(name, candidates, count);
}

char *adapter_file_find(const char *name, const struct adapter_folders *folders,
                        json_object *places, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer tried = BUFFER_INIT(1 << 16);
    struct search search = {.name = name, .tried = &tried};

    if (!spec_name_is_valid(name)) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is not a valid adapter name", name);
        return NULL;
    }
    search_folders(&search, folders->path);
    search_folders(&search, folders->installed_dir);
    _cleanup_error_ struct osiris_error obstacle = search.obstacle;
    if (search.found != NULL)
        return search.found;
    if (obstacle.category != 0) {
        osiris_error_prefix(&obstacle, "there is no usable execution adapter \"%s\"", name);
        osiris_error_move(error, &obstacle);
        return NULL;
    }
    _cleanup_free_ char *meant = question(name, folders, places);
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no execution adapter \"%s\"", name);
    if (meant != NULL)
        osiris_error_hint(error, "%s", meant);
    else
        osiris_error_hint(error, "searched for %s.so in %s; OSIRIS_ADAPTER_PATH adds folders", name,
                          tried.length > 0 && !tried.failed ? tried.data : "no folder");
    return NULL;
}

bool adapter_file_is_installed(const char *name, const struct adapter_folders *folders)
{
    const struct adapter_folders installed = {.installed_dir = folders->installed_dir};
    _cleanup_free_ char *used = adapter_file_find(name, folders, NULL, NULL);
    _cleanup_free_ char *own = adapter_file_find(name, &installed, NULL, NULL);
    struct stat one, other;

    return used != NULL && own != NULL && stat(used, &one) == 0 && stat(own, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* Describing. */

#define DESCRIPTION_MAXIMUM (16u << 20)
#define DESCRIBED '+' /* the spec follows */
#define REFUSED '-'   /* the reason follows */

struct description {
    const char *path, *name;
};

/* Runs in a child process. */
static bool describe(void *context, int answer)
{
    const struct description *description = context;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct osiris_plugin *plugin = loader_open(description->path, &error);
    const struct osiris_adapter *adapter =
        plugin == NULL ? NULL : loader_adapter(plugin, description->path, description->name, &error);
    const char *text = adapter == NULL ? error.message : adapter->spec;
    const char kind = adapter == NULL ? REFUSED : DESCRIBED;

    return write_fully(answer, &kind, 1) == 0 && write_fully(answer, text, strlen(text)) == 0;
}

json_object *adapter_file_describe(const char *name, const struct adapter_folders *folders, json_object *places,
                                   struct osiris_error *error)
{
    _cleanup_free_ char *path = adapter_file_find(name, folders, places, error);
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(DESCRIPTION_MAXIMUM);
    struct description description = {path, name};

    if (path == NULL)
        return NULL;
    _cleanup_free_ char *reason = guarded_run(describe, &description, "it was loaded", &answer);
    _cleanup_json_ json_object *spec =
        reason == NULL && answer.data[0] == DESCRIBED ? json_parse(answer.data + 1, NULL) : NULL;
    if (json_object_is_type(spec, json_type_object))
        return steal_pointer(&spec);
    if (reason == NULL && answer.data[0] == REFUSED)
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%.*s", (int)strcspn(answer.data + 1, "\n"), answer.data + 1);
    else
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "plug-in \"%s\": %s", path,
                         reason == NULL ? "its description is malformed" : reason);
    return NULL;
}
