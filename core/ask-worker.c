/* Asking a worker what plug-ins are; see describe-process.h. */
#include "core/describe-process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "core/buffer.h"
#include "core/clock.h"

#define ANSWER_MAXIMUM (64u << 20)

static int spawn_worker(const char *worker_path, const char *const *files, size_t count,
                        int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    char *environment[] = {NULL};
    char **arguments = calloc(count + 3, sizeof *arguments);
    int result = ENOMEM;

    if (arguments == NULL)
        return result;
    arguments[0] = (char *)worker_path;
    arguments[1] = (char *)"--describe";
    for (size_t i = 0; i < count; i++)
        arguments[i + 2] = (char *)files[i];
    if (posix_spawn_file_actions_init(&actions) == 0) {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        result = posix_spawn(pid, worker_path, &actions, NULL, arguments, environment);
        posix_spawn_file_actions_destroy(&actions);
    }
    free(arguments);
    return result;
}

/* Reads to the end, or until the deadline. */
static int read_answer(int fd, int64_t deadline_ms, struct buffer *answer,
                       struct osiris_error *error)
{
    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                    "osiris-worker did not describe the drivers in time");
        char *room = buffer_reserve(answer, 65536);
        ssize_t got = room == NULL ? -1 : read(fd, room, 65536);
        if (room == NULL)
            return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "the drivers' descriptions are too long");
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return osiris_error_set_errno(error, errno, "cannot read the drivers' descriptions");
        if (got == 0)
            return buffer_append(answer, "", 0);
        answer->length += (size_t)got;
    }
}

json_object *describe_with_worker(const char *worker_path, const char *const *files, size_t count,
                                  struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(ANSWER_MAXIMUM);
    int pipes[2];
    int status;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0) {
        osiris_error_set_errno(error, errno, "cannot describe the drivers");
        return NULL;
    }
    int reason = spawn_worker(worker_path, files, count, pipes[1], &pid);
    (void)close(pipes[1]);
    if (reason != 0) {
        (void)close(pipes[0]);
        osiris_error_set_errno(error, reason, "cannot start \"%s\"", worker_path);
        osiris_error_hint(error, "OSIRIS_WORKER names another osiris-worker");
        return NULL;
    }
    int64_t deadline_ms = clock_monotonic_ms() + 10000 + 5000 * (int64_t)count;
    int result = read_answer(pipes[0], deadline_ms, &answer, error);
    (void)close(pipes[0]);
    if (result < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (result < 0)
        return NULL;
    json_object *descriptions = answer.length == 0 ? NULL : json_tokener_parse(answer.data);
    if (!json_object_is_type(descriptions, json_type_array)) {
        json_object_put(descriptions);
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "\"%s --describe\" did not answer (%s %d)", worker_path,
                         WIFSIGNALED(status) ? "signal" : "exit status",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return NULL;
    }
    return descriptions;
}
