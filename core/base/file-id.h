/* What a descriptor is of, so that it is recognized later: a driver may have closed the number, and opened something else under it. */
#ifndef OSIRIS_CORE_BASE_FILE_ID_H
#define OSIRIS_CORE_BASE_FILE_ID_H

#include <stdbool.h>
#include <sys/types.h>

struct file_id {
    dev_t device;
    ino_t inode;
};

/* False, with errno: the descriptor is closed. */
bool file_id_of(int fd, struct file_id *id);
/* False, with errno EBADF: it is closed, or of something else. */
bool file_id_is(int fd, const struct file_id *id);

#endif
