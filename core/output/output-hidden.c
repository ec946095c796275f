/*
 * Hidden names of outputs, ".<stem>.osiris-<run id>-<pid>-<n>.tmp", made, and removed where they are stale; see output.h.
 */
#include "core/output/output-hidden.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/base/memory.h"
#include "core/output/output-folders.h"
#include "core/output/output-state.h"

#define HIDDEN_NAMES 1000

/* Stale ones. */

/* Behind the stem that the text begins with, or with `any_number` one that differs from it in numbers only; else NULL. */
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

/* Whether a lock on a file there is known to all who could write to it. */
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

/* Whoever lives holds its lock, or the folder's. */
static void remove_unlocked(int folder, const char *name)
{
    struct stat status;
    _cleanup_close_ int fd =
        openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(folder, name, 0);
}

/* Removes what an earlier process left of the same target, and of others of its series: files whose lock nobody holds. It is a
 * run's first part that finds all the others: later ones find the folder locked by what was set aside. */
void output_remove_stale(const struct output *output)
{
    int copy = openat(output->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_dir_ DIR *folder = copy < 0 ? NULL : fdopendir(copy);

    if (folder == NULL) {
        cleanup_close_value(&copy);
        return;
    }
    /* Files that are set aside have no lock of their own: whoever has some here holds the folder's. */
    if (flock(copy, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return;
    bool series = has_locks_for_all(output->folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (is_hidden_name_of(entry->d_name, output->stem, series))
            remove_unlocked(output->folder, entry->d_name);
}

static bool is_hidden_name_of_run(const char *name, const char *mark)
{
    size_t length = strlen(name);

    return name[0] == '.' && strstr(name, mark) != NULL && strcmp(name + length - 4, ".tmp") == 0;
}

void output_remove_hidden(const char *path, const char *run_id)
{
    _cleanup_dir_ DIR *folder = opendir(path);
    _cleanup_free_ char *mark = memory_format(".osiris-%s-", run_id);

    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL; entry = readdir(folder))
        if (is_hidden_name_of_run(entry->d_name, mark))
            remove_unlocked(dirfd(folder), entry->d_name);
}

/* Making them. */

static void next_hidden_name(struct output *output, unsigned number)
{
    free(output->hidden);
    output->hidden = memory_format(".%s.osiris-%s-%d-%u.tmp", output->stem, output->run_id, (int)getpid(), number);
}

static int give_up_hidden(struct output *output)
{
    int reason = errno;

    free(output->hidden);
    output->hidden = NULL;
    errno = reason;
    return -1;
}

/* Between its making and its locking another process may have taken the file for stale and removed it.
 * Where a file system has no locks nobody does. */
static bool lock_hidden(int fd)
{
    struct stat status;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/* Tells who wants to know it of the folder. */
static void will_hide(const struct output *output)
{
    if (output->hides_in != NULL)
        output->hides_in(output->context, output->folder);
}

static int open_named(struct output *output, mode_t mode)
{
    will_hide(output);
    for (unsigned number = 0; number < HIDDEN_NAMES; number++) {
        next_hidden_name(output, number);
        output->fd = openat(output->folder, output->hidden,
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (output->fd >= 0 && lock_hidden(output->fd))
            return 0;
        if (output->fd < 0 && errno != EEXIST)
            break;
        cleanup_close_value(&output->fd);
        output->fd = -1;
        errno = EEXIST;
    }
    return give_up_hidden(output);
}

int output_open_temporary(struct output *output, mode_t mode, bool named)
{
    /* An unnamed file gets its name by way of /proc: without one it could never be published. */
    if (!named && access("/proc/self/fd", X_OK) == 0) {
        output->fd = openat(output->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
        if (output->fd >= 0)
            return 0;
        /* EISDIR: a kernel or filesystem that does not know O_TMPFILE. */
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
            return -1;
    }
    return open_named(output, mode);
}

/* Gives the unnamed file a hidden name. Without privileges that goes by way of /proc. */
static int link_unnamed(struct output *output)
{
    char self[64];

    will_hide(output);
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    (void)flock(output->fd, LOCK_EX | LOCK_NB);
    for (unsigned number = 0; number < HIDDEN_NAMES; number++) {
        next_hidden_name(output, number);
        if (linkat(AT_FDCWD, self, output->folder, output->hidden, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return give_up_hidden(output);
}

/* An unnamed file does not keep its folder: another output, which had made it, may have taken it back. */
static int restore_folder(struct output *output, struct osiris_error *error)
{
    cleanup_close_value(&output->folder);
    output->folder = -1;
    return output_open_folder(output, true, error);
}

int output_name_unnamed(struct output *output, struct osiris_error *error)
{
    if (link_unnamed(output) == 0)
        return 0;
    if (errno != ENOENT)
        return output_fail(output, error, errno, "publish");
    if (restore_folder(output, error) < 0)
        return -1;
    return link_unnamed(output) < 0 ? output_fail(output, error, errno, "publish") : 0;
}
