/*
 * Outputs that begin with a copy of the existing file; see output.h.
 */
#include "core/output/output-append.h"

#include <fcntl.h>

#include "core/base/atomic-file.h"
#include "core/output/output-state.h"

#define COPY_BLOCK ((size_t)1 << 18)
#define COPY_RANGE ((size_t)1 << 30)

static int copy_by_hand(int from, int to)
{
    _cleanup_free_ char *block = malloc(COPY_BLOCK);

    if (block == NULL)
        return -1;
    for (;;) {
        ssize_t count = read(from, block, COPY_BLOCK);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return -1;
        if (count > 0 && write_fully(to, block, (size_t)count) < 0)
            return -1;
    }
}

/* Copies from the source's position to its end. Blocks are shared where the file system supports it. */
static int copy_all(int from, int to)
{
    for (;;) {
        ssize_t count = copy_file_range(from, NULL, to, NULL, COPY_RANGE, 0);
        if (count == 0)
            break;
        if (count < 0 && errno != EINTR) {
            if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
                return -1;
            break;
        }
    }
    /* Some file systems return zero although there is more; only a read proves the end. */
    return copy_by_hand(from, to);
}

static bool is_same_content(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int fail_changed(struct output *output, struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_IO,
                     "cannot append to \"%s\": somebody else has changed it meanwhile",
                     output->path);
    osiris_error_hint(error, "run the pipeline again; only one step at a time can append to a file");
    return -1;
}

int output_copy_original(struct output *output, struct osiris_error *error)
{
    struct stat after;
    _cleanup_close_ int from = openat(output->folder, output->name,
                                      O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);

    if (from < 0)
        return errno == ENOENT ? 0 : output_fail(output, error, errno, "append to");
    if (fstat(from, &output->original) < 0 || copy_all(from, output->fd) < 0 ||
        fstat(from, &after) < 0)
        return output_fail(output, error, errno, "append to");
    output->had_target = true;
    output->initial_size = output_size(output);
    if (!is_same_content(&output->original, &after) ||
        output->initial_size != (int64_t)after.st_size)
        return fail_changed(output, error);
    return 0;
}

int output_check_original(struct output *output, struct osiris_error *error)
{
    struct stat now;

    if (!output->append || output->device)
        return 0;
    if (fstatat(output->folder, output->name, &now, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && !output->had_target ? 0 : fail_changed(output, error);
    return output->had_target && is_same_content(&output->original, &now)
               ? 0
               : fail_changed(output, error);
}
