/* Hidden files of outputs; see hidden.h. */
#include "core/output/hidden.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/memory.h"

char *hidden_name(const char *stem, const char *run_id, unsigned number)
{
    return memory_format(".%s.osiris-%s-%d-%u.tmp", stem, run_id, (int)getpid(), number);
}

/* The text after the stem, which it must begin with; with `any_number` the numbers in it may differ. NULL: it does not. */
static const char *skip_stem(const char *text, const char *stem, bool any_number)
{
    static const char digits[] = "0123456789";

    while (*stem != '\0') {
        size_t theirs = any_number ? strspn(text, digits) : 0, ours = any_number ? strspn(stem, digits) : 0;
        if ((theirs == 0) != (ours == 0) || (ours == 0 && *text != *stem))
            return NULL;
        text += ours == 0 ? 1 : theirs;
        stem += ours == 0 ? 1 : ours;
    }
    return text;
}

static bool is_hidden_name_of(const char *name, const char *stem, bool any_number)
{
    const char *rest = name[0] == '.' ? skip_stem(name + 1, stem, any_number) : NULL;
    size_t length = rest == NULL ? 0 : strlen(rest);

    return length > 12 && strncmp(rest, ".osiris-", 8) == 0 && strcmp(rest + length - 4, ".tmp") == 0;
}

/* Whether a lock on a file there is visible to everyone who could write to it. */
static bool has_locks_for_all(int folder)
{
    static const unsigned long kinds[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
                                          TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, 0x2fc12fc1 /* ZFS */};
    struct statfs status;

    if (fstatfs(folder, &status) < 0)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((unsigned long)status.f_type == kinds[i])
            return true;
    return false;
}

/* A running process holds the lock of its file, or the folder's. */
static void remove_unlocked(int folder, const char *name)
{
    struct stat status;
    _cleanup_close_ int fd =
        openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(folder, name, 0);
}

/* The first part of a run finds all stale files; for later ones the folder is locked by the files that were set aside. */
void hidden_remove_stale(int folder_fd, const char *stem)
{
    int copy = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_dir_ DIR *folder = copy < 0 ? NULL : fdopendir(copy);

    if (folder == NULL) {
        cleanup_close_value(&copy);
        return;
    }
    /* Files that are set aside have no lock of their own: their process holds the folder's lock. */
    if (flock(copy, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return;
    bool series = has_locks_for_all(folder_fd);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (is_hidden_name_of(entry->d_name, stem, series))
            remove_unlocked(folder_fd, entry->d_name);
}

static bool is_hidden_name_of_run(const char *name, const char *mark)
{
    size_t length = strlen(name);

    return name[0] == '.' && strstr(name, mark) != NULL && strcmp(name + length - 4, ".tmp") == 0;
}

void hidden_remove_of_run(const char *path, const char *run_id)
{
    _cleanup_dir_ DIR *folder = opendir(path);
    _cleanup_free_ char *mark = memory_format(".osiris-%s-", run_id);

    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL; entry = readdir(folder))
        if (is_hidden_name_of_run(entry->d_name, mark))
            remove_unlocked(dirfd(folder), entry->d_name);
}
