/* The processes that reach the place; see command.h. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <osiris/kit.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_MS 1000 /* from SIGTERM to SIGKILL */
#define TICK_MS 5

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Between fork and exec: only async-signal-safe calls. */

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `report` gets errno. None of the descriptors is a standard one. */
static void run(const struct options *options, pid_t parent, const int standard[3], int report)
{
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    reset_signals();
    for (int i = 0; i < 3; i++)
        if (dup2(standard[i], i) < 0)
            _exit(1);
#ifdef SYS_close_range
    /* For descriptors that libraries have opened without close-on-exec; 4 is CLOEXEC. */
    (void)syscall(SYS_close_range, 3u, ~0u, 4);
#endif
    execvpe(options->command[0], options->command, options->environment);
    int reason = errno;
    (void)!write(report, &reason, sizeof reason);
    _exit(127);
}

/* [0] is read from, [1] written to. */
static int make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (high < 0)
            return -1;
        (void)close(ends[i]);
        ends[i] = high;
    }
    return 0;
}

/* 0, or the reason why the command cannot be run. */
static int read_report(int report)
{
    int reason = 0;
    ssize_t got;

    do {
        got = read(report, &reason, sizeof reason);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof reason ? reason : 0;
}

static int start_with(struct command *command, const struct options *options, int pipes[4][2])
{
    const pid_t parent = getpid();

    for (int i = 0; i < 4; i++)
        if (make_pipe(pipes[i]) < 0)
            return errno;
    const int standard[] = {pipes[0][0], pipes[1][1], pipes[2][1]};
    const pid_t child = fork();
    if (child == 0)
        run(options, parent, standard, pipes[3][1]);
    if (child < 0)
        return errno;
    close_fd(&pipes[3][1]);
    int reason = read_report(pipes[3][0]);
    if (reason != 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        return reason;
    }
    *command = (struct command){.pid = child, .input = pipes[0][1], .output = pipes[1][0], .errors = pipes[2][0]};
    pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
    return 0;
}

int command_start(struct command *command, const struct options *options, const struct osiris_host *host)
{
    int pipes[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}; /* standard input, output, error; report */

    *command = (struct command)COMMAND_INIT;
    int reason = start_with(command, options, pipes);
    for (int i = 0; i < 4; i++) {
        close_fd(&pipes[i][0]);
        close_fd(&pipes[i][1]);
    }
    if (reason == 0)
        return 0;
    return osiris_fail(host, reason == ENOENT ? OSIRIS_ERROR_NOT_FOUND : OSIRIS_ERROR_IO, 0, reason, NULL,
                       reason == ENOENT ? "install it, or give its path in the option `command`" : NULL, "cannot run \"%s\": %s",
                       options->command[0], strerror(reason));
}

static void check(struct command *command)
{
    siginfo_t info = {0};
    int result;

    do {
        result = waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    if (result < 0 || info.si_pid != command->pid)
        return;
    command->ended = true;
    command->signalled = info.si_code != CLD_EXITED;
    command->code = info.si_status;
}

bool command_wait(struct command *command, int timeout_ms)
{
    const int64_t deadline = now_ms() + timeout_ms;

    if (command->pid == 0)
        return true;
    check(command);
    while (!command->ended && now_ms() < deadline) {
        (void)poll(NULL, 0, TICK_MS);
        check(command);
    }
    return command->ended;
}

/* Also what the command has started and left in its group. Orphans may become children of this process. */
static void end_group(pid_t group)
{
    const int64_t deadline = now_ms() + TERM_MS;

    (void)kill(-group, SIGKILL);
    while (waitpid(group, NULL, 0) < 0 && errno == EINTR)
        continue;
    while (kill(-group, 0) == 0 && now_ms() < deadline)
        if (waitpid(-group, NULL, WNOHANG) <= 0)
            (void)poll(NULL, 0, TICK_MS);
}

void command_end(struct command *command, int patience_ms)
{
    close_fd(&command->input);
    close_fd(&command->output);
    close_fd(&command->errors);
    if (command->pid == 0)
        return;
    if (!command_wait(command, patience_ms)) {
        (void)kill(-command->pid, SIGTERM);
        (void)command_wait(command, TERM_MS);
    }
    end_group(command->pid);
    command->pid = 0;
}
