/* A worker's private folder; see folder.h. */
#include "worker/relay/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"

#define LOCK_MS 10000 /* whoever has the lock needs a few milliseconds, or up to 7 s if a keeper was killed */
#define BACKLOG 64

static void pause_shortly(void)
{
    (void)nanosleep(&(const struct timespec){.tv_nsec = 2000000}, NULL);
}

static int check_private(const struct folder *folder, struct osiris_error *error)
{
    struct stat found;

    if (fstat(folder->fd, &found) < 0)
        return osiris_error_set_errno(error, errno, "cannot look at the folder \"%s\"", folder->path);
    if (found.st_uid != geteuid())
        return osiris_error_set(error, OSIRIS_ERROR_PERMISSION, "the folder \"%s\" belongs to another user", folder->path);
    if ((found.st_mode & 077) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_PERMISSION,
                                "others may use the folder \"%s\" (mode %03o); it must have mode 700", folder->path,
                                (unsigned)(found.st_mode & 0777));
    return 0;
}

int folder_open(struct folder *folder, const char *path, struct osiris_error *error)
{
    *folder = (struct folder)FOLDER_INIT;
    folder->path = path;
    if (path[0] != '/')
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the folder \"%s\" is not an absolute path", path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->fd < 0 && errno == ENOENT)
        return FOLDER_NONE;
    if (folder->fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return osiris_error_set(error, OSIRIS_ERROR_PERMISSION, "\"%s\" is a link or not a folder", path);
    if (folder->fd < 0)
        return osiris_error_set_errno(error, errno, "cannot open the folder \"%s\"", path);
    if (check_private(folder, error) == 0)
        return FOLDER_OPEN;
    folder_close(folder);
    return FOLDER_FAILED;
}

void folder_unlock(struct folder *folder)
{
    if (folder->start_lock >= 0)
        (void)flock(folder->start_lock, LOCK_UN);
    cleanup_close_value(&folder->start_lock);
    folder->start_lock = -1;
}

/* A copy of the lock's descriptor in another process continues to hold it. */
void folder_close(struct folder *folder)
{
    cleanup_close_value(&folder->start_lock);
    cleanup_close_value(&folder->fd);
    folder->start_lock = folder->fd = -1;
}

static bool has_lock_file(const struct folder *folder)
{
    return faccessat(folder->fd, FOLDER_START_LOCK, F_OK, 0) == 0;
}

static bool is_empty(const struct folder *folder)
{
    int copy = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_dir_ DIR *entries = copy < 0 ? NULL : fdopendir(copy);

    if (entries == NULL) {
        cleanup_close_value(&copy);
        return false;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    return true;
}

/* Somebody else's files must not be taken for ours, because everything here is removed in the end. */
static int open_lock_file(struct folder *folder, bool create, struct osiris_error *error)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;

    if (create && !has_lock_file(folder) && !is_empty(folder) && !has_lock_file(folder))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "the folder \"%s\" has other files in it; name one that is new or empty", folder->path);
    folder->start_lock = openat(folder->fd, FOLDER_START_LOCK, create ? flags | O_CREAT : flags, 0600);
    if (folder->start_lock >= 0)
        return FOLDER_OPEN;
    /* It is being removed, or is none of ours. */
    if (errno == ENOENT)
        return FOLDER_NONE;
    return osiris_error_set_errno(error, errno, "cannot lock the folder \"%s\"", folder->path);
}

static int wait_for_lock(int fd, int how, int64_t deadline_ms)
{
    while (flock(fd, how | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -1;
        if (clock_monotonic_ms() >= deadline_ms) {
            errno = ETIMEDOUT;
            return -1;
        }
        pause_shortly();
    }
    return 0;
}

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* The one who had the lock may have removed the folder, and another one may be there. */
static bool is_still_there(const struct folder *folder)
{
    struct stat opened, named;

    if (fstat(folder->fd, &opened) < 0 || lstat(folder->path, &named) < 0 || !is_same(&opened, &named))
        return false;
    return fstat(folder->start_lock, &opened) == 0 &&
           fstatat(folder->fd, FOLDER_START_LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&opened, &named);
}

bool folder_is_same(const struct folder *one, const struct folder *other)
{
    struct stat first, second;

    return fstat(one->fd, &first) == 0 && fstat(other->fd, &second) == 0 && is_same(&first, &second);
}

static int create_folder(const char *path, struct osiris_error *error)
{
    const char *name = strrchr(path, '/');

    if (name != NULL && name != path) {
        _cleanup_free_ char *parent = strndup(path, (size_t)(name - path));
        if (make_directories(parent, 0700, error) < 0)
            return -1;
    }
    /* The umask may take more away than it should. */
    if (mkdir(path, 0700) == 0)
        return chmod(path, 0700) == 0 ? 0 : osiris_error_set_errno(error, errno, "cannot change the folder \"%s\"", path);
    return errno == EEXIST ? 0 : osiris_error_set_errno(error, errno, "cannot create the folder \"%s\"", path);
}

/* FOLDER_NONE: not there, or no more. */
static int try_to_lock(struct folder *folder, const char *path, bool create, int64_t deadline_ms, struct osiris_error *error)
{
    if (create && path[0] == '/' && create_folder(path, error) < 0)
        return FOLDER_FAILED;
    int result = folder_open(folder, path, error);
    if (result == FOLDER_OPEN)
        result = open_lock_file(folder, create, error);
    if (result == FOLDER_OPEN && wait_for_lock(folder->start_lock, LOCK_EX, deadline_ms) < 0)
        result = osiris_error_set_errno(error, errno, "the folder \"%s\" is locked by another process", path);
    if (result == FOLDER_OPEN && !is_still_there(folder))
        result = FOLDER_NONE;
    if (result != FOLDER_OPEN)
        folder_close(folder);
    return result;
}

int folder_lock(struct folder *folder, const char *path, bool create, struct osiris_error *error)
{
    const int64_t deadline_ms = clock_monotonic_ms() + LOCK_MS;
    int result;

    *folder = (struct folder)FOLDER_INIT;
    do {
        result = try_to_lock(folder, path, create, deadline_ms, error);
    } while (create && result == FOLDER_NONE && clock_monotonic_ms() < deadline_ms);
    if (create && result == FOLDER_NONE)
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "the folder \"%s\" is removed again and again", path);
    return result;
}

int folder_lock_worker(const struct folder *folder, struct osiris_error *error)
{
    int fd = openat(folder->fd, FOLDER_WORKER_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    /* Somebody who only asks (folder_is_alive) may have it for a moment. */
    if (fd >= 0 && wait_for_lock(fd, LOCK_EX, clock_monotonic_ms() + LOCK_MS) == 0)
        return fd;
    osiris_error_set_errno(error, errno, "cannot lock the folder \"%s\"", folder->path);
    cleanup_close_value(&fd);
    return -1;
}

bool folder_is_alive(const struct folder *folder)
{
    _cleanup_close_ int fd = openat(folder->fd, FOLDER_WORKER_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int folder_read_pid(const struct folder *folder)
{
    char text[32] = "";
    _cleanup_close_ int fd = openat(folder->fd, "pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long pid = length <= 0 ? 0 : strtol(text, NULL, 10);

    return pid > 1 && pid <= INT32_MAX ? (int)pid : 0;
}

int folder_write_pid(const struct folder *folder, int pid, struct osiris_error *error)
{
    char text[32];
    const int length = snprintf(text, sizeof text, "%d\n", pid);
    _cleanup_close_ int fd = openat(folder->fd, "pid.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || write_fully(fd, text, (size_t)length) < 0 || renameat(folder->fd, "pid.new", folder->fd, "pid") < 0)
        return osiris_error_set_errno(error, errno, "cannot write into the folder \"%s\"", folder->path);
    return 0;
}

static int new_socket(const struct folder *folder, const char *name, struct sockaddr_un *address)
{
    if (fchdir(folder->fd) < 0)
        return -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(address->sun_path, name);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int folder_listen(const struct folder *folder, const char *name)
{
    struct sockaddr_un address;
    int fd = new_socket(folder, name, &address);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    cleanup_close_value(&fd);
    return -1;
}

int folder_connect(const struct folder *folder, const char *name)
{
    const int64_t deadline_ms = clock_monotonic_ms() + LOCK_MS;
    struct sockaddr_un address;
    int fd = new_socket(folder, name, &address);

    while (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        /* EAGAIN: too many others wait to be accepted. */
        if ((errno == EAGAIN || errno == EINTR) && clock_monotonic_ms() < deadline_ms) {
            pause_shortly();
            continue;
        }
        cleanup_close_value(&fd);
        return -1;
    }
    return fd;
}

bool folder_has_keeper(const struct folder *folder)
{
    int fd = folder_connect(folder, FOLDER_KEEPER);

    cleanup_close_value(&fd);
    return fd >= 0;
}

void folder_clear(const struct folder *folder)
{
    _cleanup_json_ json_object *kept = json_object_new_object();

    json_add(kept, FOLDER_START_LOCK, NULL);
    remove_new_entries(folder->path, kept);
}

/* The lock goes last: without it nobody would take what remains for a worker's folder. */
void folder_remove(const struct folder *folder)
{
    if (!is_still_there(folder))
        return;
    folder_clear(folder);
    (void)unlinkat(folder->fd, FOLDER_START_LOCK, 0);
    (void)rmdir(folder->path);
}
