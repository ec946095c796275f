/* Opens folders below a given one; see beneath.h. */
#include "orchestrator/records/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Opens the subfolder whose name is the first `length` bytes of `path`. `mode`: if it is missing, it is created with
 * this mode; NULL: it is not created. */
static int open_component(int folder, const char *path, size_t length, const mode_t *mode)
{
    char name[NAME_MAX + 1];

    if (length == 0 || length > NAME_MAX || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.')))) {
        errno = EINVAL;
        return -1;
    }
    memcpy(name, path, length);
    name[length] = '\0';
    if (mode != NULL && mkdirat(folder, name, *mode) < 0 && errno != EEXIST)
        return -1;
    return openat(folder, name, FOLDER | O_NOFOLLOW);
}

static int walk(const char *base, const char *path, const mode_t *mode)
{
    int folder = open(base, FOLDER);

    for (;;) {
        size_t length = strcspn(path, "/");
        int inner = folder < 0 ? -1 : open_component(folder, path, length, mode), number = errno;
        cleanup_close_value(&folder);
        errno = number;
        if (inner < 0 || path[length] == '\0')
            return inner;
        folder = inner;
        path += length + 1;
    }
}

int open_beneath(const char *base, const char *path)
{
    return walk(base, path, NULL);
}

int make_beneath(const char *base, const char *path, mode_t mode)
{
    return walk(base, path, &mode);
}
