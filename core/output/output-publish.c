/*
 * Publishing an output, and taking that back; see output.h. A file that is there already changes names with the new one where
 * the filesystem can exchange two and the file is our own: until the output is closed it is kept, locked, under the hidden name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "core/output/output-append.h"
#include "core/output/output-hidden.h"
#include "core/output/output-state.h"

#define TRIES 10

/* What would be found only when other outputs of the group, in other places, are published already: somebody has removed the hidden file
 * with its folder, or made a folder of the target's name. */
static int check_names(struct output *output, struct osiris_error *error)
{
    struct stat status;

    if (fstatat(output->folder, output->hidden, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return output_fail(output, error, errno, "publish");
    if (fstatat(output->folder, output->name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))
        return output_fail(output, error, EISDIR, "publish");
    return 0;
}

int output_make_ready(struct output *output, struct osiris_error *error)
{
    if (output->device || output->published)
        return 0;
    if (!output->finished)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "\"%s\" cannot be published before it is finished", output->path);
    if (output_check_descriptors(output, error) < 0 || output_check_original(output, error) < 0)
        return -1;
    if (output->hidden == NULL && output_name_unnamed(output, error) < 0)
        return -1;
    return check_names(output, error);
}

static int exchange(const struct output *output)
{
    return renameat2(output->folder, output->hidden, output->folder, output->name, RENAME_EXCHANGE);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Only what the next run would remove as stale may get a hidden name, and whoever looks for that must find it locked. What is set
 * aside has its folder's lock. */
static bool may_keep(struct output *output, struct stat *target)
{
    int fd = openat(output->folder, output->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool may = fd >= 0 && fstat(fd, target) == 0 && S_ISREG(target->st_mode) && target->st_uid == geteuid() &&
               (output->aside || flock(fd, LOCK_EX | LOCK_NB) == 0);

    cleanup_close_value(&output->kept);
    output->kept = -1;
    if (may && !output->aside)
        output->kept = steal_fd(&fd);
    cleanup_close_value(&fd);
    return may;
}

/* -1 with ENOENT: somebody else has changed the target meanwhile. */
static int replace(struct output *output, const struct stat *target)
{
    struct stat status;

    if (exchange(output) < 0)
        return -1;
    if (fstatat(output->folder, output->hidden, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_same_file(&status, target))
        return 0;
    (void)exchange(output);
    errno = ENOENT;
    return -1;
}

static bool is_unknown_to_filesystem(int number)
{
    return number == EINVAL || number == ENOSYS || number == ENOTSUP;
}

/* Gives the new file the target's name. -1 with errno. */
static int rename_to_target(struct output *output)
{
    struct stat status;

    for (int tries = 0; tries < TRIES; tries++) {
        output->appeared = OUTPUT_NEW;
        if (renameat2(output->folder, output->hidden, output->folder, output->name, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno == EEXIST) {
            if (!may_keep(output, &status))
                break;
            output->appeared = OUTPUT_EXCHANGED;
            if (replace(output, &status) == 0)
                return 0;
        }
        if (is_unknown_to_filesystem(errno))
            break;
        if (errno != ENOENT || output->appeared != OUTPUT_EXCHANGED)
            return -1;
        /* The existing file has been removed in between. */
    }
    output->appeared = fstatat(output->folder, output->name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? OUTPUT_NEW : OUTPUT_OVERWRITTEN;
    return renameat(output->folder, output->hidden, output->folder, output->name);
}

/* Some file systems cannot sync a folder; the rename has happened nevertheless. */
static int sync_folder(struct output *output, struct osiris_error *error)
{
    if (!output->no_sync && !output->aside && fsync(output->folder) < 0 && errno != EINVAL && errno != ENOTSUP)
        return output_fail(output, error, errno, "sync the folder of");
    return 0;
}

int output_publish(struct output *output, struct osiris_error *error)
{
    if (output->device || output->published)
        return 0;
    if (output_make_ready(output, error) < 0)
        return -1;
    if (fstatat(output->folder, output->hidden, &output->shown, AT_SYMLINK_NOFOLLOW) < 0 || rename_to_target(output) < 0)
        return output_fail(output, error, errno, "publish");
    output->published = true;
    if (output->appeared != OUTPUT_EXCHANGED) {
        free(output->hidden);
        output->hidden = NULL;
    }
    return sync_folder(output, error);
}

/* A file that somebody else has put there since is not removed. */
static int check_is_ours(struct output *output, struct osiris_error *error)
{
    struct stat now;

    if (fstatat(output->folder, output->name, &now, AT_SYMLINK_NOFOLLOW) < 0)
        return output_fail(output, error, errno, "take back");
    if (is_same_file(&now, &output->shown))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_IO, "cannot take back \"%s\": somebody else has replaced it", output->path);
}

int output_retract(struct output *output, struct osiris_error *error)
{
    if (output->device || !output->published)
        return 0;
    if (output->appeared == OUTPUT_OVERWRITTEN)
        return osiris_error_set(error, OSIRIS_ERROR_IO, "cannot take back \"%s\": the file that it replaced is lost", output->path);
    if (check_is_ours(output, error) < 0)
        return -1;
    if ((output->appeared == OUTPUT_NEW ? unlinkat(output->folder, output->name, 0) : exchange(output)) < 0)
        return output_fail(output, error, errno, "take back");
    output->published = false;
    return sync_folder(output, error);
}
