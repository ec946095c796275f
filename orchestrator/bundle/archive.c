/* Members; see archive.h. */
#include "orchestrator/bundle/archive.h"

#include <string.h>

void archive_clear(struct archive *archive)
{
    for (size_t i = 0; i < archive->count; i++) {
        free(archive->members[i].path);
        free(archive->members[i].bytes);
    }
    free(archive->members);
    *archive = (struct archive){0};
}

/* So do the folders above it, whose paths end in a slash. */
static bool fits(const char *path)
{
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *folder = strndup(path, (size_t)(slash - path) + 1);
        if (archive_name(folder) == NULL)
            return false;
    }
    return archive_name(path) != NULL;
}

static int check_room(const struct archive *archive, const char *path, size_t length, struct osiris_error *error)
{
    if (!fits(path))
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "the path \"%s\" is too long for an archive", path);
    if (archive->count == ARCHIVE_MAXIMUM_MEMBERS)
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "a bundle has at most %d files", ARCHIVE_MAXIMUM_MEMBERS);
    if (length > ARCHIVE_MAXIMUM - archive->length)
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "a bundle has at most %zu MiB, unpacked", ARCHIVE_MAXIMUM >> 20);
    return 0;
}

int archive_add(struct archive *archive, char *path, char *bytes, size_t length, bool executable, struct osiris_error *error)
{
    if (check_room(archive, path, length, error) < 0) {
        free(path);
        free(bytes);
        return -1;
    }
    if (archive->count == archive->capacity) {
        archive->capacity = archive->capacity == 0 ? 64 : archive->capacity * 2;
        archive->members = reallocarray(archive->members, archive->capacity, sizeof *archive->members);
    }
    archive->members[archive->count++] = (struct archive_member){path, bytes, length, executable};
    archive->length += length;
    return 0;
}

const struct archive_member *archive_find(const struct archive *archive, const char *path)
{
    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->members[i].path, path) == 0)
            return &archive->members[i];
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    const struct archive_member *left = a, *right = b;

    return strcmp(left->path, right->path);
}

void archive_sort(struct archive *archive)
{
    if (archive->count > 0)
        qsort(archive->members, archive->count, sizeof *archive->members, by_path);
}

const char *archive_name(const char *path)
{
    size_t length = strlen(path);

    if (length <= ARCHIVE_NAME_MAXIMUM)
        return path;
    const char *slash = strchr(path + length - ARCHIVE_NAME_MAXIMUM - 1, '/');
    return slash == NULL || slash - path > ARCHIVE_FOLDER_MAXIMUM || slash == path || slash[1] == '\0' ? NULL : slash + 1;
}
