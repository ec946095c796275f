/* Small files that are replaced atomically; see atomic-file.h. */
#include "core/base/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"

/* Writes as much as possible; if it is less than `length`, errno is set. */
static size_t write_what_fits(int fd, const char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t written = write(fd, bytes + done, length - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = EIO;
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    return done;
}

int write_fully(int fd, const void *bytes, size_t length)
{
    return write_what_fits(fd, bytes, length) == length ? 0 : -1;
}

int append_lines(int fd, const char *lines, size_t length)
{
    off_t begin = lseek(fd, 0, SEEK_END);
    size_t written = write_what_fits(fd, lines, length);

    if (written == length)
        return 0;
    int reason = errno;
    const char *last = memrchr(lines, '\n', written);
    size_t whole = last == NULL ? 0 : (size_t)(last - lines) + 1;
    if (begin >= 0 && whole < written)
        (void)!ftruncate(fd, begin + (off_t)whole);
    errno = reason;
    return -1;
}

void cut_to_whole_lines(int fd)
{
    char block[4096];
    const off_t whole = lseek(fd, 0, SEEK_END);
    off_t end = whole;

    while (end > 0) {
        off_t begin = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        ssize_t got = pread(fd, block, (size_t)(end - begin), begin);
        if (got != (ssize_t)(end - begin))
            return;
        const char *last = memrchr(block, '\n', (size_t)got);
        end = last == NULL ? begin : begin + (last - block) + 1;
        if (last != NULL)
            break;
    }
    if (end < whole)
        (void)!ftruncate(fd, end);
}

/* Checks that the descriptor is of the file with this name and that nobody else writes to it. EWOULDBLOCK: somebody
 * else does, or did. */
static bool is_ours(int fd, const char *name)
{
    struct stat open_one, named;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &open_one) < 0 || lstat(name, &named) < 0)
        return false;
    errno = EWOULDBLOCK;
    return open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino && open_one.st_nlink == 1 &&
           S_ISREG(open_one.st_mode) && open_one.st_uid == geteuid();
}

/* The temporary file is "<path>.tmp", so that the next process reuses what a killed one has left; or, if somebody is using
 * that, a unique name. `name` has room for either. */
static int open_temporary(const char *path, char *name)
{
    sprintf(name, "%s.tmp", path);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool made = fd >= 0;
    if (!made && errno == EEXIST)
        fd = open(name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && is_ours(fd, name))
        return fd;
    /* Without locks it is assumed to be unused. */
    if (made && errno != EWOULDBLOCK && errno != ENOENT)
        (void)unlink(name);
    cleanup_close_value(&fd);
    sprintf(name, "%s.XXXXXX", path);
    return mkostemp(name, O_CLOEXEC);
}

int atomic_file_write(const char *path, const void *bytes, size_t length, mode_t mode,
                      struct osiris_error *error)
{
    _cleanup_free_ char *temporary = malloc(strlen(path) + sizeof ".XXXXXX");
    _cleanup_close_ int fd = open_temporary(path, temporary), locked = -1;

    if (fd < 0)
        return osiris_error_set_errno(error, errno, "cannot write \"%s\"", path);
    /* Some file systems report errors only at close, but the lock must be kept until the name has gone. */
    locked = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (locked < 0 || ftruncate(fd, 0) < 0 || fchmod(fd, mode) < 0 || write_fully(fd, bytes, length) < 0 ||
        close(steal_fd(&fd)) < 0 || rename(temporary, path) < 0) {
        int reason = errno;
        (void)unlink(temporary);
        return osiris_error_set_errno(error, reason, "cannot write \"%s\"", path);
    }
    return 0;
}

bool atomic_file_holds(const char *path, const void *bytes, size_t length)
{
    size_t found;
    _cleanup_free_ char *there = read_whole_file(path, length, &found, NULL);

    return there != NULL && found == length && memcmp(there, bytes, length) == 0;
}

int atomic_file_reserve(const char *folder, size_t size, mode_t mode)
{
    _cleanup_close_ int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);

    if (fd < 0 || fchmod(fd, mode) < 0 || fallocate(fd, 0, 0, (off_t)size) < 0)
        return -1;
    return steal_fd(&fd);
}

int atomic_file_write_reserved(int reserved, const char *temporary, const char *path, const void *bytes, size_t length)
{
    char self[64];

    snprintf(self, sizeof self, "/proc/self/fd/%d", reserved);
    if (lseek(reserved, 0, SEEK_SET) < 0 || write_fully(reserved, bytes, length) < 0 ||
        ftruncate(reserved, (off_t)length) < 0 ||
        linkat(AT_FDCWD, self, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0)
        return -1;
    if (rename(temporary, path) == 0)
        return 0;
    int reason = errno;
    (void)unlink(temporary);
    errno = reason;
    return -1;
}

/* The owner can always use it, whatever umask somebody in this process (a driver) has set. */
static int make_folder(const char *path, mode_t mode)
{
    struct stat status;

    if (mkdir(path, mode) < 0)
        return -1;
    if (stat(path, &status) == 0 && (~status.st_mode & mode & 0700) != 0)
        (void)chmod(path, (status.st_mode & 07777) | (mode & 0700));
    return 0;
}

int make_directories(const char *path, mode_t mode, struct osiris_error *error)
{
    struct stat status;

    if (make_folder(path, mode) == 0 || (errno == EEXIST && stat(path, &status) == 0 &&
                                         S_ISDIR(status.st_mode)))
        return 0;
    if (errno != ENOENT)
        return osiris_error_set_errno(error, errno, "cannot create the folder \"%s\"", path);
    _cleanup_free_ char *copy = strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (make_folder(copy, mode) < 0 && errno != EEXIST)
            return osiris_error_set_errno(error, errno, "cannot create the folder \"%s\"", copy);
        *slash = '/';
    }
    if (make_folder(path, mode) < 0 && errno != EEXIST)
        return osiris_error_set_errno(error, errno, "cannot create the folder \"%s\"", path);
    return 0;
}

char *read_whole_file(const char *path, size_t maximum, size_t *length,
                      struct osiris_error *error)
{
    /* O_NONBLOCK: a pipe without a writer must not block us. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        osiris_error_set_errno(error, errno, "cannot read \"%s\"", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "cannot read \"%s\": it is %s", path,
                         S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
        return NULL;
    }
    if ((uintmax_t)status.st_size > maximum) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "cannot read \"%s\": its size is %.1f MiB, and at most %.0f MiB are allowed", path,
                         (double)status.st_size / (1 << 20), (double)maximum / (1 << 20));
        return NULL;
    }
    /* The file may grow meanwhile; anything beyond its initial size is ignored. */
    size_t size = (size_t)status.st_size, got = 0;
    _cleanup_free_ char *text = malloc(size + 1);
    if (text == NULL) {
        osiris_error_set_errno(error, ENOMEM, "cannot read \"%s\"", path);
        return NULL;
    }
    while (got < size) {
        ssize_t part = read(fd, text + got, size - got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0) {
            osiris_error_set_errno(error, errno, "cannot read \"%s\"", path);
            return NULL;
        }
        if (part == 0)
            break;
        got += (size_t)part;
    }
    text[got] = '\0';
    *length = got;
    return steal_pointer(&text);
}
