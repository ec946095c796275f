/* Which step writes which file; see claims.h. */
#include "core/output/claims.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/memory.h"

#define TRIES 100
#define CLAIM_SIZE (NAME_MAX + 2)

static char *claims_folder(const struct claims *claims)
{
    return memory_format("%s/files-%s", claims->temp_root, claims->run_id);
}

static char *claim_path(const struct claims *claims, const char *identity)
{
    return memory_format("%s/files-%s/%s", claims->temp_root, claims->run_id, identity);
}

static int make_folder(const struct claims *claims, struct osiris_error *error)
{
    _cleanup_free_ char *folder = claims_folder(claims);

    return make_directories(folder, 0700, error);
}

static int refuse(const struct output *output, const char *other, struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is also written by the step \"%s\"", output_path(output), other);
    osiris_error_hint(error, "give each step its own path");
    return -1;
}

/* Appending is no exception: two steps of a group would append to the same rows, and one of them would lose. */
static int take(const struct output *output, const char *path, const char *step_id, struct osiris_error *error)
{
    char theirs[CLAIM_SIZE];

    for (int tries = 0; tries < TRIES; tries++) {
        if (symlink(step_id, path) == 0)
            return 0;
        ssize_t length = errno == EEXIST ? readlink(path, theirs, sizeof theirs - 1) : -1;
        if (length < 0 && errno != ENOENT)
            break;
        if (length < 0)
            continue; /* it was dropped meanwhile */
        theirs[length] = '\0';
        /* It may be left from a worker of this step that has died. */
        return strcmp(theirs, step_id) == 0 ? 0 : refuse(output, theirs, error);
    }
    return osiris_error_set_errno(error, errno, "cannot note who writes \"%s\"", output_path(output));
}

int claims_take(const struct claims *claims, const struct output *output, const char *identity, const char *step_id,
                struct osiris_error *error)
{
    _cleanup_free_ char *path = claim_path(claims, identity);

    return make_folder(claims, error) < 0 ? -1 : take(output, path, step_id, error);
}

void claims_drop(const struct claims *claims, const char *identity)
{
    _cleanup_free_ char *path = claim_path(claims, identity);

    (void)unlink(path);
}

void claims_remove(const struct claims *claims, bool (*is_mine)(const void *context, const char *step_id), const void *context)
{
    _cleanup_free_ char *path = claims_folder(claims);
    _cleanup_dir_ DIR *folder = opendir(path);

    if (folder == NULL)
        return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char claim[CLAIM_SIZE];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, claim, sizeof claim - 1);
        claim[length < 0 ? 0 : length] = '\0';
        if (length > 0 && (is_mine == NULL || is_mine(context, claim)))
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    (void)rmdir(path);
}
