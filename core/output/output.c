/* Output files that appear whole or not at all; see output.h. */
#include "core/output/output-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/base/fingerprint.h"
#include "core/base/memory.h"

/* A name up to this long has room for ".osiris-<run id>-<pid>-<n>.tmp" within the usual 255 bytes. */
#define STEM_MAXIMUM 150
#define HIDDEN_NAMES 1000
#define WRITE_BACK_STEP ((int64_t)16 << 20)

int output_fail(struct output *output, struct osiris_error *error, int number, const char *what)
{
    return osiris_error_set_errno(error, number, "cannot %s \"%s\"", what, output->path);
}

/* Names. */

static char *hidden_stem(const char *name)
{
    char hex[FINGERPRINT_SIZE];

    if (strlen(name) <= STEM_MAXIMUM)
        return strdup(name);
    fingerprint(name, strlen(name), hex);
    return strdup(hex);
}

static int split_path(struct output *output, const char *target, struct osiris_error *error)
{
    const char *slash = strrchr(target, '/');

    output->name = strdup(slash == NULL ? target : slash + 1);
    output->stem = hidden_stem(output->name);
    if (slash == NULL)
        output->folder_path = strdup(".");
    else
        output->folder_path = slash == target ? strdup("/")
                                              : strndup(target, (size_t)(slash - target));
    if (output->name[0] == '\0' || strcmp(output->name, ".") == 0 ||
        strcmp(output->name, "..") == 0)
        return output_fail(output, error, EISDIR, "write");
    return 0;
}

/* Hidden names: ".<stem>.osiris-<run id>-<pid>-<n>.tmp" */

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
static void remove_stale(const struct output *output)
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

static int open_temporary(struct output *output, mode_t mode, bool named)
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

/* The target. */

/* What a symbolic link points to, or the path itself; NULL with errno. The end of the way need not exist. */
static char *follow_links(int origin, const char *path)
{
    char *current = strdup(path);

    for (int hops = 0; hops < 40; hops++) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(origin, current, target, sizeof target - 1);
        if (length < 0)
            return current;
        target[length] = '\0';
        char *slash = strrchr(current, '/');
        char *next = target[0] == '/' || slash == NULL
                         ? strdup(target)
                         : memory_format("%.*s/%s", (int)(slash - current), current, target);
        free(current);
        current = next;
    }
    free(current);
    errno = ELOOP;
    return NULL;
}

/* Judges what is there already. Its mode is kept. */
static int check_target(struct output *output, const char *target, mode_t *mode, bool *keep,
                        struct osiris_error *error)
{
    struct stat status;

    *keep = false;
    if (fstatat(output->origin.folder, target, &status, 0) < 0)
        return 0;
    if (S_ISDIR(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "cannot write \"%s\": it is a directory",
                                output->path);
    if (S_ISCHR(status.st_mode)) {
        output->device = true;
        return 0;
    }
    if (!S_ISREG(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "cannot write \"%s\": it is not a regular file", output->path);
    /* A rename would not ask whether the file is write-protected. */
    if (faccessat(output->origin.folder, target, W_OK, AT_EACCESS) < 0)
        return output_fail(output, error, errno, "replace");
    *mode = status.st_mode & 0777;
    *keep = true;
    return 0;
}

static int open_in_folder(struct output *output, const char *target,
                          const struct output_options *options, struct osiris_error *error)
{
    mode_t mode = 0666;
    bool keep;

    if (check_target(output, target, &mode, &keep, error) < 0)
        return -1;
    if (output->device) {
        output->fd = openat(output->origin.folder, target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return output->fd < 0 ? output_fail(output, error, errno, "write") : 0;
    }
    if (split_path(output, target, error) < 0 ||
        output_open_folder(output, options->create_directories, error) < 0)
        return -1;
    struct stat status;
    if (fstatat(output->folder, output->name, &status, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno == ENAMETOOLONG)
        return output_fail(output, error, errno, "write");
    if (options->mode != 0)
        mode = options->mode & 0777;
    remove_stale(output);
    if (open_temporary(output, mode, options->named) < 0)
        return output_fail(output, error, errno, "write");
    /* The umask does not apply to a mode that was there before or is asked for. */
    if (!keep && options->mode == 0)
        output_mask_file(output, mode);
    else if (fchmod(output->fd, mode) < 0)
        return output_fail(output, error, errno, "set the mode of");
    return options->append ? output_copy_original(output, error) : 0;
}

int output_open(const struct output_options *options, struct output **out,
                struct osiris_error *error)
{
    struct output *output = calloc(1, sizeof *output);

    output->fd = output->folder = -1;
    output->no_sync = options->no_sync;
    output->append = options->append;
    output->masks = options->origin != NULL;
    output->origin = output->masks ? *options->origin : (struct output_origin){.folder = AT_FDCWD};
    output->hides_in = options->hides_in;
    output->tell_made = options->made;
    output->context = options->context;
    output->path = strdup(options->path);
    output->run_id = strdup(options->run_id == NULL ? "" : options->run_id);
    if (options->path[0] == '\0') {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the output's path is empty");
    } else {
        _cleanup_free_ char *target = follow_links(output->origin.folder, options->path);
        if (target == NULL) {
            output_fail(output, error, errno, "write");
        } else if (open_in_folder(output, target, options, error) == 0) {
            *out = output;
            return 0;
        }
    }
    output_close(output);
    return -1;
}

int output_open_stream(const char *path, int fd, struct output **out, struct osiris_error *error)
{
    struct output *output = calloc(1, sizeof *output);

    output->device = output->stream = true;
    output->folder = -1;
    output->path = strdup(path);
    output->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (output->fd < 0) {
        osiris_error_set_errno(error, errno, "cannot write \"%s\"", path);
        output_close(output);
        return -1;
    }
    *out = output;
    return 0;
}

bool output_is_stream(const struct output *output)
{
    return output->stream;
}

bool output_is_published(const struct output *output)
{
    return output->published;
}

int output_identity(const struct output *output, char hex[FINGERPRINT_SIZE], struct osiris_error *error)
{
    struct stat folder;

    if (output->device)
        return 1;
    if (fstat(output->folder, &folder) < 0)
        return osiris_error_set_errno(error, errno, "cannot write \"%s\"", output->path);
    _cleanup_free_ char *text = memory_format("%llu:%llu/%s", (unsigned long long)folder.st_dev,
                                              (unsigned long long)folder.st_ino, output->name);
    fingerprint(text, strlen(text), hex);
    return 0;
}

int output_fd(const struct output *output)
{
    return output->fd;
}

const char *output_path(const struct output *output)
{
    return output->path;
}

int64_t output_size(const struct output *output)
{
    struct stat status;

    if (output->stream)
        return -1;
    if (output->aside)
        return output->final_size;
    return fstat(output->fd, &status) < 0 ? -1 : (int64_t)status.st_size;
}

int64_t output_initial_size(const struct output *output)
{
    return output->initial_size;
}

/* Left to itself, the system would keep most of a file until the fsync, whose wait nothing overlaps with. */
void output_write_back(struct output *output)
{
    if (output->device || output->no_sync || output->aside)
        return;
    const int64_t size = output_size(output);
    if (size - output->written_back < WRITE_BACK_STEP)
        return;
    /* It is only a hint: what is wrong with the disk, fsync will say. */
    (void)sync_file_range(output->fd, output->written_back, size - output->written_back,
                          SYNC_FILE_RANGE_WRITE);
    output->written_back = size;
}

int output_finish(struct output *output, struct osiris_error *error)
{
    if (output->aside)
        return 0;
    if (output_check_original(output, error) < 0)
        return -1;
    if (!output->device && !output->no_sync && fsync(output->fd) < 0)
        return output_fail(output, error, errno, "write");
    output->finished = true;
    return 0;
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

void output_close(struct output *output)
{
    if (output == NULL)
        return;
    if (output->hidden != NULL)
        (void)unlinkat(output->folder, output->hidden, 0);
    cleanup_close_value(&output->fd);
    if (!output->aside)
        cleanup_close_value(&output->folder);
    if (!output->published)
        output_remove_made_folders(output);
    while (output->made_count > 0)
        free(output->made[--output->made_count]);
    free(output->made);
    free(output->path);
    free(output->name);
    free(output->stem);
    free(output->hidden);
    free(output->run_id);
    free(output->folder_path);
    free(output);
}
