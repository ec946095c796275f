/* Sorting artifacts; see artifacts.h. */
#include "core/output/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/base/utf8.h"

#define DEEPEST 64
#define MOST_REPORTED 10
#define PATH_MAXIMUM 4096

struct sweep {
    const char *folder;
    int root;
    artifacts_report *report;
    void *context;
    size_t count; /* removed */
};

static bool is_control(const unsigned char *at)
{
    return *at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

static bool is_one_line(const char *name)
{
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++)
        if (is_control(at))
            return false;
    return utf8_is_valid(name, strlen(name));
}

/* A path as it may be shown. */
static void append_shown(struct buffer *text, const char *path)
{
    bool is_text = utf8_is_valid(path, strlen(path));

    for (const unsigned char *at = (const unsigned char *)path; *at != '\0'; at++) {
        if (is_control(at) || (!is_text && *at >= 0x80))
            buffer_append_format(text, "\\x%02x", *at);
        else
            buffer_append_char(text, (char)*at);
    }
}

static void report_left_out(struct sweep *sweep, const char *path, const char *why)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(5 * PATH_MAXIMUM);

    sweep->count++;
    if (sweep->count > MOST_REPORTED)
        return;
    buffer_append_text(&text, "the artifact \"");
    append_shown(&text, path);
    buffer_append_format(&text, "\" was removed: %s", why);
    sweep->report(sweep->context, text.failed ? "an artifact with a long name was removed" : text.data);
}

/* Links. */

/* Without the kernel's help: only links that lead down, judged by names. */
static bool leads_down(int folder, const char *name)
{
    char target[PATH_MAXIMUM];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);

    if (length <= 0 || target[0] == '/')
        return false;
    target[length] = '\0';
    for (const char *at = target; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return false;
    }
    return true;
}

/* A dangling link inside the folder is harmless. */
static bool stays_inside(const struct sweep *sweep, int folder, const char *name, const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    _cleanup_close_ int fd = (int)syscall(SYS_openat2, sweep->root, path, &how, sizeof how);

    if (fd >= 0 || errno == ENOENT)
        return true;
    return (errno == ENOSYS || errno == EPERM) && leads_down(folder, name);
}

/* NULL: it may be kept. */
static const char *reason(const struct sweep *sweep, int folder, const char *name, const char *path, mode_t type)
{
    if (!is_one_line(name))
        return "its name contains control characters or is not UTF-8";
    switch (type) {
    case S_IFREG:
    case S_IFDIR:
        return NULL;
    case S_IFLNK:
        return stays_inside(sweep, folder, name, path) ? NULL : "it is a link that leads out of its folder";
    case S_IFIFO:
        return "it is a pipe";
    case S_IFSOCK:
        return "it is a socket";
    default:
        return "it is a device";
    }
}

/* Folders. */

static void sweep_folder(struct sweep *sweep, int fd, const char *path, unsigned depth);

static void remove_entry(const struct sweep *sweep, int folder, const char *name, const char *path)
{
    if (unlinkat(folder, name, 0) == 0)
        return;
    _cleanup_free_ char *whole = memory_format("%s/%s", sweep->folder, path);
    remove_tree(whole);
}

static void sweep_entry(struct sweep *sweep, int folder, const char *name, const char *path, unsigned depth)
{
    struct stat status;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    const char *why = reason(sweep, folder, name, path, status.st_mode & S_IFMT);
    if (why == NULL && depth == DEEPEST && S_ISDIR(status.st_mode))
        why = "its folders are nested too deeply";
    if (why != NULL) {
        report_left_out(sweep, path, why);
        remove_entry(sweep, folder, name, path);
    } else if (S_ISDIR(status.st_mode)) {
        int inner = open_folder_of_ours(folder, name);
        if (inner < 0) {
            report_left_out(sweep, path, "its folder cannot be opened");
            remove_entry(sweep, folder, name, path);
        }
        sweep_folder(sweep, inner, path, depth + 1);
    }
}

/* Takes `fd`. `path` is relative to the step's folder, "" for that itself. */
static void sweep_unknown(struct sweep *sweep, int fd, json_object *known, const char *path, unsigned depth)
{
    _cleanup_dir_ DIR *folder = fd < 0 ? NULL : fdopendir(fd);

    if (folder == NULL && fd >= 0)
        (void)close(fd);
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            json_object_object_get_ex(known, entry->d_name, NULL))
            continue;
        _cleanup_free_ char *inner = memory_format("%s%s%s", path, path[0] == '\0' ? "" : "/", entry->d_name);
        sweep_entry(sweep, dirfd(folder), entry->d_name, inner, depth);
    }
}

static void sweep_folder(struct sweep *sweep, int fd, const char *path, unsigned depth)
{
    sweep_unknown(sweep, fd, NULL, path, depth);
}

static void sweep_all(const char *folder, json_object *known, artifacts_report *report_one, void *context)
{
    struct sweep sweep = {.folder = folder, .report = report_one, .context = context};
    char text[96];

    sweep.root = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sweep.root < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        (void)unlink(folder);
        report_one(context, "the step's artifacts were removed: something else has replaced their folder");
    }
    if (sweep.root < 0)
        return;
    sweep_unknown(&sweep, openat(sweep.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), known, "", 1);
    (void)close(sweep.root);
    if (sweep.count <= MOST_REPORTED)
        return;
    snprintf(text, sizeof text, "%zu more artifact%s removed", sweep.count - MOST_REPORTED,
             sweep.count - MOST_REPORTED == 1 ? " was" : "s were");
    report_one(context, text);
}

void artifacts_sweep(const char *folder, artifacts_report *report_one, void *context)
{
    sweep_all(folder, NULL, report_one, context);
}

void artifacts_sweep_new(const char *folder, json_object *known, artifacts_report *report_one, void *context)
{
    if (known != NULL)
        sweep_all(folder, known, report_one, context);
}
