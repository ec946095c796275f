/*
 * Cleanup attributes: a local variable releases what it holds on every way out of its block.
 * Declare it with its empty value (NULL, -1); pass ownership on with steal_pointer or steal_fd.
 */
#ifndef OSIRIS_CORE_BASE_CLEANUP_H
#define OSIRIS_CORE_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_value(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_value(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
    }
}

static inline void cleanup_file_value(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static inline void cleanup_dir_value(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

static inline void cleanup_json_value(json_object **object)
{
    json_object_put(*object);
}

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_ _cleanup_(cleanup_free_value)
#define _cleanup_close_ _cleanup_(cleanup_close_value)
#define _cleanup_file_ _cleanup_(cleanup_file_value)
#define _cleanup_dir_ _cleanup_(cleanup_dir_value)
#define _cleanup_json_ _cleanup_(cleanup_json_value)

#define steal_pointer(pointer)                                                                     \
    __extension__({                                                                                \
        __typeof__(*(pointer)) stolen_ = *(pointer);                                               \
        *(pointer) = NULL;                                                                         \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#endif
