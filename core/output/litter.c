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
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/output/hidden.h"
#include "core/base/read-to-end.h"
#include "core/base/remove-tree.h"

/* Entries, each followed by a NUL byte: "h<path>", a folder with hidden files; "m<device>:<inode>:<path>", a folder that was created;
 * "k<device>:<inode>:<path>", one of these that is not removed. */
#define LIST_NAME "litter"
#define LIST_MAXIMUM (16u << 20)
/* A worker's folder once it has ended and left its list: "left-<run id>-<name>". */
#define LEFT "left-"

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

static void note_folder(const char *temp_dir, char kind, int folder)
{
    struct stat status;
    char head[64];

    if (fstat(folder, &status) < 0)
        return;
    snprintf(head, sizeof head, "%c%llu:%llu:", kind, (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    note(temp_dir, head, folder);
}

void litter_note_made(const char *temp_dir, int folder)
{
    note_folder(temp_dir, 'm', folder);
}

void litter_note_kept(const char *temp_dir, int folder)
{
    note_folder(temp_dir, 'k', folder);
}

/* Removing. */

static int read_list(int worker, struct buffer *list)
{
    _cleanup_close_ int fd = openat(worker, LIST_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && read_to_end(fd, READ_NO_DEADLINE, list) == READ_WHOLE ? 0 : -1;
}

/* Created folders, of any number of lists. */
struct made {
    const char **entries; /* "m…" and "k…", of the lists */
    size_t count;
};

static void made_clear(struct made *made)
{
    free(made->entries);
}

/* The entries of a list, from its `at`, which begins with 0; NULL at its end. The last one may be truncated. */
static const char *next_entry(const struct buffer *list, size_t *at)
{
    const char *entry = list->data == NULL ? NULL : list->data + *at;
    const char *end = entry == NULL ? NULL : memchr(entry, '\0', list->length - *at);

    if (end == NULL)
        return NULL;
    *at += (size_t)(end - entry) + 1;
    return entry;
}

static void collect_made(const struct buffer *list, struct made *made)
{
    size_t at = 0, count = 0;

    for (const char *entry = next_entry(list, &at); entry != NULL; entry = next_entry(list, &at))
        count += entry[0] == 'm' || entry[0] == 'k';
    const char **grown = reallocarray(made->entries, made->count + count + 1, sizeof *grown);
    if (grown == NULL)
        return;
    made->entries = grown;
    at = 0;
    for (const char *entry = next_entry(list, &at); entry != NULL; entry = next_entry(list, &at))
        if (entry[0] == 'm' || entry[0] == 'k')
            made->entries[made->count++] = entry;
}

/* The paths are absolute, so a folder's is shorter than those of the folders in it. "k…" comes before "m…" of the same folder. */
static int compare_made(const void *a, const void *b)
{
    const char *one = *(const char *const *)a, *other = *(const char *const *)b;
    size_t length = strlen(one), others = strlen(other);
    int order;

    if (length != others)
        return length > others ? -1 : 1;
    order = strcmp(one + 1, other + 1);
    return order != 0 ? order : (one[0] > other[0]) - (one[0] < other[0]);
}

/* Only if it is still the same folder, not another one of that name. If somebody has put something there, it stays: true. */
static bool remains_after_removal(const char *entry)
{
    unsigned long long device, inode;
    int path = 0;
    struct stat status;

    return sscanf(entry + 1, "%llu:%llu:%n", &device, &inode, &path) == 2 && path > 0 &&
           lstat(entry + 1 + path, &status) == 0 && status.st_dev == device && status.st_ino == inode &&
           status.st_uid == geteuid() && rmdir(entry + 1 + path) < 0;
}

/* Removes those that are empty. How many remain. */
static size_t remove_made(struct made *made)
{
    const char *kept = NULL;
    size_t remaining = 0;

    if (made->count > 0)
        qsort(made->entries, made->count, sizeof *made->entries, compare_made);
    for (size_t i = 0; i < made->count; i++) {
        const char *entry = made->entries[i];
        if (entry[0] == 'k')
            kept = entry;
        else if (kept == NULL || strcmp(kept + 1, entry + 1) != 0)
            remaining += remains_after_removal(entry);
    }
    return remaining;
}

static void remove_hidden(const struct buffer *list, const char *run_id)
{
    const char *last = "";
    size_t at = 0;

    for (const char *entry = next_entry(list, &at); entry != NULL; entry = next_entry(list, &at)) {
        if (entry[0] == 'h' && strcmp(entry, last) != 0)
            hidden_remove_of_run(entry + 1, run_id);
        if (entry[0] == 'h')
            last = entry;
    }
}

/* The lists of several workers. Folders of one may be in folders of another, so they are removed together. */
struct lists {
    struct buffer *buffers;
    size_t count;
};

static void lists_clear(struct lists *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        buffer_clear(&lists->buffers[i]);
    free(lists->buffers);
}

#define _cleanup_made_ _cleanup_(made_clear)
#define _cleanup_lists_ _cleanup_(lists_clear)

static void add_list(struct lists *lists, int worker)
{
    struct buffer *grown = reallocarray(lists->buffers, lists->count + 1, sizeof *grown);

    if (grown == NULL)
        return;
    lists->buffers = grown;
    struct buffer *list = &lists->buffers[lists->count];
    buffer_init(list, LIST_MAXIMUM);
    if (read_list(worker, list) == 0)
        lists->count++;
    else
        buffer_clear(list);
}

static size_t remove_made_of(const struct lists *lists)
{
    _cleanup_made_ struct made made = {0};

    for (size_t i = 0; i < lists->count; i++)
        collect_made(&lists->buffers[i], &made);
    return remove_made(&made);
}

static int open_worker(int root, const char *name)
{
    return openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The end of a worker. */

static DIR *open_root(const char *temp_root)
{
    int fd = open(temp_root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *root = fd < 0 ? NULL : fdopendir(fd);

    if (root == NULL)
        cleanup_close_value(&fd);
    return root;
}

/* If this worker is the last one: removes the folders that those before it have left, and their lists. */
static void clear_left(const char *temp_root, const char *run_id)
{
    _cleanup_dir_ DIR *root = open_root(temp_root);
    _cleanup_lists_ struct lists lists = {0};
    _cleanup_free_ char *left = memory_format(LEFT "%s-", run_id);
    _cleanup_json_ json_object *names = json_object_new_object();

    for (struct dirent *entry = root == NULL ? NULL : readdir(root); entry != NULL; entry = readdir(root)) {
        if (clock_is_ulid(entry->d_name))
            return;
        if (strncmp(entry->d_name, left, strlen(left)) == 0 && clock_is_ulid(entry->d_name + strlen(left)))
            json_add(names, entry->d_name, NULL);
    }
    json_object_object_foreach(names, name, unused)
    {
        (void)unused;
        _cleanup_close_ int worker = open_worker(dirfd(root), name);
        if (worker >= 0)
            add_list(&lists, worker);
    }
    (void)remove_made_of(&lists);
    json_object_object_foreach(names, each, none)
    {
        (void)none;
        _cleanup_free_ char *path = memory_format("%s/%s", temp_root, each);
        remove_tree(path);
    }
}

void litter_end(const char *temp_root, const char *temp_dir, const char *run_id)
{
    _cleanup_close_ int worker = open_worker(AT_FDCWD, temp_dir);
    _cleanup_lists_ struct lists lists = {0};
    const char *slash = strrchr(temp_dir, '/');
    _cleanup_free_ char *left = memory_format("%s/" LEFT "%s-%s", temp_root, run_id, slash == NULL ? temp_dir : slash + 1);

    if (worker >= 0)
        add_list(&lists, worker);
    size_t remaining = remove_made_of(&lists);
    if (remaining > 0)
        litter_leave(temp_dir);
    /* Before it looks for others, so that of two that end at the same time one sees the lists of both. */
    if (remaining == 0 || rename(temp_dir, left) < 0)
        remove_tree(temp_dir);
    clear_left(temp_root, run_id);
}

void litter_leave(const char *temp_dir)
{
    _cleanup_json_ json_object *kept = json_object_new_object();

    json_add(kept, LIST_NAME, NULL);
    remove_new_entries(temp_dir, kept);
    (void)rmdir(temp_dir); /* if there is no list */
}

/* For osiris. */

/* False: its worker is still running. */
static bool take_list(int root, const char *name, bool all_are_gone, struct lists *lists)
{
    _cleanup_close_ int worker = open_worker(root, name);

    if (worker < 0)
        return true;
    if (!all_are_gone && flock(worker, LOCK_EX | LOCK_NB) < 0)
        return false;
    add_list(lists, worker);
    return true;
}

/* Files first, then the folders. */
static bool clear(const char *temp_root, const char *run_id, bool all_are_gone)
{
    _cleanup_dir_ DIR *root = open_root(temp_root);
    _cleanup_lists_ struct lists lists = {0};
    bool is_clear = true;

    for (struct dirent *entry = root == NULL ? NULL : readdir(root); entry != NULL; entry = readdir(root))
        if (entry->d_name[0] != '.' && !take_list(dirfd(root), entry->d_name, all_are_gone, &lists))
            is_clear = false;
    for (size_t i = 0; i < lists.count; i++)
        remove_hidden(&lists.buffers[i], run_id);
    (void)remove_made_of(&lists);
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
