/*
 * fail-call: preloaded into a program (LD_PRELOAD), it lets one call of a kind fail, or counts how many there are.
 *
 *     OSIRIS_FAIL_CALL    its name: "open"; "*": of all of them it is counted how many calls there are
 *     OSIRIS_FAIL_AT      which one, from 1; 0: none, they are counted
 *     OSIRIS_FAIL_ERRNO   a number
 *     OSIRIS_FAIL_LASTS   set: all that follow fail, too
 *     OSIRIS_FAIL_STATE   a file that all processes share that have it preloaded (struct state)
 *
 * The name "space" is a disk with so many bytes as OSIRIS_FAIL_AT says: regular files take no more, and a last write what fits.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static const char *wanted;
static uint64_t at;
static int number;
static bool lasts;

#define NAMES 64
#define NAME_SIZE 24

static struct state {
    uint64_t count, failed; /* calls of the name; and of them */
    uint32_t lock, unused;
    struct {
        char name[NAME_SIZE];
        uint64_t count;
    } all[NAMES]; /* "*" */
} *state;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("OSIRIS_FAIL_STATE"), *which = getenv("OSIRIS_FAIL_AT"), *error = getenv("OSIRIS_FAIL_ERRNO");

    if (path == NULL || which == NULL || error == NULL)
        return;
    at = strtoull(which, NULL, 10);
    number = atoi(error);
    lasts = getenv("OSIRIS_FAIL_LASTS") != NULL;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    /* By the system call: this file's own mmap is one of those that fail. */
    void *memory = fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    if (memory == MAP_FAILED)
        _exit(99);
    state = memory;
    wanted = getenv("OSIRIS_FAIL_CALL");
}

static void count_call(const char *name)
{
    size_t i = 0;

    while (__atomic_exchange_n(&state->lock, 1, __ATOMIC_ACQUIRE) != 0)
        continue;
    while (i < NAMES - 1 && state->all[i].name[0] != '\0' && strcmp(state->all[i].name, name) != 0)
        i++;
    strncpy(state->all[i].name, name, NAME_SIZE - 1);
    state->all[i].count++;
    __atomic_store_n(&state->lock, 0, __ATOMIC_RELEASE);
}

/* Whether this one is to fail; with errno. */
static bool fails(const char *name)
{
    if (wanted != NULL && strcmp(wanted, "*") == 0)
        count_call(name);
    if (wanted == NULL || strcmp(wanted, name) != 0)
        return false;
    uint64_t count = __atomic_add_fetch(&state->count, 1, __ATOMIC_SEQ_CST);
    if (at == 0 || (lasts ? count < at : count != at))
        return false;
    __atomic_add_fetch(&state->failed, 1, __ATOMIC_SEQ_CST);
    errno = number;
    return true;
}

/* ISO C has no way from an object's pointer to a function's. */
#define NEXT(name, ...)                                                                            \
    __extension__({                                                                                \
        __typeof__(&name) next_;                                                                   \
        void *found_ = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&next_, &found_, sizeof next_);                                                     \
        next_(__VA_ARGS__);                                                                        \
    })

/* FAILS(type, failure, name, (parameters), (arguments)) */
#define FAILS(type, failure, name, parameters, ...)                                                \
    EXPORTED type name parameters                                                                  \
    {                                                                                              \
        return fails(#name) ? (type)(failure) : NEXT(name, __VA_ARGS__);                           \
    }

FAILS(DIR *, NULL, opendir, (const char *path), path)
FAILS(DIR *, NULL, fdopendir, (int fd), fd)
FAILS(ssize_t, -1, pread, (int fd, void *bytes, size_t size, off_t offset), fd, bytes, size, offset)
FAILS(ssize_t, -1, readlink, (const char *path, char *target, size_t size), path, target, size)
FAILS(int, -1, fsync, (int fd), fd)
FAILS(int, -1, rename, (const char *old, const char *new), old, new)
FAILS(int, -1, renameat, (int from, const char *old, int to, const char *new), from, old, to, new)
FAILS(int, -1, linkat, (int from, const char *old, int to, const char *new, int flags), from, old, to, new, flags)
FAILS(int, -1, symlink, (const char *target, const char *path), target, path)
FAILS(int, -1, unlink, (const char *path), path)
FAILS(int, -1, unlinkat, (int folder, const char *path, int flags), folder, path, flags)
FAILS(int, -1, rmdir, (const char *path), path)
FAILS(int, -1, mkdir, (const char *path, mode_t mode), path, mode)
FAILS(int, -1, mkostemp, (char *path, int flags), path, flags)
FAILS(int, -1, fchmod, (int fd, mode_t mode), fd, mode)
FAILS(int, -1, fstat, (int fd, struct stat *status), fd, status)
FAILS(int, -1, stat, (const char *path, struct stat *status), path, status)
FAILS(int, -1, lstat, (const char *path, struct stat *status), path, status)
FAILS(int, -1, fstatat, (int folder, const char *path, struct stat *status, int flags), folder, path, status, flags)
FAILS(int, -1, fstatfs, (int fd, struct statfs *status), fd, status)
FAILS(int, -1, ftruncate, (int fd, off_t size), fd, size)
FAILS(int, -1, fallocate, (int fd, int mode, off_t offset, off_t size), fd, mode, offset, size)
FAILS(off_t, -1, lseek, (int fd, off_t offset, int whence), fd, offset, whence)
FAILS(int, -1, flock, (int fd, int operation), fd, operation)
FAILS(int, -1, access, (const char *path, int mode), path, mode)
FAILS(int, -1, faccessat, (int folder, const char *path, int mode, int flags), folder, path, mode, flags)
FAILS(int, -1, pipe2, (int fds[2], int flags), fds, flags)
FAILS(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]), domain, type, protocol, fds)
FAILS(int, -1, eventfd, (unsigned value, int flags), value, flags)
FAILS(int, -1, signalfd, (int fd, const sigset_t *signals, int flags), fd, signals, flags)
FAILS(int, -1, memfd_create, (const char *name, unsigned flags), name, flags)
FAILS(int, -1, dup2, (int old, int new), old, new)
FAILS(pid_t, -1, fork, (void), )
FAILS(int, -1, execve, (const char *path, char *const arguments[], char *const environment[]), path, arguments, environment)
FAILS(void *, MAP_FAILED, mmap, (void *address, size_t size, int protection, int flags, int fd, off_t offset), address, size, protection, flags, fd, offset)
FAILS(int, -1, poll, (struct pollfd *fds, nfds_t count, int timeout), fds, count, timeout)
FAILS(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
FAILS(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
FAILS(ssize_t, -1, getrandom, (void *bytes, size_t size, unsigned flags), bytes, size, flags)

/* These give the number instead of setting errno. */
EXPORTED int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return fails("pthread_create") ? number : NEXT(pthread_create, thread, attributes, start, argument);
}

EXPORTED int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                         char *const arguments[], char *const environment[])
{
    return fails("posix_spawn") ? number : NEXT(posix_spawn, pid, path, actions, attributes, arguments, environment);
}

/* Those with arguments that may be missing. */
EXPORTED int open(const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails("open") ? -1 : NEXT(open, path, flags, mode);
}

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails("openat") ? -1 : NEXT(openat, folder, path, flags, mode);
}

EXPORTED int fcntl(int fd, int command, ...)
{
    va_list rest;

    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fails("fcntl") ? -1 : NEXT(fcntl, fd, command, argument);
}

/* Reading and writing, and the disk that is full. */

/* An eventfd and the like, of which these calls cannot fail. */
static bool is_of_the_kernel(int fd)
{
    struct stat status;

    return syscall(SYS_fstat, fd, &status) == 0 && (status.st_mode & S_IFMT) == 0;
}

EXPORTED ssize_t read(int fd, void *bytes, size_t size)
{
    return !is_of_the_kernel(fd) && fails("read") ? -1 : NEXT(read, fd, bytes, size);
}

/* How many of `size` bytes there is room for. */
static size_t room_for(int fd, size_t size)
{
    struct stat status;

    if (wanted == NULL || strcmp(wanted, "space") != 0 || syscall(SYS_fstat, fd, &status) != 0 || !S_ISREG(status.st_mode))
        return size;
    uint64_t end = __atomic_add_fetch(&state->count, size, __ATOMIC_SEQ_CST);
    if (at == 0 || end <= at)
        return size;
    __atomic_add_fetch(&state->failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOSPC;
    return end - size >= at ? 0 : (size_t)(at - (end - size));
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t size)
{
    size_t room = room_for(fd, size);

    if ((!is_of_the_kernel(fd) && fails("write")) || (room == 0 && size > 0))
        return -1;
    return NEXT(write, fd, bytes, room);
}

static ssize_t write_one_by_one(int fd, const struct iovec *pieces, int count)
{
    ssize_t sum = 0;

    for (int i = 0; i < count; i++) {
        ssize_t written = pieces[i].iov_len == 0 ? 0 : write(fd, pieces[i].iov_base, pieces[i].iov_len);
        if (written < 0)
            return sum > 0 ? sum : -1;
        sum += written;
        if ((size_t)written < pieces[i].iov_len)
            break;
    }
    return sum;
}

EXPORTED ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (fails("writev"))
        return -1;
    return wanted != NULL && strcmp(wanted, "space") == 0 ? write_one_by_one(fd, pieces, count) : NEXT(writev, fd, pieces, count);
}
