/* Asking the dynamic loader; see libraries.h. */
#include "orchestrator/bundle/libraries.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/read-to-end.h"

#define OUTPUT_MAXIMUM (4u << 20)
#define TIMEOUT_MS 30000

/* Of a library there may be variants for newer processors (glibc-hwcaps/x86-64-v3/…), which the place may not have. The
 * option is as old as these folders; older ones have LD_HWCAP_MASK. */
static bool knows_hwcaps_mask(void)
{
    return strverscmp(gnu_get_libc_version(), "2.33") >= 0;
}

/* As ldd does it: with `--list` a missing library would be the only one that is named. Errors come over the same pipe:
 * what is not a line of the list is one. */
static int spawn_loader(const char *loader, const char *file, const char *preload, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    char *masked[] = {(char *)loader, (char *)"--glibc-hwcaps-mask", (char *)"none", (char *)file, NULL};
    char *plain[] = {(char *)loader, (char *)file, NULL};
    char **arguments = knows_hwcaps_mask() ? masked : plain;
    _cleanup_free_ char *variable = memory_format("LD_PRELOAD=%s", preload == NULL ? "" : preload);
    char *environment[] = {(char *)"LD_TRACE_LOADED_OBJECTS=1", (char *)"LD_HWCAP_MASK=0", variable, NULL};

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    int result = posix_spawn(pid, loader, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

static int end_loader(pid_t pid, bool kills)
{
    int status;

    if (kills)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* The loader's words: 0, or -1 with the error set. */
static int run_loader(const char *loader, const char *file, const char *preload, struct buffer *words,
                      struct osiris_error *error)
{
    int pipes[2];
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return osiris_error_set_errno(error, errno, "cannot run \"%s\"", loader);
    int reason = spawn_loader(loader, file, preload, pipes[1], &pid);
    (void)close(pipes[1]);
    if (reason != 0) {
        (void)close(pipes[0]);
        return osiris_error_set_errno(error, reason, "cannot run \"%s\"", loader);
    }
    enum read_result result = read_to_end(pipes[0], clock_monotonic_ms() + TIMEOUT_MS, words);
    (void)close(pipes[0]);
    int status = end_loader(pid, result != READ_WHOLE);
    if (result != READ_WHOLE)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "\"%s\" did not end, or said too much, when it was to list the libraries of \"%s\"",
                                loader, file);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "cannot list the libraries of \"%s\": \"%s\" says: %.300s", file, loader,
                                words->length == 0 ? "nothing" : words->data);
    return 0;
}

/* One line:
 *     	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f…)
 *     	libacme.so.1 => not found
 *     	linux-vdso.so.1 (0x…)              the kernel's
 *     	/opt/acme/libacme.so.1 (0x…)       needed by its path; or the loader itself
 */
static void read_line(char *line, const char *loader, json_object *found)
{
    char *arrow = strstr(line, " => "), *address = strstr(line, " (0x");

    if (line[0] != '\t')
        return;
    line++;
    /* A path may contain anything: the last address counts. */
    for (char *next = address; next != NULL; next = strstr(next + 1, " (0x"))
        address = next;
    if (address != NULL)
        *address = '\0';
    if (arrow == NULL) {
        if (line[0] == '/' && strcmp(line, loader) != 0)
            json_add(found, line, json_string(line));
        return;
    }
    *arrow = '\0';
    const char *path = arrow + strlen(" => ");
    if (path[0] != '/')
        json_add(found, line, NULL);
    else if (strcmp(path, loader) != 0)
        json_add(found, line, json_string(path));
}

json_object *libraries_list(const char *loader, const char *file, const char *preload, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer words = BUFFER_INIT(OUTPUT_MAXIMUM);
    json_object *found;
    char *rest, *line;

    if (run_loader(loader, file, preload, &words, error) < 0)
        return NULL;
    found = json_object_new_object();
    for (rest = words.data; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        read_line(line, loader, found);
    return found;
}
