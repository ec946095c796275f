/*
 * The local execution adapter: the worker is a child process of the orchestrator, connected by a
 * socketpair, with a process group of its own, an empty environment and its stderr in a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <osiris/plugin.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The worker's descriptors: its end of the channel, and the command's standard output if a step writes to it. */
#define CHILD_CHANNEL_FD 3
#define CHILD_STDOUT_FD 4

struct local {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    pid_t worker; /* 0: none was started */
    int pidfd;    /* -1: the kernel has no pidfds, or no worker was started */
    bool ended; /* it remains a zombie until `close`, so that its pid is not reused */
    bool signalled;
    int code; /* exit status or signal number */
};

static int fail(const struct osiris_host *host, int32_t category, int number, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

static int fail(const struct osiris_host *host, int32_t category, int number, const char *format,
                ...)
{
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = category,
        .native_code = number,
        .message = message,
    };
    host->error(host, &report);
    return -1;
}

static int local_open(const struct osiris_host *host, const struct osiris_adapter_context *context,
                      void **state)
{
    struct local *local = calloc(1, sizeof *local);

    if (local == NULL)
        return fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, "out of memory");
    local->host = host;
    local->context = context;
    local->pidfd = -1;
    *state = local;
    return 0;
}

static int local_prepare(void *state)
{
    const struct local *local = state;

    if (access(local->context->worker_path, X_OK) < 0)
        return fail(local->host, OSIRIS_ERROR_CONFIG, errno, "cannot run the worker \"%s\": %s",
                    local->context->worker_path, strerror(errno));
    return 0;
}

/* Starting. Only async-signal-safe calls between fork and exec. */

static int move_fd(int from, int to)
{
    /* dup2 onto itself would leave close-on-exec set. */
    if (from == to)
        return fcntl(from, F_SETFD, 0);
    return dup2(from, to) < 0 ? -1 : 0;
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `report` gets errno if the worker cannot be started. */
static void run_child(const struct osiris_adapter_context *context, pid_t parent, int channel,
                      int diagnostics, int report)
{
    char number[] = {'0' + CHILD_CHANNEL_FD, '\0'}, stdout_number[] = {'0' + CHILD_STDOUT_FD, '\0'};
    bool has_stdout = OSIRIS_HAS(context, standard_output) && context->standard_output >= 0;
    char *const arguments[] = {(char *)context->worker_path,
                               (char *)"--channel-fd",
                               number,
                               has_stdout ? (char *)"--stdout-fd" : NULL,
                               stdout_number,
                               NULL};

    (void)setpgid(0, 0);
    /* The worker sets this, too; until then nothing else would end it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    reset_signals();
    /* Above the numbers that the worker's descriptors get. */
    int high_channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
    int high_diagnostics = fcntl(diagnostics, F_DUPFD_CLOEXEC, 10);
    int high_report = fcntl(report, F_DUPFD_CLOEXEC, 10);
    int high_stdout = has_stdout ? fcntl(context->standard_output, F_DUPFD_CLOEXEC, 10) : -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (high_channel >= 0 && high_diagnostics >= 0 && high_report >= 0 && null >= 0 &&
        move_fd(null, STDIN_FILENO) == 0 && move_fd(high_diagnostics, STDOUT_FILENO) == 0 &&
        move_fd(high_diagnostics, STDERR_FILENO) == 0 &&
        move_fd(high_channel, CHILD_CHANNEL_FD) == 0 &&
        (!has_stdout || move_fd(high_stdout, CHILD_STDOUT_FD) == 0)) {
#ifdef SYS_close_range
        /* For descriptors that libraries have opened without close-on-exec; 4 is CLOEXEC. */
        (void)syscall(SYS_close_range, (has_stdout ? CHILD_STDOUT_FD : CHILD_CHANNEL_FD) + 1, ~0u,
                      4);
#endif
        execve(context->worker_path, arguments, (char *const *)context->environment);
    }
    int reason = errno;
    (void)!write(high_report >= 0 ? high_report : report, &reason, sizeof reason);
    _exit(127);
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            (void)close(pair[i]);
}

static int start(struct local *local, int sockets[2], int pipes[2], int reports[2])
{
    pid_t parent = getpid();
    int reason = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ||
        pipe2(pipes, O_CLOEXEC) < 0 || pipe2(reports, O_CLOEXEC) < 0)
        return fail(local->host, OSIRIS_ERROR_IO, errno, "cannot create a socket pair: %s",
                    strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return fail(local->host, OSIRIS_ERROR_IO, errno, "cannot start a process: %s",
                    strerror(errno));
    if (child == 0)
        run_child(local->context, parent, sockets[1], pipes[1], reports[1]);
    local->worker = child;
    /* Here as well as in the child: the group must exist before anyone kills it. */
    (void)setpgid(child, child);
#ifdef SYS_pidfd_open
    local->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
#endif
    (void)close(reports[1]);
    reports[1] = -1;
    ssize_t got;
    do {
        got = read(reports[0], &reason, sizeof reason);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof reason)
        return fail(local->host, OSIRIS_ERROR_CONFIG, reason, "cannot run the worker \"%s\": %s",
                    local->context->worker_path, strerror(reason));
    return 0;
}

static int local_execute(void *state, struct osiris_channel *channel)
{
    struct local *local = state;
    int sockets[2] = {-1, -1}, pipes[2] = {-1, -1}, reports[2] = {-1, -1};
    int result = start(local, sockets, pipes, reports);

    if (result == 0) {
        channel->socket = sockets[0];
        channel->diagnostics = pipes[0];
        sockets[0] = pipes[0] = -1;
    }
    close_pair(sockets);
    close_pair(pipes);
    close_pair(reports);
    return result;
}

/* Ending. */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void check_worker(struct local *local)
{
    siginfo_t info = {0};
    int result;

    if (local->ended || local->worker == 0)
        return;
    do {
        result = waitid(P_PID, (id_t)local->worker, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    if (result < 0 || info.si_pid != local->worker)
        return;
    local->ended = true;
    local->signalled = info.si_code != CLD_EXITED;
    local->code = info.si_status;
}

static void wait_for_end(struct local *local, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;

    check_worker(local);
    while (!local->ended && local->worker != 0) {
        int64_t left = deadline - now_ms();
        struct pollfd ended = {.fd = local->pidfd, .events = POLLIN};
        if (left <= 0)
            return;
        /* Without a pidfd (kernels before 5.3) this checks a hundred times a second. */
        (void)poll(&ended, local->pidfd >= 0, local->pidfd >= 0 || left < 10 ? (int)left : 10);
        check_worker(local);
    }
}

static int local_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct local *local = state;

    wait_for_end(local, timeout_ms);
    result->code = 0;
    if (local->worker == 0) {
        result->state = OSIRIS_WORKER_LOST;
    } else if (!local->ended) {
        result->state = OSIRIS_WORKER_RUNNING;
    } else {
        result->state = local->signalled ? OSIRIS_WORKER_SIGNALLED : OSIRIS_WORKER_EXITED;
        result->code = local->code;
    }
    return 0;
}

static int local_terminate(void *state, int32_t how)
{
    struct local *local = state;

    if (local->worker == 0)
        return 0;
    if (how == OSIRIS_TERMINATE_KILL)
        (void)kill(-local->worker, SIGKILL);
    else
        (void)kill(local->worker, SIGTERM);
    return 0;
}

/* The worker has written its artifacts to their final folder. */
static int local_collect(void *state)
{
    (void)state;
    return 0;
}

static void local_close(void *state)
{
    struct local *local = state;

    if (local->worker != 0) {
        /* The group outlives its leader while it contains a driver's child. */
        (void)kill(-local->worker, SIGKILL);
        while (waitpid(local->worker, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (local->pidfd >= 0)
        (void)close(local->pidfd);
    free(local);
}

static const struct osiris_adapter local_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "local",
    .version = "1.0.0",
    .spec = "{\"title\": \"Local\","
            "\"description\": \"Runs the worker as a child process on this machine\","
            "\"configSchema\": {\"type\": \"object\", \"properties\": {},"
            "\"additionalProperties\": false}}",
    .open = local_open,
    .prepare = local_prepare,
    .execute = local_execute,
    .worker_exit = local_worker_exit,
    .terminate = local_terminate,
    .collect = local_collect,
    .close = local_close,
};

static const struct osiris_adapter *const adapters[] = {&local_adapter, NULL};

OSIRIS_PLUGIN(local) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "local",
    .version = "1.0.0",
    .adapters = adapters,
};
