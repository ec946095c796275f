/* What a descriptor is of; see file-id.h. */
#include "core/base/file-id.h"

#include <errno.h>
#include <sys/stat.h>

bool file_id_of(int fd, struct file_id *id)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return false;
    *id = (struct file_id){status.st_dev, status.st_ino};
    return true;
}

bool file_id_is(int fd, const struct file_id *id)
{
    struct file_id now;

    if (file_id_of(fd, &now) && now.device == id->device && now.inode == id->inode)
        return true;
    errno = EBADF;
    return false;
}
