/* Unpacked bundles in a place; see bundles.h. */
#include "worker/relay/bundles.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"

#define UNFINISHED_S 3600

int bundle_use(const char *bundle)
{
    int fd = bundle == NULL ? -1 : open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && (flock(fd, LOCK_SH | LOCK_NB) < 0 || futimens(fd, NULL) < 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Whoever starts a worker of a bundle locks it only once it runs. So it is renamed first: what is in use after that stays as it is. */
void bundle_remove_unused(const char *bundle)
{
    _cleanup_close_ int fd = bundle == NULL ? -1 : open(bundle, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_free_ char *removed = bundle == NULL ? NULL : memory_format("%s.removed", bundle);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    remove_tree(removed);
    if (rename(bundle, removed) == 0)
        remove_tree(removed);
}

struct entry {
    char *path;
    struct timespec used;
};

static int compare(const void *a, const void *b)
{
    const struct entry *first = a, *second = b;

    if (first->used.tv_sec != second->used.tv_sec)
        return first->used.tv_sec > second->used.tv_sec ? -1 : 1;
    if (first->used.tv_nsec != second->used.tv_nsec)
        return first->used.tv_nsec > second->used.tv_nsec ? -1 : 1;
    return strcmp(first->path, second->path);
}

void bundles_prune(const char *parent, unsigned kept)
{
    _cleanup_dir_ DIR *folder = opendir(parent);
    struct entry *entries = NULL;
    size_t count = 0;
    const struct dirent *item;

    while (folder != NULL && (item = readdir(folder)) != NULL) {
        struct stat status;
        if (item->d_name[0] == '.' || fstatat(dirfd(folder), item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
            continue;
        char *path = memory_format("%s/%s", parent, item->d_name);
        if (strchr(item->d_name, '.') != NULL) {
            if (status.st_mtim.tv_sec + UNFINISHED_S < time(NULL))
                remove_tree(path);
            free(path);
            continue;
        }
        entries = realloc(entries, (count + 1) * sizeof *entries);
        entries[count++] = (struct entry){path, status.st_mtim};
    }
    if (count > 0)
        qsort(entries, count, sizeof *entries, compare);
    for (size_t i = 0; i < count; i++) {
        if (i >= kept)
            bundle_remove_unused(entries[i].path);
        free(entries[i].path);
    }
    free(entries);
}
