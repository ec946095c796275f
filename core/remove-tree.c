/* Removing temporary folders; see remove-tree.h. */
#include "core/remove-tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"

static void remove_entries(int folder_fd, unsigned depth)
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
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) == 0)
            continue;
        int child = openat(dirfd(folder), entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_entries(child, depth + 1);
        (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
}

void remove_tree(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0)
        return;
    remove_entries(folder, 0);
    (void)rmdir(path);
}
