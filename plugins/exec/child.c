/* The processes that reach the place; see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"

#define STEP_MS 5

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
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

/* Osiris's own environment may have secrets, which a command may carry to the place, as srun does. */
static bool may_pass(const struct options *options, const char *variable)
{
    static const char *const names[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "XDG_CONFIG_HOME",
                                        "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "DOCKER_HOST", "DOCKER_CONTEXT",
                                        "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST", "KUBECONFIG"};
    static const char *const prefixes[] = {"LC_", "SLURM_", "SBATCH_"};
    size_t length = strcspn(variable, "=");

    if (length == strlen("SLURM_JWT") && strncmp(variable, "SLURM_JWT", length) == 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == length && strncmp(variable, names[i], length) == 0)
            return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (size_t i = 0; i < options->passed_count; i++)
        if (strlen(options->passed[i]) == length && strncmp(variable, options->passed[i], length) == 0)
            return true;
    return false;
}

/* NULL: out of memory. The variables are the process's own. */
static char **make_environment(const struct options *options)
{
    /* srun would hold back what does not end with a newline; ssh would open a window. */
    static char unbuffered[] = "SLURM_UNBUFFEREDIO=1", no_window[] = "SSH_ASKPASS_REQUIRE=never";
    size_t count = 0, used = 0;

    while (environ[count] != NULL)
        count++;
    char **result = calloc(count + 3, sizeof *result);
    for (size_t i = 0; result != NULL && i < count; i++)
        if (may_pass(options, environ[i]))
            result[used++] = environ[i];
    if (result != NULL) {
        result[used++] = unbuffered;
        result[used++] = no_window;
    }
    return result;
}

/* Async-signal-safe calls only. `report` gets errno. The pipes are above the standard descriptors. */
static void run(char *const *words, char *const *environment, pid_t parent, const int standard[3], int report)
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
    execvpe(words[0], words, environment);
    int reason = errno;
    (void)!write(report, &reason, sizeof reason);
    _exit(127);
}

/* [0] is read from, [1] written to; neither is a standard descriptor. */
static int make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int high = ends[i] > STDERR_FILENO ? ends[i] : fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (high < 0)
            return -1;
        if (high != ends[i])
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

static int start(struct child *child, char *const *words, char *const *environment)
{
    int pipes[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}; /* standard input, output, error; report */
    pid_t parent = getpid();
    int reason = 0;

    for (int i = 0; i < 4 && reason == 0; i++)
        reason = make_pipe(pipes[i]) < 0 ? errno : 0;
    if (reason == 0) {
        const int standard[] = {pipes[0][0], pipes[1][1], pipes[2][1]};
        child->pid = fork();
        if (child->pid == 0)
            run(words, environment, parent, standard, pipes[3][1]);
        reason = child->pid < 0 ? errno : 0;
    }
    close_fd(&pipes[3][1]);
    if (reason == 0)
        reason = read_report(pipes[3][0]);
    if (reason == 0) {
        child->input = pipes[0][1];
        child->output = pipes[1][0];
        child->errors = pipes[2][0];
        pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
    } else if (child->pid > 0) {
        (void)waitpid(child->pid, &child->status, 0);
    }
    for (int i = 0; i < 4; i++) {
        close_fd(&pipes[i][0]);
        close_fd(&pipes[i][1]);
    }
    if (reason != 0)
        child->pid = 0;
    return reason;
}

int child_start(struct child *child, const struct options *options, const struct osiris_host *host)
{
    char **words = calloc(options->count + 2, sizeof *words), **environment = make_environment(options);

    *child = (struct child)CHILD_INIT;
    if (words == NULL || environment == NULL) {
        free(words);
        free(environment);
        return fail(host, OSIRIS_ERROR_INTERNAL, NULL, "out of memory");
    }
    for (size_t i = 0; i < options->count; i++)
        words[i] = (char *)options->command[i];
    words[options->count] = (char *)options->shell;
    int reason = start(child, words, environment);
    free(words);
    free(environment);
    if (reason == 0)
        return 0;
    return fail(host, reason == ENOENT ? OSIRIS_ERROR_NOT_FOUND : reason == EACCES ? OSIRIS_ERROR_PERMISSION : OSIRIS_ERROR_IO,
                reason == ENOENT ? "install it, or give its path in the option `command`" : NULL, "cannot run \"%s\": %s",
                options->command[0], strerror(reason));
}

bool child_wait(struct child *child, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;

    if (child->pid == 0)
        return true;
    while (!child->ended) {
        pid_t got = waitpid(child->pid, &child->status, WNOHANG);
        if (got == child->pid || (got < 0 && errno != EINTR)) {
            child->ended = true;
            break;
        }
        if (now_ms() >= deadline)
            return false;
        (void)poll(NULL, 0, STEP_MS);
    }
    return true;
}

void child_end(struct child *child, int patience_ms)
{
    close_fd(&child->input);
    close_fd(&child->output);
    close_fd(&child->errors);
    if (!child_wait(child, patience_ms)) {
        (void)kill(-child->pid, SIGTERM);
        if (!child_wait(child, 1000)) {
            (void)kill(-child->pid, SIGKILL);
            while (!child_wait(child, 1000))
                continue;
        }
    }
    *child = (struct child)CHILD_INIT;
}
