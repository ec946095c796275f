/*
 * keyed: an execution adapter with secrets among its options, which it says wherever an adapter can say something. Its
 * worker is a child process, as the local adapter's. `api_key` is secret by its name, `pin` and `deep.code` by the
 * spec.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "test-plugin.h"

#define CHILD_CHANNEL_FD 3

struct keyed {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    pid_t worker;
    int ended, status;
};

static const char spec[] =
    "{\"title\": \"Keyed\", \"description\": \"An adapter with secrets, for tests\","
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"api_key\": {\"type\": \"string\", \"maxLength\": 60}, \"pin\": {\"type\": \"string\"},"
    "\"deep\": {\"type\": \"object\"}, \"url\": {\"type\": \"string\", \"maxLength\": 80}, \"port\": {\"type\": \"integer\"},"
    "\"fail\": {\"type\": \"string\", \"enum\": [\"prepare\", \"execute\"]}}},"
    "\"secrets\": [\"/pin\", \"/deep/code\"]}";

/* All that it has been told, as a text. */
static void describe(const struct osiris_host *host, char *text, size_t size)
{
    snprintf(text, size, "key %s, pin %s, code %s, url %s, near '%.9s'", host->get_string(host, OSIRIS_CONFIG, "api_key", "-"),
             host->get_string(host, OSIRIS_CONFIG, "pin", "-"), host->get_string(host, OSIRIS_CONFIG, "/deep/code", "-"),
             host->get_string(host, OSIRIS_CONFIG, "url", "-"), host->get_string(host, OSIRIS_CONFIG, "api_key", "-"));
}

static int keyed_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    struct keyed *keyed = calloc(1, sizeof *keyed);

    if (keyed == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    keyed->host = host;
    keyed->context = context;
    *state = keyed;
    return 0;
}

static int fails_in(const struct keyed *keyed, const char *verb)
{
    return strcmp(keyed->host->get_string(keyed->host, OSIRIS_CONFIG, "fail", ""), verb) == 0;
}

static int fail(const struct keyed *keyed)
{
    char text[1024];

    describe(keyed->host, text, sizeof text);
    const struct osiris_error_report report = {
        .struct_size = sizeof report, .category = OSIRIS_ERROR_AUTH, .message = text, .hint = text, .native_state = text};
    keyed->host->error(keyed->host, &report);
    return -1;
}

static int keyed_prepare(void *state)
{
    const struct keyed *keyed = state;
    const struct osiris_host *host = keyed->host;
    char text[1024], json[4096];

    describe(host, text, sizeof text);
    snprintf(json, sizeof json, "{\"status\": \"%s\", \"%s\": [\"%s\"], \"api_key\": \"other\"}", text, text, text);
    host->log(host, OSIRIS_WARNING, text);
    host->event(host, "keyed", json);
    host->metric(host, text, 1, text);
    host->metric(host, "key_length", (double)strlen(host->get_string(host, OSIRIS_CONFIG, "api_key", "")), NULL);
    host->metric(host, "port", (double)host->get_integer(host, OSIRIS_CONFIG, "port", -1), NULL);
    return fails_in(keyed, "prepare") ? fail(keyed) : 0;
}

static int keyed_execute(void *state, struct osiris_channel *channel)
{
    struct keyed *keyed = state;
    char number[] = {'0' + CHILD_CHANNEL_FD, '\0'}, option[] = "--channel-fd";
    char *const arguments[] = {(char *)keyed->context->worker_path, option, number, NULL};
    int sockets[2], pipes[2];
    sigset_t none;

    if (fails_in(keyed, "execute"))
        return fail(keyed);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        return test_fail(keyed->host, OSIRIS_ERROR_IO, "cannot make a channel");
    keyed->worker = fork();
    if (keyed->worker == 0) {
        (void)setpgid(0, 0);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        int high = fcntl(sockets[1], F_DUPFD_CLOEXEC, 10);
        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)dup2(pipes[1], STDERR_FILENO);
        (void)dup2(high, CHILD_CHANNEL_FD);
        execve(keyed->context->worker_path, arguments, (char *const *)keyed->context->environment);
        _exit(127);
    }
    (void)close(sockets[1]);
    (void)close(pipes[1]);
    channel->socket = sockets[0];
    channel->diagnostics = pipes[0];
    return keyed->worker < 0 ? test_fail(keyed->host, OSIRIS_ERROR_IO, "cannot start a process") : 0;
}

static int keyed_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    struct keyed *keyed = state;

    for (int32_t left = timeout_ms; keyed->worker > 0 && !keyed->ended; left -= 10) {
        keyed->ended = waitpid(keyed->worker, &keyed->status, WNOHANG) == keyed->worker;
        if (keyed->ended || left <= 0)
            break;
        (void)nanosleep(&moment, NULL);
    }
    result->state = keyed->worker <= 0          ? OSIRIS_WORKER_LOST
                    : !keyed->ended             ? OSIRIS_WORKER_RUNNING
                    : WIFEXITED(keyed->status) ? OSIRIS_WORKER_EXITED
                                                : OSIRIS_WORKER_SIGNALLED;
    result->code = !keyed->ended ? 0 : WIFEXITED(keyed->status) ? WEXITSTATUS(keyed->status) : WTERMSIG(keyed->status);
    return 0;
}

static int keyed_terminate(void *state, int32_t how)
{
    const struct keyed *keyed = state;

    if (keyed->worker > 0 && !keyed->ended)
        (void)kill(-keyed->worker, how == OSIRIS_TERMINATE_KILL ? SIGKILL : SIGTERM);
    return 0;
}

static int keyed_collect(void *state)
{
    (void)state;
    return 0;
}

static void keyed_close(void *state)
{
    struct keyed *keyed = state;

    if (keyed->worker > 0 && !keyed->ended) {
        (void)kill(-keyed->worker, SIGKILL);
        (void)waitpid(keyed->worker, NULL, 0);
    }
    free(keyed);
}

static const struct osiris_adapter keyed_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "keyed",
    .version = "1.0.0",
    .spec = spec,
    .open = keyed_open,
    .prepare = keyed_prepare,
    .execute = keyed_execute,
    .worker_exit = keyed_worker_exit,
    .terminate = keyed_terminate,
    .collect = keyed_collect,
    .close = keyed_close,
};

static const struct osiris_adapter *const adapters[] = {&keyed_adapter, NULL};

OSIRIS_PLUGIN(keyed) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "keyed",
    .version = "1.0.0",
    .adapters = adapters,
};
