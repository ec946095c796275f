/* Removing temporary folders; see remove-tree.h. */
#include "core/base/remove-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* All but those of `known`, which may be NULL. */
static void remove_entries(int folder_fd, json_object *known, unsigned depth)
{
    /* A driver that nests deeper than this cleans up itself. */
    if (depth > 64) {
        (void)close(folder_fd);
        return;
    }
    _cleanup_dir_ DIR *folder = fdopendir(folder_fd);
    if (folder == NULL) {
        (void)close(folder_fd);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (is_dots(entry->d_name) || json_object_object_get_ex(known, entry->d_name, NULL))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) == 0)
            continue;
        int child = openat(dirfd(folder), entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_entries(child, NULL, depth + 1);
        (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void remove_tree(const char *path)
{
    int folder = open_folder(path);

    if (folder < 0)
        return;
    remove_entries(folder, NULL, 0);
    (void)rmdir(path);
}

static int add_entries(DIR *folder, json_object *entries)
{
    errno = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (!is_dots(entry->d_name) && json_object_object_add(entries, entry->d_name, NULL) < 0)
            return -1;
    return errno == 0 ? 0 : -1;
}

json_object *folder_entries(const char *path)
{
    json_object *entries = json_object_new_object();
    int fd = open_folder(path);

    if (fd < 0 && errno == ENOENT)
        return entries;
    _cleanup_dir_ DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL && fd >= 0)
        (void)close(fd);
    if (folder != NULL && entries != NULL && add_entries(folder, entries) == 0)
        return entries;
    json_object_put(entries);
    return NULL;
}

void remove_new_entries(const char *path, json_object *known)
{
    int folder = known == NULL ? -1 : open_folder(path);

    if (folder >= 0)
        remove_entries(folder, known, 0);
}
