/* Questions about plug-ins; see ask-worker.h. */
#include "orchestrator/registry/ask-worker.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/json-text.h"
#include "core/base/read-to-end.h"

#define ANSWER_MAXIMUM (64u << 20)

struct question {
    const char *worker_path;
    const char *const *arguments; /* NULL-terminated; the first is the worker's option */
    int input;                    /* the worker's standard input, or -1: there is nothing */
    int64_t timeout_ms;
};

static int spawn_worker(const struct question *question, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    char *environment[] = {NULL};
    size_t count = 0;

    while (question->arguments[count] != NULL)
        count++;
    _cleanup_free_ char **arguments = calloc(count + 2, sizeof *arguments);
    arguments[0] = (char *)question->worker_path;
    memcpy(arguments + 1, question->arguments, count * sizeof *arguments);
    posix_spawn_file_actions_init(&actions);
    if (question->input >= 0)
        posix_spawn_file_actions_adddup2(&actions, question->input, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int result = posix_spawn(pid, question->worker_path, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

static int read_answer(int fd, int64_t deadline_ms, struct buffer *answer,
                       struct osiris_error *error)
{
    switch (read_to_end(fd, deadline_ms, answer)) {
    case READ_WHOLE:
        return 0;
    case READ_LATE:
        return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                                "osiris-worker did not answer in time");
    default:
        if (answer->failed)
            return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                    "the answer of osiris-worker is too long");
        return osiris_error_set_errno(error, errno, "cannot read the answer of osiris-worker");
    }
}

static json_object *ask(const struct question *question, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(ANSWER_MAXIMUM);
    int pipes[2];
    int status;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0) {
        osiris_error_set_errno(error, errno, "cannot run \"%s\"", question->worker_path);
        return NULL;
    }
    int reason = spawn_worker(question, pipes[1], &pid);
    (void)close(pipes[1]);
    if (reason != 0) {
        (void)close(pipes[0]);
        osiris_error_set_errno(error, reason, "cannot start \"%s\"", question->worker_path);
        osiris_error_hint(error, "set OSIRIS_WORKER to use another osiris-worker");
        return NULL;
    }
    int result = read_answer(pipes[0], clock_monotonic_ms() + question->timeout_ms, &answer, error);
    (void)close(pipes[0]);
    if (result < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (result < 0)
        return NULL;
    json_object *answers = answer.length == 0 ? NULL : json_parse(answer.data, NULL);
    if (!json_object_is_type(answers, json_type_array)) {
        json_object_put(answers);
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "\"%s %s\" did not answer (%s %d)",
                         question->worker_path, question->arguments[0],
                         WIFSIGNALED(status) ? "signal" : "exit status",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return NULL;
    }
    return answers;
}

static int64_t time_for(size_t count)
{
    return 10000 + 5000 * (int64_t)count;
}

json_object *describe_with_worker(const char *worker_path, const char *const *files, size_t count,
                                  struct osiris_error *error)
{
    _cleanup_free_ const char **arguments = calloc(count + 2, sizeof *arguments);
    const struct question question = {
        .worker_path = worker_path,
        .arguments = arguments,
        .input = -1,
        .timeout_ms = time_for(count),
    };

    arguments[0] = "--describe";
    memcpy(arguments + 1, files, count * sizeof *files);
    return ask(&question, error);
}

json_object *validate_with_worker(const char *worker_path, json_object *questions,
                                  struct osiris_error *error)
{
    static const char *const arguments[] = {"--validate", NULL};
    const char *text = json_text(questions, JSON_C_TO_STRING_PLAIN, NULL);
    /* A file in memory, so that the worker need not read it while it is written. */
    _cleanup_close_ int input = memfd_create("questions", MFD_CLOEXEC);
    const struct question question = {
        .worker_path = worker_path,
        .arguments = arguments,
        .input = input,
        .timeout_ms = time_for(json_object_array_length(questions)),
    };

    if (input < 0 || write_fully(input, text, strlen(text)) < 0 ||
        lseek(input, 0, SEEK_SET) < 0) {
        osiris_error_set_errno(error, errno, "cannot ask the drivers");
        return NULL;
    }
    json_object *answers = ask(&question, error);
    if (answers != NULL && json_object_array_length(answers) != json_object_array_length(questions)) {
        json_object_put(answers);
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "\"%s --validate\" did not answer all questions",
                         worker_path);
        return NULL;
    }
    return answers;
}
