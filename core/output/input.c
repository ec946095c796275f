/* Files that steps read; see input.h. */
#include "core/output/input.h"

#include <fcntl.h>
#include <sys/stat.h>

int input_open(const struct output_origin *origin, const char *path, bool waits, struct osiris_error *error)
{
    struct stat status;
    int fd = openat(origin->folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (waits ? 0 : O_NONBLOCK));

    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode))
        return fd;
    int reason = fd >= 0 ? EISDIR : errno;
    cleanup_close_value(&fd);
    osiris_error_set_errno(error, reason, "cannot read \"%s\"", path);
    return -1;
}
