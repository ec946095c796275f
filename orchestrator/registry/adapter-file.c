/* Finding the files of execution adapters; see adapter-file.h. */
#include "orchestrator/registry/adapter-file.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/plugin/guarded.h"
#include "core/base/json-build.h"
#include "core/plugin/loader.h"
#include "core/base/memory.h"
#include "core/base/near-miss.h"
#include "core/base/absolute-path.h"
#include "core/plugin/spec-check.h"

/* Each folder of the list, with its length. */
typedef void (*visit_folder)(void *context, const char *folder, size_t length);

static void each_folder(const char *folders, visit_folder visit, void *context)
{
    while (folders != NULL && *folders != '\0') {
        size_t length = strcspn(folders, ":");
        if (length > 0)
            visit(context, folders, length);
        folders += length + (folders[length] == ':');
    }
}

static void each_of_both(const struct adapter_folders *folders, visit_folder visit, void *context)
{
    each_folder(folders->path, visit, context);
    each_folder(folders->installed_dir, visit, context);
}

/* Search. */

struct search {
    const char *name;
    char *found;
    struct buffer *tried;       /* the folders, for the message */
    struct osiris_error obstacle; /* the first obstacle: the adapter may be behind it */
};

/* A listed folder need not exist and need not contain the file, but what exists must be readable. */
static void note_obstacle(struct search *search, const char *folder, size_t length, const char *path, int number)
{
    _cleanup_free_ char *copy = strndup(folder, length);
    _cleanup_dir_ DIR *directory = opendir(copy);
    struct stat status;

    if (search->obstacle.category != 0)
        return;
    if (directory == NULL && errno != ENOENT)
        osiris_error_set_errno(&search->obstacle, errno, "cannot read the folder \"%s\"", copy);
    else if (number != ENOENT || lstat(path, &status) == 0)
        osiris_error_set_errno(&search->obstacle, number, "plug-in \"%s\"", path);
}

static void look_into(void *context, const char *folder, size_t length)
{
    struct search *search = context;
    struct stat status;

    buffer_append_format(search->tried, "%s%.*s", search->tried->length > 0 ? ", " : "",
                         (int)length, folder);
    if (search->found != NULL)
        return;
    _cleanup_free_ char *path = memory_format("%.*s/%s.so", (int)length, folder, search->name);
    /* An adapter that was loaded earlier may have changed the working directory. */
    _cleanup_free_ char *absolute = absolute_path(NULL, path);
    if (stat(absolute, &status) < 0)
        note_obstacle(search, folder, length, path, errno);
    else if (S_ISREG(status.st_mode))
        search->found = steal_pointer(&absolute);
    else if (search->obstacle.category == 0)
        osiris_error_set(&search->obstacle, OSIRIS_ERROR_CONFIG, "plug-in \"%s\": it is not a file", path);
}

/* The available adapters: {name: null} */

static void list_folder(void *context, const char *folder, size_t length)
{
    _cleanup_free_ char *path = strndup(folder, length);
    _cleanup_dir_ DIR *directory = opendir(path);

    for (struct dirent *entry = directory == NULL ? NULL : readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        size_t size = strlen(entry->d_name);
        if (size < 4 || strcmp(entry->d_name + size - 3, ".so") != 0)
            continue;
        entry->d_name[size - 3] = '\0';
        json_add(context, entry->d_name, NULL);
    }
}

static char *question(const char *name, const struct adapter_folders *folders, json_object *places)
{
    _cleanup_json_ json_object *names = json_object_new_object();
    size_t count = 0;

    each_of_both(folders, list_folder, names);
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
    each_of_both(folders, look_into, &search);
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

/* Trying it. */

struct trial {
    const char *path, *name;
};

/* Runs in a child: writes why it cannot be used, or an empty line. */
static bool try_to_load(void *context, int answer)
{
    const struct trial *trial = context;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct osiris_plugin *plugin = loader_open(trial->path, &error);

    if (plugin != NULL)
        (void)loader_adapter(plugin, trial->path, trial->name, &error);
    const char *reason = error.category == 0 ? "" : error.message;
    return write_fully(answer, reason, strlen(reason)) == 0 && write_fully(answer, "\n", 1) == 0;
}

int adapter_file_check(const char *name, const struct adapter_folders *folders, json_object *places,
                       struct osiris_error *error)
{
    _cleanup_free_ char *path = adapter_file_find(name, folders, places, error);
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(1 << 20);
    struct trial trial = {path, name};

    if (path == NULL)
        return -1;
    _cleanup_free_ char *reason = guarded_run(try_to_load, &trial, "it was loaded", &answer);
    if (reason != NULL)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "plug-in \"%s\": %s", path, reason);
    if (answer.data[0] == '\n')
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%.*s", (int)strcspn(answer.data, "\n"),
                            answer.data);
}
