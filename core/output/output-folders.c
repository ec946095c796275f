/*
 * Folders of outputs, and the modes of what is new; see output.h.
 */
#include "core/output/output-folders.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "core/output/output-state.h"

/* Modes. */

/* Whether new files there get their modes from an access control list, so that no umask applies. */
static bool has_default_list(int folder)
{
    return fgetxattr(folder, "system.posix_acl_default", NULL, 0) > 0;
}

/* Changes what was created with the process's umask to the mode of the origin's umask. */
static bool is_masked_otherwise(const struct output *output, const struct stat *status, mode_t mode)
{
    return output->masks && (status->st_mode & 0777) != (mode & ~output->origin.umask);
}

/* A file system without such modes is not an error. */
void output_mask_file(const struct output *output, mode_t mode)
{
    struct stat status;

    if (fstat(output->fd, &status) == 0 && is_masked_otherwise(output, &status, mode) && !has_default_list(output->folder))
        (void)fchmod(output->fd, mode & ~output->origin.umask);
}

/* It has inherited the list of its parent, if there is one. */
static void mask_folder(const struct output *output, const char *path, mode_t mode)
{
    struct stat status;

    if (fstatat(output->origin.folder, path, &status, 0) < 0 || !is_masked_otherwise(output, &status, mode))
        return;
    _cleanup_close_ int fd = openat(output->origin.folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !has_default_list(fd))
        (void)fchmodat(output->origin.folder, path, (status.st_mode & 07000) | (mode & ~output->origin.umask), 0);
}

/* Folders. */

static void report(const struct output *output, const char *path, void (*callback)(void *context, int folder))
{
    if (callback == NULL)
        return;
    _cleanup_close_ int again = -1;
    _cleanup_close_ int folder =
        openat(output_reach_origin(&output->origin, &again), path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0)
        callback(output->context, folder);
}

/* Creates one folder and records it, so that it can be removed again. */
static int make_folder(struct output *output, const char *path)
{
    struct stat status;

    if (mkdirat(output->origin.folder, path, 0777) < 0) {
        int reason = errno;
        if (reason == EEXIST || (fstatat(output->origin.folder, path, &status, 0) == 0 && S_ISDIR(status.st_mode)))
            return 0;
        errno = reason;
        return -1;
    }
    mask_folder(output, path, 0777);
    output->made = reallocarray(output->made, output->made_count + 1, sizeof *output->made);
    output->made[output->made_count++] = strdup(path);
    report(output, path, output->report_made);
    return 0;
}

/* Creates the missing parts of the folder's path. An error names the part that cannot be created. */
static int make_parents(struct output *output, struct osiris_error *error)
{
    char *path = output->folder_path;

    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        int result = make_folder(output, path);
        if (result < 0)
            osiris_error_set_errno(error, errno, "cannot create the folder \"%s\" for \"%s\"", path,
                                   output->path);
        if (slash != NULL)
            *slash = '/';
        if (result < 0 || slash == NULL)
            return result;
    }
}

/* Innermost first, as long as they are empty. Another output may be using them; litter.h has what becomes of them then. */
void output_remove_made_folders(struct output *output)
{
    _cleanup_close_ int again = -1;
    int origin = output->made_count == 0 ? -1 : output_reach_origin(&output->origin, &again);

    while (output->made_count > 0 &&
           (unlinkat(origin, output->made[output->made_count - 1], AT_REMOVEDIR) == 0 || errno == ENOENT))
        free(output->made[--output->made_count]);
}

void output_keep_made_folders(struct output *output)
{
    for (size_t i = 0; i < output->made_count; i++)
        report(output, output->made[i], output->report_kept);
}

int output_open_folder(struct output *output, bool create, struct osiris_error *error)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    if (output_check_origin(&output->origin, output->folder_path, error) < 0)
        return -1;
    output->folder = openat(output->origin.folder, output->folder_path, flags);
    if (output->folder < 0 && errno == ENOENT && create) {
        if (make_parents(output, error) < 0)
            return -1;
        output->folder = openat(output->origin.folder, output->folder_path, flags);
    }
    if (output->folder >= 0 && file_id_of(output->folder, &output->folder_id))
        return 0;
    int reason = errno;
    osiris_error_set_errno(error, reason, "cannot write \"%s\": the folder \"%s\"", output->path,
                           output->folder_path);
    if (reason == ENOENT)
        osiris_error_hint(error, "create the folder, or set create_dirs");
    return -1;
}
