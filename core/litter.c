/* Cleaning up after workers that were killed; see litter.h. */
#include "core/litter.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomic-file.h"
#include "core/buffer.h"
#include "core/output.h"
#include "core/read-to-end.h"

#define LIST_NAME "hidden-in" /* paths, a NUL byte behind each */
#define LIST_MAXIMUM (16u << 20)

void litter_note(const char *temp_dir, int folder)
{
    _cleanup_free_ char *path = NULL;
    char self[64], target[PATH_MAX];

    snprintf(self, sizeof self, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(self, target, sizeof target - 1);
    if (length <= 0 || asprintf(&path, "%s/" LIST_NAME, temp_dir) < 0) {
        path = NULL;
        return;
    }
    target[length] = '\0';
    if (make_directories(temp_dir, 0755, NULL) < 0)
        return;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Whatever the umask is by now. */
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return;
    off_t begin = lseek(fd, 0, SEEK_END);
    ssize_t written = write(fd, target, (size_t)length + 1);
    /* What a full disk cuts would be the beginning of the next one. */
    if (written > 0 && written < length + 1 && begin >= 0)
        (void)!ftruncate(fd, begin);
}

static int read_list(int root, const char *worker, struct buffer *list)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/" LIST_NAME, worker) < 0) {
        path = NULL;
        return -1;
    }
    _cleanup_close_ int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && read_to_end(fd, READ_NO_DEADLINE, list) == READ_WHOLE ? 0 : -1;
}

void litter_remove(const char *temp_root, const char *run_id)
{
    _cleanup_dir_ DIR *root = opendir(temp_root);

    for (struct dirent *entry = root == NULL ? NULL : readdir(root); entry != NULL;
         entry = readdir(root)) {
        _cleanup_buffer_ struct buffer list = BUFFER_INIT(LIST_MAXIMUM);
        const char *last = "";
        if (entry->d_name[0] == '.' || read_list(dirfd(root), entry->d_name, &list) < 0)
            continue;
        /* The last one may be cut. */
        for (size_t at = 0; at < list.length; at += strlen(list.data + at) + 1) {
            const char *folder = list.data + at;
            if (memchr(folder, '\0', list.length - at) == NULL)
                break;
            if (strcmp(folder, last) != 0)
                output_remove_hidden(folder, run_id);
            last = folder;
        }
    }
}
