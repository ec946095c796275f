/* Output files that appear whole or not at all; see output.h. */
#include "core/output/output.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fingerprint.h"
#include "core/base/memory.h"
#include "core/output/hidden.h"
#include "core/output/output-append.h"
#include "core/output/output-folders.h"
#include "core/output/output-hidden.h"
#include "core/output/output-state.h"

/* A name up to this long has room for ".osiris-<run id>-<pid>-<n>.tmp" within the usual 255 bytes. */
#define STEM_MAXIMUM 150
#define WRITE_BACK_STEP ((int64_t)16 << 20)

/* Names. */

static char *hidden_stem(const char *name)
{
    char hex[FINGERPRINT_SIZE];

    if (strlen(name) <= STEM_MAXIMUM)
        return strdup(name);
    fingerprint(name, strlen(name), hex);
    return strdup(hex);
}

static int split_path(struct output *output, const char *target, struct osiris_error *error)
{
    const char *slash = strrchr(target, '/');

    output->name = strdup(slash == NULL ? target : slash + 1);
    output->stem = hidden_stem(output->name);
    if (slash == NULL)
        output->folder_path = strdup(".");
    else
        output->folder_path = slash == target ? strdup("/")
                                              : strndup(target, (size_t)(slash - target));
    if (output->name[0] == '\0' || strcmp(output->name, ".") == 0 ||
        strcmp(output->name, "..") == 0)
        return output_fail(output, error, EISDIR, "write");
    return 0;
}

/* The target. */

/* The target of a symbolic link, or the path itself; NULL with errno. The target need not exist. */
static char *follow_links(int origin, const char *path)
{
    char *current = strdup(path);

    for (int hops = 0; hops < 40; hops++) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(origin, current, target, sizeof target - 1);
        if (length < 0)
            return current;
        target[length] = '\0';
        char *slash = strrchr(current, '/');
        char *next = target[0] == '/' || slash == NULL
                         ? strdup(target)
                         : memory_format("%.*s/%s", (int)(slash - current), current, target);
        free(current);
        current = next;
    }
    free(current);
    errno = ELOOP;
    return NULL;
}

/* Checks an existing target, whose mode is kept. */
static int check_target(struct output *output, const char *target, mode_t *mode, bool *keep,
                        struct osiris_error *error)
{
    struct stat status;

    *keep = false;
    if (fstatat(output->origin.folder, target, &status, 0) < 0)
        return 0;
    if (S_ISDIR(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "cannot write \"%s\": it is a directory",
                                output->path);
    if (S_ISCHR(status.st_mode)) {
        output->device = true;
        return 0;
    }
    if (!S_ISREG(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "cannot write \"%s\": it is not a regular file", output->path);
    /* A rename ignores write protection. */
    if (faccessat(output->origin.folder, target, W_OK, AT_EACCESS) < 0)
        return output_fail(output, error, errno, "replace");
    *mode = status.st_mode & 0777;
    *keep = true;
    return 0;
}

static int open_in_folder(struct output *output, const char *target,
                          const struct output_options *options, struct osiris_error *error)
{
    mode_t mode = 0666;
    bool keep;

    if (check_target(output, target, &mode, &keep, error) < 0)
        return -1;
    if (output->device) {
        output->fd = openat(output->origin.folder, target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return output->fd < 0 ? output_fail(output, error, errno, "write") : 0;
    }
    if (split_path(output, target, error) < 0 ||
        output_open_folder(output, options->create_directories, error) < 0)
        return -1;
    struct stat status;
    if (fstatat(output->folder, output->name, &status, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno == ENAMETOOLONG)
        return output_fail(output, error, errno, "write");
    if (options->mode != 0)
        mode = options->mode & 0777;
    hidden_remove_stale(output->folder, output->stem);
    if (output_open_temporary(output, mode, options->named) < 0 || !file_id_of(output->fd, &output->file_id))
        return output_fail(output, error, errno, "write");
    /* The umask does not apply to an existing or requested mode. */
    if (!keep && options->mode == 0)
        output_mask_file(output, mode);
    else if (fchmod(output->fd, mode) < 0)
        return output_fail(output, error, errno, "set the mode of");
    return options->append ? output_copy_original(output, error) : 0;
}

int output_open(const struct output_options *options, struct output **out,
                struct osiris_error *error)
{
    struct output *output = calloc(1, sizeof *output);

    output->fd = output->folder = output->kept = -1;
    output->no_sync = options->no_sync;
    output->append = options->append;
    output->masks = options->origin != NULL;
    output->origin = output->masks ? *options->origin : (struct output_origin){.folder = AT_FDCWD};
    output->hides_in = options->hides_in;
    output->report_made = options->made;
    output->report_kept = options->keeps;
    output->context = options->context;
    output->path = strdup(options->path);
    output->run_id = strdup(options->run_id == NULL ? "" : options->run_id);
    if (options->path[0] == '\0') {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the output's path is empty");
    } else if (output_check_origin(&output->origin, options->path, error) == 0) {
        _cleanup_free_ char *target = follow_links(output->origin.folder, options->path);
        if (target == NULL) {
            output_fail(output, error, errno, "write");
        } else if (open_in_folder(output, target, options, error) == 0) {
            *out = output;
            return 0;
        }
    }
    output_close(output);
    return -1;
}

int output_open_stream(const char *path, int fd, struct output **out, struct osiris_error *error)
{
    struct output *output = calloc(1, sizeof *output);

    output->device = output->stream = true;
    output->folder = output->kept = -1;
    output->path = strdup(path);
    output->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (output->fd < 0) {
        osiris_error_set_errno(error, errno, "cannot write \"%s\"", path);
        output_close(output);
        return -1;
    }
    *out = output;
    return 0;
}

bool output_is_stream(const struct output *output)
{
    return output->stream;
}

bool output_is_published(const struct output *output)
{
    return output->published;
}

int output_identity(const struct output *output, char hex[FINGERPRINT_SIZE], struct osiris_error *error)
{
    struct stat folder;

    if (output->device)
        return 1;
    if (fstat(output->folder, &folder) < 0)
        return osiris_error_set_errno(error, errno, "cannot write \"%s\"", output->path);
    _cleanup_free_ char *text = memory_format("%llu:%llu/%s", (unsigned long long)folder.st_dev,
                                              (unsigned long long)folder.st_ino, output->name);
    fingerprint(text, strlen(text), hex);
    return 0;
}

int output_fd(const struct output *output)
{
    return output->fd;
}

const char *output_path(const struct output *output)
{
    return output->path;
}

int64_t output_initial_size(const struct output *output)
{
    return output->initial_size;
}

/* Otherwise the system would keep most of a file until the fsync, and nothing overlaps with that wait. */
void output_write_back(struct output *output)
{
    if (output->device || output->no_sync || output->aside)
        return;
    const int64_t size = output_size(output);
    if (size - output->written_back < WRITE_BACK_STEP)
        return;
    /* Only a hint: fsync reports errors of the disk. */
    (void)sync_file_range(output->fd, output->written_back, size - output->written_back,
                          SYNC_FILE_RANGE_WRITE);
    output->written_back = size;
}

int output_finish(struct output *output, struct osiris_error *error)
{
    if (output->aside)
        return 0;
    if (output_check_descriptors(output, error) < 0 || output_check_original(output, error) < 0)
        return -1;
    if (!output->device && !output->no_sync && fsync(output->fd) < 0)
        return output_fail(output, error, errno, "write");
    output->finished = true;
    return 0;
}

/* By its path if the descriptor of its folder has gone. */
static bool remove_hidden(const struct output *output)
{
    _cleanup_close_ int again = -1, origin = -1;
    int folder = output->folder;

    if (!file_id_is(folder, &output->folder_id)) {
        folder = again = openat(output_reach_origin(&output->origin, &origin), output->folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0 || !file_id_is(folder, &output->folder_id))
            return false;
    }
    return unlinkat(folder, output->hidden, 0) == 0 || errno == ENOENT;
}

/* Not what a driver has opened under its number. */
static void close_own(int fd, const struct file_id *id)
{
    if (fd >= 0 && file_id_is(fd, id))
        cleanup_close_value(&fd);
}

bool output_close(struct output *output)
{
    if (output == NULL)
        return true;
    bool is_clear = output->hidden == NULL || remove_hidden(output);
    cleanup_close_value(&output->kept);
    if (output->device)
        cleanup_close_value(&output->fd);
    else
        close_own(output->fd, &output->file_id);
    if (!output->aside)
        close_own(output->folder, &output->folder_id);
    if (output->published)
        output_keep_made_folders(output);
    else
        output_remove_made_folders(output);
    while (output->made_count > 0)
        free(output->made[--output->made_count]);
    free(output->made);
    free(output->path);
    free(output->name);
    free(output->stem);
    free(output->hidden);
    free(output->run_id);
    free(output->folder_path);
    free(output);
    return is_clear;
}
