/* Cleaning up after workers that were killed; see litter.h. */
#include "core/output/litter.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/output/hidden.h"
#include "core/base/read-to-end.h"
#include "core/base/remove-tree.h"

/* Entries, each followed by a NUL byte: "h<path>", a folder with hidden files, and "m<device>:<inode>:<path>", a folder that was created. */
#define LIST_NAME "litter"
#define LIST_MAXIMUM (16u << 20)

int litter_lock(const char *temp_dir)
{
    if (make_directories(temp_dir, 0755, NULL) < 0)
        return -1;
    _cleanup_close_ int fd = open(temp_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? steal_fd(&fd) : -1;
}

/* Noting. */

/* Writes `head`, then the current path of the descriptor. */
static void note(const char *temp_dir, const char *head, int folder)
{
    char self[64], target[PATH_MAX];

    snprintf(self, sizeof self, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(self, target, sizeof target - 1);
    if (length <= 0 || make_directories(temp_dir, 0755, NULL) < 0)
        return;
    target[length] = '\0';
    _cleanup_free_ char *path = memory_format("%s/" LIST_NAME, temp_dir), *entry = memory_format("%s%s", head, target);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Whatever the umask is by now. */
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return;
    off_t begin = lseek(fd, 0, SEEK_END);
    ssize_t size = (ssize_t)strlen(entry) + 1, written = write(fd, entry, (size_t)size);
    /* On a full disk, a truncated entry would become the start of the next one. */
    if (written > 0 && written < size && begin >= 0)
        (void)!ftruncate(fd, begin);
}

void litter_note_hidden(const char *temp_dir, int folder)
{
    note(temp_dir, "h", folder);
}

void litter_note_made(const char *temp_dir, int folder)
{
    struct stat status;
    char head[64];

    if (fstat(folder, &status) < 0)
        return;
    snprintf(head, sizeof head, "m%llu:%llu:", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    note(temp_dir, head, folder);
}

/* Removing. */

static int read_list(int worker, struct buffer *list)
{
    _cleanup_close_ int fd = openat(worker, LIST_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && read_to_end(fd, READ_NO_DEADLINE, list) == READ_WHOLE ? 0 : -1;
}

/* Only if it is still the same folder, not another one of that name. If somebody has put something there, it stays. */
static void remove_made(const char *entry)
{
    unsigned long long device, inode;
    int path = 0;
    struct stat status;

    if (sscanf(entry, "m%llu:%llu:%n", &device, &inode, &path) == 2 && path > 0 &&
        lstat(entry + path, &status) == 0 && status.st_dev == device && status.st_ino == inode && status.st_uid == geteuid())
        (void)rmdir(entry + path);
}

/* Files first, then the folders from the last to the first, because later ones may be inside earlier ones. */
static void clear_noted(const struct buffer *list, const char *run_id)
{
    const char *last = "";
    size_t end = list->length;

    /* The last one may be truncated. */
    while (end > 0 && list->data[end - 1] != '\0')
        end--;
    for (size_t at = 0; at < end; at += strlen(list->data + at) + 1) {
        const char *entry = list->data + at;
        if (entry[0] == 'h' && strcmp(entry, last) != 0)
            hidden_remove_of_run(entry + 1, run_id);
        if (entry[0] == 'h')
            last = entry;
    }
    while (end > 0) {
        size_t begin = end - 1;
        while (begin > 0 && list->data[begin - 1] != '\0')
            begin--;
        if (list->data[begin] == 'm')
            remove_made(list->data + begin);
        end = begin;
    }
}

/* False: its worker is still running. */
static bool clear_worker(int root, const char *name, const char *run_id, bool all_are_gone)
{
    _cleanup_buffer_ struct buffer list = BUFFER_INIT(LIST_MAXIMUM);
    _cleanup_close_ int worker = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (worker < 0)
        return true;
    if (!all_are_gone && flock(worker, LOCK_EX | LOCK_NB) < 0)
        return false;
    if (read_list(worker, &list) == 0)
        clear_noted(&list, run_id);
    return true;
}

static bool clear(const char *temp_root, const char *run_id, bool all_are_gone)
{
    _cleanup_close_ int fd = open(temp_root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_dir_ DIR *root = fd < 0 ? NULL : fdopendir(fd);
    bool is_clear = true;

    if (root != NULL)
        (void)steal_fd(&fd);

    for (struct dirent *entry = root == NULL ? NULL : readdir(root); entry != NULL; entry = readdir(root))
        if (entry->d_name[0] != '.' && !clear_worker(dirfd(root), entry->d_name, run_id, all_are_gone))
            is_clear = false;
    if (is_clear)
        remove_tree(temp_root);
    return is_clear;
}

void litter_remove(const char *temp_root, const char *run_id)
{
    (void)clear(temp_root, run_id, true);
}

bool litter_remove_dead(const char *temp_root, const char *run_id)
{
    return clear(temp_root, run_id, false);
}
