/* Receiving artifacts; see artifacts-stream.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/cleanup.h"
#include "core/base/fingerprint.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/output/artifacts-stream.h"

#define HIDDEN_NAME ".arriving.tmp" /* of a file where the file system has no unnamed ones */

enum part { IN_HEAD, IN_PATH, IN_CONTENTS, IN_TARGET, IN_TRAILER, AT_END };

struct artifacts_unpacker {
    int root;
    enum part part;
    unsigned char head[ARTIFACTS_HEAD];
    char path[ARTIFACTS_PATH_MAXIMUM], text[ARTIFACTS_PATH_MAXIMUM];
    size_t filled; /* of the part */
    char type;
    size_t path_length;
    mode_t mode;
    uint64_t size, left;
    /* The file that arrives. */
    int folder, fd;
    bool hidden; /* it has the hidden name in its folder */
    struct fingerprint *hash;
};

static int violate(struct osiris_error *error, const char *what)
{
    return osiris_error_set_violation(error, "the artifacts of a step are malformed: %s", what);
}

static int fail(const struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    return osiris_error_set_errno(error, errno, "cannot keep the artifact \"%s\"", unpacker->path);
}

struct artifacts_unpacker *artifacts_unpack(const char *folder, struct osiris_error *error)
{
    if (make_directories(folder, 0755, error) < 0)
        return NULL;
    int root = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0) {
        osiris_error_set_errno(error, errno, "cannot keep artifacts in \"%s\"", folder);
        return NULL;
    }
    struct artifacts_unpacker *unpacker = calloc(1, sizeof *unpacker);
    *unpacker = (struct artifacts_unpacker){.root = root, .folder = -1, .fd = -1};
    return unpacker;
}

static void drop_file(struct artifacts_unpacker *unpacker)
{
    if (unpacker->hidden)
        (void)unlinkat(unpacker->folder, HIDDEN_NAME, 0);
    cleanup_close_value(&unpacker->fd);
    cleanup_close_value(&unpacker->folder);
    fingerprint_end(unpacker->hash, NULL);
    unpacker->fd = unpacker->folder = -1;
    unpacker->hidden = false;
    unpacker->hash = NULL;
}

void artifacts_unpack_free(struct artifacts_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    drop_file(unpacker);
    cleanup_close_value(&unpacker->root);
    free(unpacker);
}

/* Paths. */

static bool is_name(const char *name, size_t length)
{
    if (length == 0 || length > 255 || (length <= 2 && memcmp(name, "..", length) == 0))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return utf8_is_valid(name, length);
}

static bool is_path(const char *path, size_t length)
{
    const char *at = path;
    unsigned depth = 1;

    if (memchr(path, '\0', length) != NULL)
        return false;
    for (const char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1)
        if (!is_name(at, (size_t)(slash - at)) || ++depth > ARTIFACTS_DEEPEST)
            return false;
    return is_name(at, strlen(at));
}

/* The folder of the entry, without following links: *name is the rest. -1 with errno. */
static int open_parent(const struct artifacts_unpacker *unpacker, char **name)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    char *at = (char *)unpacker->path;
    int folder = openat(unpacker->root, ".", flags);

    for (char *slash; folder >= 0 && (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        *slash = '\0';
        int inner = openat(folder, at, flags);
        int reason = errno;
        *slash = '/';
        (void)close(folder);
        errno = reason;
        folder = inner;
    }
    *name = at;
    return folder;
}

/* Entries. */

static int make_folder(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    char *name;
    struct stat status;
    _cleanup_close_ int folder = open_parent(unpacker, &name);

    /* Its owner can always write there: what is in it is still to come. */
    if (folder < 0 || (mkdirat(folder, name, unpacker->mode | 0700) < 0 && errno != EEXIST) ||
        fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(unpacker, error);
    if (S_ISDIR(status.st_mode))
        return 0;
    errno = EEXIST;
    return fail(unpacker, error);
}

static int make_link(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    char *name;
    _cleanup_close_ int folder = open_parent(unpacker, &name);

    unpacker->text[unpacker->size] = '\0';
    if (folder < 0 || (unlinkat(folder, name, 0) < 0 && errno != ENOENT) || symlinkat(unpacker->text, folder, name) < 0)
        return fail(unpacker, error);
    return 0;
}

static int begin_file(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    char *name;

    unpacker->folder = open_parent(unpacker, &name);
    if (unpacker->folder < 0)
        return fail(unpacker, error);
    unpacker->fd = openat(unpacker->folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (unpacker->fd < 0) {
        unpacker->fd = openat(unpacker->folder, HIDDEN_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        unpacker->hidden = unpacker->fd >= 0;
    }
    if (unpacker->fd < 0)
        return fail(unpacker, error);
    unpacker->hash = fingerprint_begin();
    return 0;
}

static int write_contents(struct artifacts_unpacker *unpacker, const char *bytes, size_t length, struct osiris_error *error)
{
    fingerprint_add(unpacker->hash, bytes, length);
    while (length > 0) {
        ssize_t count = write(unpacker->fd, bytes, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return fail(unpacker, error);
        bytes += count;
        length -= (size_t)count;
    }
    return 0;
}

static int show_file(struct artifacts_unpacker *unpacker)
{
    char *name, self[64];
    _cleanup_close_ int folder = open_parent(unpacker, &name);

    if (folder < 0 || fchmod(unpacker->fd, unpacker->mode) < 0)
        return -1;
    if (unpacker->hidden)
        return renameat(folder, HIDDEN_NAME, folder, name);
    snprintf(self, sizeof self, "/proc/self/fd/%d", unpacker->fd);
    if (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    return errno == EEXIST && unlinkat(folder, name, 0) == 0 ? linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) : -1;
}

static int end_file(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    char hex[FINGERPRINT_SIZE];

    fingerprint_end(steal_pointer(&unpacker->hash), hex);
    if (memcmp(hex, unpacker->text + 1, FINGERPRINT_SIZE - 1) != 0)
        return violate(error, "a file is not what was sent");
    if (unpacker->text[0] == 'y' && show_file(unpacker) < 0)
        return fail(unpacker, error);
    if (unpacker->text[0] == 'y')
        unpacker->hidden = false;
    drop_file(unpacker);
    return 0;
}

/* Parts. Each ends when it is complete. */

static uint64_t number_at(const unsigned char *at, int length)
{
    uint64_t number = 0;

    for (int i = 0; i < length; i++)
        number = number << 8 | at[i];
    return number;
}

static int end_head(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    unpacker->type = (char)unpacker->head[0];
    unpacker->path_length = (size_t)number_at(unpacker->head + 1, 4);
    unpacker->mode = (mode_t)(number_at(unpacker->head + 5, 4) & 0777);
    unpacker->size = unpacker->left = number_at(unpacker->head + 9, 8);
    if (unpacker->type == ARTIFACTS_END) {
        unpacker->part = AT_END;
        return 0;
    }
    if (strchr("dfl", unpacker->type) == NULL || unpacker->type == '\0')
        return violate(error, "an entry has an unknown type");
    if (unpacker->path_length == 0 || unpacker->path_length >= sizeof unpacker->path)
        return violate(error, "an entry has a path of an impossible length");
    if (unpacker->type == ARTIFACTS_LINK && (unpacker->size == 0 || unpacker->size >= sizeof unpacker->text))
        return violate(error, "a link has a target of an impossible length");
    unpacker->part = IN_PATH;
    return 0;
}

static int end_path(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    unpacker->path[unpacker->path_length] = '\0';
    if (!is_path(unpacker->path, unpacker->path_length)) {
        unpacker->path[0] = '\0';
        return violate(error, "an entry has a path that is not one inside the folder");
    }
    if (unpacker->type == ARTIFACTS_FOLDER) {
        unpacker->part = IN_HEAD;
        return make_folder(unpacker, error);
    }
    unpacker->part = unpacker->type == ARTIFACTS_LINK ? IN_TARGET : unpacker->size > 0 ? IN_CONTENTS : IN_TRAILER;
    return unpacker->type == ARTIFACTS_FILE ? begin_file(unpacker, error) : 0;
}

/* Collects up to `wanted` bytes of a part. True: it is complete. */
static bool collect(struct artifacts_unpacker *unpacker, void *to, size_t wanted, const char **bytes, size_t *length)
{
    size_t room = wanted - unpacker->filled, part = room < *length ? room : *length;

    memcpy((char *)to + unpacker->filled, *bytes, part);
    unpacker->filled += part;
    *bytes += part;
    *length -= part;
    if (unpacker->filled < wanted)
        return false;
    unpacker->filled = 0;
    return true;
}

static int add_part(struct artifacts_unpacker *unpacker, const char **bytes, size_t *length, struct osiris_error *error)
{
    size_t part;

    switch (unpacker->part) {
    case IN_HEAD:
        return collect(unpacker, unpacker->head, sizeof unpacker->head, bytes, length) ? end_head(unpacker, error) : 0;
    case IN_PATH:
        return collect(unpacker, unpacker->path, unpacker->path_length, bytes, length) ? end_path(unpacker, error) : 0;
    case IN_CONTENTS:
        part = unpacker->left < *length ? (size_t)unpacker->left : *length;
        if (write_contents(unpacker, *bytes, part, error) < 0)
            return -1;
        *bytes += part;
        *length -= part;
        unpacker->left -= part;
        if (unpacker->left == 0)
            unpacker->part = IN_TRAILER;
        return 0;
    case IN_TARGET:
        if (!collect(unpacker, unpacker->text, (size_t)unpacker->size, bytes, length))
            return 0;
        unpacker->part = IN_HEAD;
        return make_link(unpacker, error);
    case IN_TRAILER:
        if (!collect(unpacker, unpacker->text, FINGERPRINT_SIZE, bytes, length))
            return 0;
        unpacker->part = IN_HEAD;
        return end_file(unpacker, error);
    case AT_END:
        break;
    }
    return violate(error, "something follows their end");
}

int artifacts_unpack_add(struct artifacts_unpacker *unpacker, const void *bytes, size_t length, struct osiris_error *error)
{
    const char *at = bytes;

    while (length > 0)
        if (add_part(unpacker, &at, &length, error) < 0)
            return -1;
    return 0;
}

int artifacts_unpack_end(struct artifacts_unpacker *unpacker, struct osiris_error *error)
{
    return unpacker->part == AT_END ? 0 : violate(error, "they have no end");
}
