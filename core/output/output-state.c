/* The state of an output; see output-state.h. */
#include "core/output/output-state.h"

#include <fcntl.h>

int output_fail(struct output *output, struct osiris_error *error, int number, const char *what)
{
    return osiris_error_set_errno(error, number, "cannot %s \"%s\"", what, output->path);
}

int64_t output_size(const struct output *output)
{
    struct stat status;

    if (output->stream)
        return -1;
    if (output->aside)
        return output->final_size;
    return fstat(output->fd, &status) < 0 ? -1 : (int64_t)status.st_size;
}

static int fail_closed(const char *path, struct osiris_error *error)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "cannot open or write \"%s\": a driver of this worker has closed a descriptor that is not its own", path);
}

int output_check_descriptors(const struct output *output, struct osiris_error *error)
{
    if (output->device || (file_id_is(output->folder, &output->folder_id) &&
                           (output->aside || file_id_is(output->fd, &output->file_id))))
        return 0;
    return fail_closed(output->path, error);
}

void output_note_origin(struct output_origin *origin, int least)
{
    _cleanup_close_ int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    origin->umask = umask(0);
    (void)umask(origin->umask);
    origin->path = getcwd(NULL, 0);
    origin->folder = folder < 0 ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, least);
    if (origin->folder < 0 || !file_id_of(origin->folder, &origin->id))
        origin->folder = AT_FDCWD;
}

static bool is_intact(const struct output_origin *origin)
{
    return origin->folder == AT_FDCWD || file_id_is(origin->folder, &origin->id);
}

int output_reach_origin(const struct output_origin *origin, int *again)
{
    if (is_intact(origin) || origin->path == NULL)
        return origin->folder;
    *again = open(origin->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *again >= 0 && file_id_is(*again, &origin->id) ? *again : -1;
}

int output_check_origin(const struct output_origin *origin, const char *path, struct osiris_error *error)
{
    if (path[0] == '/' || is_intact(origin))
        return 0;
    return fail_closed(path, error);
}
