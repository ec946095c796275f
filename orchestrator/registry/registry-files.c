/*
 * Driver files and the cache of their descriptions; see registry-files.h.
 *
 * A cache file is named by a hash of the driver file's identity and the describing worker's, so that a
 * changed file is simply not found; a damaged entry is replaced. Nothing depends on the cache.
 */
#include "orchestrator/registry/registry-files.h"

#include <string.h>
#include <sys/stat.h>

#include "orchestrator/registry/ask-worker.h"
#include "orchestrator/registry/plugin-files.h"
#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/fingerprint.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/base/absolute-path.h"

#define CACHE_FILE_MAXIMUM (16u << 20)

struct file {
    char *path;       /* owned */
    size_t folder;
    char *cache_path; /* owned; NULL: no cache */
    json_object *description;
};

struct files {
    struct file *items;
    size_t count, capacity;
    json_object *unreadable; /* folders: [{file, error}] */
};

static void files_clear(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        free(files->items[i].cache_path);
        json_object_put(files->items[i].description);
    }
    free(files->items);
    json_object_put(files->unreadable);
}

static void files_add(struct files *files, char *path, size_t folder)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity == 0 ? 16 : files->capacity * 2;
        files->items = reallocarray(files->items, files->capacity, sizeof *files->items);
    }
    files->items[files->count++] = (struct file){.path = path, .folder = folder};
}

static int by_folder_and_path(const void *a, const void *b)
{
    const struct file *left = a, *right = b;

    if (left->folder != right->folder)
        return left->folder < right->folder ? -1 : 1;
    return strcmp(left->path, right->path);
}

/* Listed folders need not exist, as in PATH. */
static void note_unreadable(struct files *files, const char *path, int number)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    json_object *entry = json_object_new_object();

    if (number == ENOENT || number == 0) {
        json_object_put(entry);
        return;
    }
    osiris_error_set_errno(&error, number, "cannot read the folder");
    json_add_string(entry, "file", path);
    json_add_string(entry, "error", error.message);
    if (files->unreadable == NULL)
        files->unreadable = json_object_new_array();
    json_append(files->unreadable, entry);
}

/* Adds the folder's *.so files. */
static void scan_folder(struct files *files, const char *path, size_t number)
{
    /* Loaded code may change the working directory. */
    _cleanup_free_ char *folder_path = absolute_path(NULL, path);
    _cleanup_dir_ DIR *folder = opendir(folder_path);
    const char *name;
    size_t length;

    if (folder == NULL) {
        note_unreadable(files, folder_path, errno);
        return;
    }
    while ((name = plugin_files_next(folder, &length)) != NULL)
        files_add(files, memory_format("%s/%s", folder_path, name), number);
    note_unreadable(files, folder_path, errno);
}

static void scan(struct files *files, const struct registry_options *options)
{
    const char *list = options->driver_path;
    size_t number = 0;
    char *folder;

    for (size_t i = 0; options->driver_dirs != NULL && options->driver_dirs[i] != NULL; i++)
        scan_folder(files, options->driver_dirs[i], number++);
    for (; (folder = plugin_folders_next(&list)) != NULL; free(folder))
        scan_folder(files, folder, number++);
    if (options->installed_dir != NULL)
        scan_folder(files, options->installed_dir, number);
    if (files->count > 0)
        qsort(files->items, files->count, sizeof *files->items, by_folder_and_path);
}

/* The cache. */

static void append_identity(struct buffer *text, const char *path)
{
    struct stat status;

    buffer_append_format(text, "%s\n", path);
    if (stat(path, &status) == 0)
        buffer_append_format(
            text, "%llu %llu %lld %lld.%09ld %lld.%09ld\n", (unsigned long long)status.st_dev,
            (unsigned long long)status.st_ino, (long long)status.st_size,
            (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
            (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

static char *cache_path(const char *cache_dir, const char *file, const char *worker)
{
    _cleanup_buffer_ struct buffer identity = BUFFER_INIT(1 << 16);
    char hex[FINGERPRINT_SIZE];

    append_identity(&identity, file);
    append_identity(&identity, worker);
    if (identity.failed)
        return NULL;
    fingerprint(identity.data, identity.length, hex);
    return memory_format("%s/%s.json", cache_dir, hex);
}

static bool is_refusal(json_object *description)
{
    return json_member(description, "error") != NULL;
}

/* The cached description of a file, or NULL. An entry with any fault is ignored. */
static json_object *cache_read(const struct file *file)
{
    size_t length;
    _cleanup_free_ char *text =
        file->cache_path == NULL
            ? NULL
            : read_whole_file(file->cache_path, CACHE_FILE_MAXIMUM, &length, NULL);
    _cleanup_json_ json_object *description = text == NULL ? NULL : json_parse(text, NULL);

    if (strcmp(json_member_string(description, "file", ""), file->path) != 0 || is_refusal(description))
        return NULL;
    return steal_pointer(&description);
}

/* Refusals are not cached, because the reason may lie outside of the file: a missing library, a slow disk, a limit on
 * processes. */
static void cache_write(const struct file *file, const char *cache_dir)
{
    if (is_refusal(file->description))
        return;
    const char *text =
        json_text(file->description, JSON_C_TO_STRING_PLAIN, NULL);

    if (file->cache_path != NULL && make_directories(cache_dir, 0700, NULL) == 0)
        (void)atomic_file_write(file->cache_path, text, strlen(text), 0600, NULL);
}

/* Descriptions. */

static json_object *take_description(json_object *descriptions, const char *path)
{
    for (size_t i = 0; i < json_array_count(descriptions); i++) {
        json_object *description = json_object_array_get_idx(descriptions, i);
        if (strcmp(json_member_string(description, "file", ""), path) == 0)
            return json_object_get(description);
    }
    json_object *missing = json_object_new_object();
    json_add_string(missing, "file", path);
    json_add_string(missing, "error", "osiris-worker did not describe it");
    return missing;
}

static int describe_unknown(struct files *files, const struct registry_options *options,
                            struct osiris_error *error)
{
    _cleanup_free_ const char **paths = calloc(files->count + 1, sizeof *paths);
    size_t count = 0;

    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].description == NULL)
            paths[count++] = files->items[i].path;
    if (count == 0)
        return 0;
    _cleanup_json_ json_object *descriptions =
        describe_with_worker(options->worker_path, paths, count, error);
    if (descriptions == NULL)
        return -1;
    for (size_t i = 0; i < files->count; i++) {
        struct file *file = &files->items[i];
        if (file->description != NULL)
            continue;
        file->description = take_description(descriptions, file->path);
        cache_write(file, options->cache_dir);
    }
    return 0;
}

json_object *registry_describe_files(const struct registry_options *options,
                                     struct osiris_error *error)
{
    _cleanup_(files_clear) struct files files = {0};

    scan(&files, options);
    for (size_t i = 0; i < files.count; i++) {
        struct file *file = &files.items[i];
        if (options->cache_dir != NULL)
            file->cache_path = cache_path(options->cache_dir, file->path, options->worker_path);
        file->description = cache_read(file);
    }
    if (describe_unknown(&files, options, error) < 0)
        return NULL;
    json_object *all = json_object_new_array();
    for (size_t i = 0; i < files.count; i++) {
        json_add_integer(files.items[i].description, "folder", (int64_t)files.items[i].folder);
        json_append(all, json_object_get(files.items[i].description));
    }
    for (size_t i = 0; i < json_array_count(files.unreadable); i++)
        json_append(all, json_object_get(json_object_array_get_idx(files.unreadable, i)));
    return all;
}
