/*
 * Outputs that are complete before the rest of their group; see output.h. A file that is set aside
 * has a hidden name and no descriptor, so no lock either: the folder's shared lock shows that
 * a running process has files there.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "core/output/output-hidden.h"
#include "core/output/output-state.h"

#define LOCK_TRIES 100

static bool is_same_folder(int a, int b)
{
    struct stat first, second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* A search for stale files holds the lock while it runs. */
static int lock_folder(int folder)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    for (unsigned tries = 0; flock(folder, LOCK_SH | LOCK_NB) < 0; tries++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
            return -1;
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* If there is no shelf yet, it becomes the output's folder. False: the file must stay open. */
static bool use_shelf(struct output *output, int *shelf)
{
    if (*shelf >= 0)
        return is_same_folder(*shelf, output->folder);
    if (lock_folder(output->folder) < 0)
        return false;
    *shelf = fcntl(output->folder, F_DUPFD_CLOEXEC, 0);
    return *shelf >= 0;
}

int output_set_aside(struct output *output, int *shelf, struct osiris_error *error)
{
    if (output->device || output->aside)
        return 0;
    if (!output->finished)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "\"%s\" cannot be set aside before it is finished", output->path);
    if (output->hidden == NULL && output_name_unnamed(output, error) < 0)
        return -1;
    if (!use_shelf(output, shelf))
        return 0;
    output->final_size = output_size(output);
    output->aside = true;
    cleanup_close_value(&output->fd);
    cleanup_close_value(&output->folder);
    output->fd = -1;
    output->folder = *shelf;
    return 0;
}

int output_sync_folder(struct output *output, struct osiris_error *error)
{
    /* Some file systems cannot sync a folder; the rename has happened nevertheless. */
    if (output->aside && !output->no_sync && fsync(output->folder) < 0 && errno != EINVAL &&
        errno != ENOTSUP)
        return output_fail(output, error, errno, "sync the folder of");
    return 0;
}
