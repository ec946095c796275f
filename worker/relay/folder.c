/* The private folder of a detached worker; see folder.h. */
#include "worker/relay/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/base/atomic-file.h"

#define BACKLOG 16
#define CONNECT_S 10 /* while the worker's backlog is full */

static int check(const struct relay_folder *folder, struct osiris_error *error)
{
    struct stat status;

    if (fstat(folder->fd, &status) < 0)
        return osiris_error_set_errno(error, errno, "cannot use the folder \"%s\"", folder->path);
    if (status.st_uid != geteuid())
        return osiris_error_set(error, OSIRIS_ERROR_PERMISSION, "the folder \"%s\" belongs to another user", folder->path);
    if ((status.st_mode & 077) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_PERMISSION, "the folder \"%s\" is open to other users (mode %04o, not 0700)",
                                folder->path, (unsigned)(status.st_mode & 07777));
    return 0;
}

int relay_folder_open(struct relay_folder *folder, const char *path, bool create, struct osiris_error *error)
{
    folder->path = path;
    if (path[0] != '/')
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the folder \"%s\" must have an absolute path", path);
    if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
        return osiris_error_set_errno(error, errno, "cannot create the folder \"%s\"", path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->fd < 0)
        return osiris_error_set_errno(error, errno, "cannot use the folder \"%s\"", path);
    return check(folder, error);
}

void relay_folder_close(struct relay_folder *folder)
{
    cleanup_close_value(&folder->fd);
    cleanup_close_value(&folder->lock);
    folder->fd = folder->lock = -1;
}

/* Its last keeper may have removed the folder between our opening it and locking it. */
static bool is_still_there(const struct relay_folder *folder, int lock)
{
    struct stat held, named;

    return fstat(lock, &held) == 0 && fstatat(folder->fd, "lock", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* Of open file descriptions: they pass to children, and can be asked for without being taken. */
static int lock_file(int fd, int command, struct flock *lock)
{
    *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, command, lock);
}

int relay_folder_lock(struct relay_folder *folder, struct osiris_error *error)
{
    _cleanup_close_ int fd = openat(folder->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct flock lock;

    if (fd >= 0 && lock_file(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES))
        return 0;
    if (fd < 0 || lock_file(fd, F_OFD_SETLK, &lock) < 0)
        return osiris_error_set_errno(error, errno, "cannot lock the folder \"%s\"", folder->path);
    if (!is_still_there(folder, fd))
        return osiris_error_set_errno(error, ENOENT, "the folder \"%s\" was removed", folder->path);
    folder->lock = steal_fd(&fd);
    return 1;
}

void relay_folder_unlock(struct relay_folder *folder)
{
    cleanup_close_value(&folder->lock);
    folder->lock = -1;
}

bool relay_folder_is_locked(const struct relay_folder *folder)
{
    _cleanup_close_ int fd = openat(folder->fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct flock lock;

    return fd >= 0 && lock_file(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool relay_folder_has(const struct relay_folder *folder, const char *name)
{
    return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void relay_folder_mark(const struct relay_folder *folder, const char *name)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    cleanup_close_value(&fd);
}

/* Small files: they appear whole. */

static int write_small(const struct relay_folder *folder, const char *name, const char *text, struct osiris_error *error)
{
    char temporary[32];

    snprintf(temporary, sizeof temporary, "%s.new", name);
    _cleanup_close_ int fd = openat(folder->fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_fully(fd, text, strlen(text)) < 0 || renameat(folder->fd, temporary, folder->fd, name) < 0)
        return osiris_error_set_errno(error, errno, "cannot write \"%s/%s\"", folder->path, name);
    return 0;
}

static bool read_small(const struct relay_folder *folder, const char *name, char text[64])
{
    _cleanup_close_ int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, 63);

    text[got < 0 ? 0 : got] = '\0';
    return got > 0;
}

int relay_folder_write_pids(const struct relay_folder *folder, pid_t keeper, pid_t worker, struct osiris_error *error)
{
    char text[64];

    snprintf(text, sizeof text, "%d %d\n", (int)keeper, (int)worker);
    return write_small(folder, "pid", text, error);
}

bool relay_folder_read_pids(const struct relay_folder *folder, pid_t *keeper, pid_t *worker)
{
    char text[64];
    int first, second;

    if (!read_small(folder, "pid", text) || sscanf(text, "%d %d", &first, &second) != 2 || first <= 1 || second <= 1)
        return false;
    *keeper = first;
    *worker = second;
    return true;
}

int relay_folder_write_status(const struct relay_folder *folder, int status, struct osiris_error *error)
{
    char text[64];

    snprintf(text, sizeof text, "%s %d\n", WIFSIGNALED(status) ? "signalled" : "exited",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return write_small(folder, "status", text, error);
}

bool relay_folder_read_status(const struct relay_folder *folder, bool *signalled, int *code)
{
    char text[64], word[16];

    if (!read_small(folder, "status", text) || sscanf(text, "%15s %d", word, code) != 2)
        return false;
    *signalled = strcmp(word, "signalled") == 0;
    return *signalled || strcmp(word, "exited") == 0;
}

/* The socket. */

static int make_socket(const struct relay_folder *folder, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(address->sun_path, "socket");
    if (fd >= 0 && fchdir(folder->fd) == 0)
        return fd;
    cleanup_close_value(&fd);
    return -1;
}

int relay_folder_listen(const struct relay_folder *folder)
{
    struct sockaddr_un address;
    _cleanup_close_ int fd = make_socket(folder, &address);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return -1;
    return steal_fd(&fd);
}

int relay_folder_connect(const struct relay_folder *folder)
{
    struct sockaddr_un address;
    const struct timeval limit = {.tv_sec = CONNECT_S};
    _cleanup_close_ int fd = make_socket(folder, &address);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    return steal_fd(&fd);
}
