/* Bundles that are kept; see cache.h. */
#include "orchestrator/bundle/cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "core/base/memory.h"

struct entry {
    char *name; /* owned */
    int64_t size, used_ms;
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

static void entries_clear(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
}

char *cache_path(const char *folder, const struct pack_identity *identity)
{
    return memory_format("%s/%s.tar.gz", folder, identity->hash);
}

int64_t cache_find(const char *folder, const struct pack_identity *identity)
{
    _cleanup_free_ char *path = cache_path(folder, identity);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    unsigned char trailer[PACK_TRAILER];
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size < PACK_TRAILER ||
        pread(fd, trailer, sizeof trailer, status.st_size - PACK_TRAILER) != sizeof trailer ||
        !pack_ends_with(identity, trailer))
        return -1;
    (void)futimens(fd, NULL);
    return status.st_size;
}

/* Everything in the folder is the cache's, what killed processes have left included. */
static void list(DIR *folder, const char *kept, struct entries *entries)
{
    struct dirent *entry;
    struct stat status;

    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, kept) == 0 || fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        if (entries->count == entries->capacity) {
            entries->capacity = entries->capacity == 0 ? 32 : entries->capacity * 2;
            entries->items = reallocarray(entries->items, entries->capacity, sizeof *entries->items);
        }
        entries->items[entries->count++] =
            (struct entry){strdup(entry->d_name), status.st_size, clock_ms_of(&status.st_mtim)};
    }
}

/* The latest first. */
static int by_use(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->used_ms != right->used_ms)
        return left->used_ms > right->used_ms ? -1 : 1;
    return strcmp(left->name, right->name);
}

static void remove_oldest(const char *path, const char *kept, int64_t kept_bytes)
{
    _cleanup_dir_ DIR *folder = opendir(path);
    _cleanup_(entries_clear) struct entries entries = {0};
    int64_t bytes = kept_bytes;

    if (folder == NULL)
        return;
    list(folder, kept, &entries);
    if (entries.count > 0)
        qsort(entries.items, entries.count, sizeof *entries.items, by_use);
    for (size_t i = 0; i < entries.count; i++) {
        bytes += entries.items[i].size;
        if (i + 2 > CACHE_MAXIMUM_FILES || bytes > CACHE_MAXIMUM_BYTES)
            (void)unlinkat(dirfd(folder), entries.items[i].name, 0);
    }
}

int cache_write(const char *folder, const struct pack_identity *identity, const void *bytes, size_t length,
                struct osiris_error *error)
{
    _cleanup_free_ char *path = cache_path(folder, identity);

    if (make_directories(folder, 0700, error) < 0 || atomic_file_write(path, bytes, length, 0600, error) < 0)
        return -1;
    remove_oldest(folder, strrchr(path, '/') + 1, (int64_t)length);
    return 0;
}
