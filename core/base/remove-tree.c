/* Removing temporary folders; see remove-tree.h. */
#include "core/base/remove-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"

#define DEEPEST 64 /* the maximum number of open descriptors */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The removal of one tree. */
struct removal {
    int top;
    unsigned lifted; /* folders that were too deep and were moved to `top` */
};

int open_folder_of_ours(int folder, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, name, flags);

    if (fd >= 0 || errno != EACCES || fchmodat(folder, name, 0700, 0) < 0)
        return fd;
    return openat(folder, name, flags);
}

/* Takes `folder_fd`. Removes all entries except those of `known`, which may be NULL. */
static void remove_entries(struct removal *removal, int folder_fd, json_object *known, unsigned depth)
{
    _cleanup_dir_ DIR *folder = fdopendir(folder_fd);
    char lifted[32];

    if (folder == NULL) {
        (void)close(folder_fd);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (is_dots(entry->d_name) || json_object_object_get_ex(known, entry->d_name, NULL))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) == 0)
            continue;
        int child = open_folder_of_ours(dirfd(folder), entry->d_name);
        if (child >= 0 && depth == DEEPEST) {
            (void)close(child);
            snprintf(lifted, sizeof lifted, ".deep-%u", removal->lifted + 1);
            removal->lifted += renameat(dirfd(folder), entry->d_name, removal->top, lifted) == 0;
            continue;
        }
        if (child >= 0)
            remove_entries(removal, child, NULL, depth + 1);
        (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
}

/* Takes `folder`. */
static void remove_all_entries(int folder, json_object *known)
{
    struct removal removal = {.top = folder};
    unsigned before;

    /* What was too deep is less deep the next time. */
    do {
        before = removal.lifted;
        int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (again >= 0)
            remove_entries(&removal, again, known, 0);
    } while (removal.lifted > before);
    (void)close(folder);
}

static int open_folder(const char *path)
{
    return open_folder_of_ours(AT_FDCWD, path);
}

void remove_tree(const char *path)
{
    int folder = open_folder(path);

    if (folder < 0)
        return;
    remove_all_entries(folder, NULL);
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
        remove_all_entries(folder, known);
}
