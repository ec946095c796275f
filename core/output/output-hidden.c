/* Creating an output's file, unnamed or hidden (core/output/hidden.h); see output.h. */
#include "core/output/output-hidden.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/output/hidden.h"
#include "core/output/output-folders.h"
#include "core/output/output-state.h"

#define HIDDEN_NAMES 1000

static void next_hidden_name(struct output *output, unsigned number)
{
    free(output->hidden);
    output->hidden = hidden_name(output->stem, output->run_id, number);
}

static int discard_hidden_name(struct output *output)
{
    int reason = errno;

    free(output->hidden);
    output->hidden = NULL;
    errno = reason;
    return -1;
}

/* Between its creation and its locking another process may have considered the file stale and removed it. On a file
 * system without locks no process does that. */
static bool lock_hidden(int fd)
{
    struct stat status;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/* Reports the folder to the callback, if there is one. */
static void report_hidden_folder(const struct output *output)
{
    if (output->hides_in != NULL)
        output->hides_in(output->context, output->folder);
}

static int open_named(struct output *output, mode_t mode)
{
    report_hidden_folder(output);
    for (unsigned number = 0; number < HIDDEN_NAMES; number++) {
        next_hidden_name(output, number);
        output->fd = openat(output->folder, output->hidden,
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (output->fd >= 0 && lock_hidden(output->fd))
            return 0;
        if (output->fd < 0 && errno != EEXIST)
            break;
        cleanup_close_value(&output->fd);
        output->fd = -1;
        errno = EEXIST;
    }
    return discard_hidden_name(output);
}

int output_open_temporary(struct output *output, mode_t mode, bool named)
{
    /* An unnamed file gets its name through /proc. Without /proc it could never be published. */
    if (!named && access("/proc/self/fd", X_OK) == 0) {
        output->fd = openat(output->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
        if (output->fd >= 0)
            return 0;
        /* EISDIR: a kernel or file system without O_TMPFILE. */
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
            return -1;
    }
    return open_named(output, mode);
}

/* Gives the unnamed file a hidden name, through /proc because that needs no privileges. */
static int link_unnamed(struct output *output)
{
    char self[64];

    report_hidden_folder(output);
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    (void)flock(output->fd, LOCK_EX | LOCK_NB);
    for (unsigned number = 0; number < HIDDEN_NAMES; number++) {
        next_hidden_name(output, number);
        if (linkat(AT_FDCWD, self, output->folder, output->hidden, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return discard_hidden_name(output);
}

/* An unnamed file does not keep its folder: another output that created the folder may have removed it. */
static int restore_folder(struct output *output, struct osiris_error *error)
{
    cleanup_close_value(&output->folder);
    output->folder = -1;
    return output_open_folder(output, true, error);
}

int output_name_unnamed(struct output *output, struct osiris_error *error)
{
    if (link_unnamed(output) == 0)
        return 0;
    if (errno != ENOENT)
        return output_fail(output, error, errno, "publish");
    if (restore_folder(output, error) < 0)
        return -1;
    return link_unnamed(output) < 0 ? output_fail(output, error, errno, "publish") : 0;
}
