/* Sending artifacts; see artifacts-stream.h. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/fingerprint.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/artifacts-stream.h"

#define BLOCK 65536

struct pack {
    const struct artifacts_sink *sink;
    artifacts_report *report;
    void *context;
    unsigned char block[BLOCK];
};

static void tell(const struct pack *pack, const char *path, const char *why)
{
    _cleanup_free_ char *text = memory_format("the artifact \"%s\" was left out: %s", path, why);

    pack->report(pack->context, text);
}

static void put_number(unsigned char *at, uint64_t number, int length)
{
    for (int i = length - 1; i >= 0; i--, number >>= 8)
        at[i] = (unsigned char)number;
}

static int put(const struct pack *pack, const void *bytes, size_t length)
{
    return length == 0 ? 0 : pack->sink->write(pack->sink->context, bytes, length);
}

static int put_head(const struct pack *pack, char type, const char *path, mode_t mode, uint64_t size)
{
    unsigned char head[ARTIFACTS_HEAD];

    head[0] = (unsigned char)type;
    put_number(head + 1, strlen(path), 4);
    put_number(head + 5, mode & 0777, 4);
    put_number(head + 9, size, 8);
    return put(pack, head, sizeof head) < 0 || put(pack, path, strlen(path)) < 0 ? -1 : 0;
}

/* One that its driver has made unreadable for its owner is read nevertheless. */
static int open_file_of_ours(int folder, const char *name)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(folder, name, flags);
    struct stat status;

    if (fd >= 0 || errno != EACCES || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
        fchmodat(folder, name, (status.st_mode & 07777) | S_IRUSR, 0) < 0)
        return fd;
    fd = openat(folder, name, flags);
    (void)fchmodat(folder, name, status.st_mode & 07777, 0);
    return fd;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Always `size` bytes. *whole: they are those of the file. */
static int put_contents(struct pack *pack, int fd, uint64_t size, struct fingerprint *hash, bool *whole)
{
    while (size > 0) {
        size_t part = size < BLOCK ? (size_t)size : BLOCK;
        ssize_t count = *whole ? read(fd, pack->block, part) : (ssize_t)part;
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            *whole = false;
            memset(pack->block, 0, sizeof pack->block);
            continue;
        }
        fingerprint_add(hash, pack->block, (size_t)count);
        if (put(pack, pack->block, (size_t)count) < 0)
            return -1;
        size -= (uint64_t)count;
    }
    return 0;
}

static int put_file(struct pack *pack, int fd, const struct stat *before, const char *path)
{
    struct fingerprint *hash = fingerprint_begin();
    char end[FINGERPRINT_SIZE + 1];
    struct stat after;
    bool whole = true;
    int result = put_head(pack, ARTIFACTS_FILE, path, before->st_mode, (uint64_t)before->st_size);

    if (result == 0)
        result = put_contents(pack, fd, (uint64_t)before->st_size, hash, &whole);
    fingerprint_end(hash, end + 1);
    whole = whole && fstat(fd, &after) == 0 && is_same(before, &after);
    end[0] = whole ? 'y' : 'n';
    if (result == 0)
        result = put(pack, end, FINGERPRINT_SIZE);
    if (result == 0 && !whole)
        tell(pack, path, "it changed while it was read");
    return result;
}

static int put_link(const struct pack *pack, int folder, const char *name, const char *path)
{
    char target[ARTIFACTS_PATH_MAXIMUM];
    ssize_t length = readlinkat(folder, name, target, sizeof target);

    if (length <= 0 || (size_t)length == sizeof target) {
        tell(pack, path, length < 0 ? strerror(errno) : "its target is too long");
        return 0;
    }
    return put_head(pack, ARTIFACTS_LINK, path, 0777, (uint64_t)length) < 0 ? -1 : put(pack, target, (size_t)length);
}

static int put_folder(struct pack *pack, int fd, json_object *known, const char *path, unsigned depth);

static int put_entry(struct pack *pack, int folder, const char *name, const char *path, unsigned depth)
{
    struct stat status;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (strlen(path) >= ARTIFACTS_PATH_MAXIMUM) {
        tell(pack, name, "its path is too long");
        return 0;
    }
    if (S_ISLNK(status.st_mode))
        return put_link(pack, folder, name, path);
    if (S_ISDIR(status.st_mode) && depth < ARTIFACTS_DEEPEST)
        return put_head(pack, ARTIFACTS_FOLDER, path, status.st_mode, 0) < 0
                   ? -1
                   : put_folder(pack, open_folder_of_ours(folder, name), NULL, path, depth + 1);
    if (!S_ISREG(status.st_mode))
        return 0; /* it has come since the folder was swept */
    _cleanup_close_ int fd = open_file_of_ours(folder, name);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        tell(pack, path, strerror(errno));
        return 0;
    }
    return put_file(pack, fd, &status, path);
}

/* Takes `fd`. */
static int put_folder(struct pack *pack, int fd, json_object *known, const char *path, unsigned depth)
{
    _cleanup_dir_ DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;

    if (folder == NULL && fd >= 0)
        (void)close(fd);
    for (struct dirent *entry; folder != NULL && result == 0 && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            json_object_object_get_ex(known, entry->d_name, NULL))
            continue;
        _cleanup_free_ char *inner = memory_format("%s%s%s", path, path[0] == '\0' ? "" : "/", entry->d_name);
        result = put_entry(pack, dirfd(folder), entry->d_name, inner, depth);
    }
    return result;
}

int artifacts_pack(const char *folder, json_object *known, const struct artifacts_sink *sink, artifacts_report *report, void *context)
{
    struct pack *pack = malloc(sizeof *pack);

    if (pack == NULL)
        memory_exhausted();
    *pack = (struct pack){.sink = sink, .report = report, .context = context};
    int result = put_folder(pack, open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), known, "", 1);
    if (result == 0)
        result = put_head(pack, ARTIFACTS_END, "", 0, 0);
    free(pack);
    return result;
}
