/* The parent of a detached worker; see keeper.h. */
#include "worker/relay/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/orphans.h"
#include "core/base/remove-tree.h"
#include "worker/relay/bundles.h"
#include "worker/relay/log.h"

#define CHILDREN_TIMEOUT_MS 1000
#define SEEN_MS 5000 /* for a relay to pass the end on */
#define SEEN_STEP_MS 10
#define DRAIN_MS 500 /* for what is in the pipe when the worker has ended */

/* The descriptors of keeper and worker, by their numbers. */
enum { FOLDER_FD = 3, LOCK_FD, LISTEN_FD, PIPE_FD, BUNDLE_FD, FIRST_OTHER_FD };

struct keeper {
    struct relay_folder folder;
    const struct keeper_options *options;
    int signals, pipe;
    pid_t worker;
    int status;
    struct log_writer log;
};

/* Descriptors. */

static void close_from(int first)
{
    struct rlimit limit;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) == 0)
        return;
#endif
    int end = getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
    for (int fd = first; fd < end; fd++)
        (void)close(fd);
}

/* Nothing that the relay has, neither its pipes nor anything that it inherited, may be held open by processes that outlive it. */
static int keep_only(int *folder, int *lock, int *listening, int *bundle)
{
    int *const wanted[] = {folder, lock, listening, NULL, bundle};
    int high[sizeof wanted / sizeof wanted[0]];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        high[i] = wanted[i] == NULL || *wanted[i] < 0 ? -1 : fcntl(*wanted[i], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        if (wanted[i] != NULL && *wanted[i] >= 0 && high[i] < 0)
            return -1;
    }
    if (null < 0)
        return -1;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0)
            return -1;
    for (int i = 0; i < FIRST_OTHER_FD - FOLDER_FD; i++) {
        if (high[i] < 0)
            (void)close(FOLDER_FD + i);
        else if (dup3(high[i], FOLDER_FD + i, O_CLOEXEC) < 0)
            return -1;
        else
            *wanted[i] = FOLDER_FD + i;
    }
    close_from(FIRST_OTHER_FD);
    return 0;
}

static int open_log(const struct relay_folder *folder)
{
    return openat(folder->fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The worker. */

/* It begins when its number is on record, so that whoever has had an answer of it can end it. */
_Noreturn static void be_worker(struct keeper *keeper, int listening, int stderr_pipe, int go, const sigset_t *mask)
{
    char byte;

    if (read(go, &byte, sizeof byte) != (ssize_t)sizeof byte)
        _exit(1);
    (void)close(go);
    if (dup2(stderr_pipe, STDERR_FILENO) < 0 || fchdir(keeper->folder.fd) < 0 || chdir("work") < 0) {
        fprintf(stderr, "osiris-worker: cannot use \"%s/work\": %s\n", keeper->folder.path, strerror(errno));
        _exit(1);
    }
    (void)close(stderr_pipe);
    (void)close(keeper->pipe);
    (void)close(keeper->signals);
    (void)close(keeper->log.fd);
    (void)close(keeper->folder.fd);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)prctl(PR_SET_NAME, "osiris-worker");
    exit(keeper->options->work(listening));
}

static int start_worker(struct keeper *keeper, int listening, const sigset_t *mask)
{
    int ends[2], go[2];

    if (pipe2(ends, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
        return -1;
    keeper->pipe = ends[0];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return -1;
    keeper->worker = fork();
    if (keeper->worker == 0) {
        (void)close(go[1]);
        be_worker(keeper, listening, ends[1], go[0], mask);
    }
    int reason = errno;
    /* Here as well as in the worker: the group must exist before anyone kills it. */
    if (keeper->worker > 0)
        (void)setpgid(keeper->worker, keeper->worker);
    (void)close(ends[1]);
    (void)close(listening);
    errno = reason;
    if (keeper->worker < 0 || relay_folder_write_pids(&keeper->folder, getpid(), keeper->worker, NULL) < 0 ||
        write(go[1], "", 1) != 1)
        return -1;
    (void)close(go[0]);
    (void)close(go[1]);
    return 0;
}

/* Keeping. */

static void handle_signal(struct keeper *keeper)
{
    struct signalfd_siginfo info;

    while (read(keeper->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM)
            (void)kill(keeper->worker, SIGTERM);
        else if (info.ssi_signo == (unsigned)KEEPER_KILL)
            (void)kill(-keeper->worker, SIGKILL);
    }
}

/* Whether it has ended. It stays a zombie, so that its number, and that of its group, is not used again. */
static bool has_ended(const struct keeper *keeper)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)keeper->worker, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == keeper->worker;
}

static void wait_for_worker(struct keeper *keeper)
{
    bool is_open = true;

    while (!has_ended(keeper)) {
        struct pollfd fds[] = {{.fd = keeper->signals, .events = POLLIN},
                               {.fd = is_open ? keeper->pipe : -1, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            handle_signal(keeper);
        if (fds[1].revents != 0)
            is_open = log_copy(&keeper->log, keeper->pipe);
    }
}

/* What it has printed last. A process that has left its group may hold the pipe open. */
static void drain(struct keeper *keeper)
{
    int64_t deadline = clock_monotonic_ms() + DRAIN_MS;

    while (log_copy(&keeper->log, keeper->pipe) && clock_monotonic_ms() < deadline) {
        struct pollfd ready = {.fd = keeper->pipe, .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0)
            return;
    }
}

static void end_all(struct keeper *keeper)
{
    (void)kill(-keeper->worker, SIGKILL);
    while (waitpid(keeper->worker, &keeper->status, 0) < 0 && errno == EINTR)
        continue;
    (void)orphans_end(NULL, CHILDREN_TIMEOUT_MS);
    drain(keeper);
}

/* A relay says that it has passed everything on. Whoever wants nothing more says so, too. */
static void wait_until_seen(const struct keeper *keeper)
{
    int64_t deadline = clock_monotonic_ms() + SEEN_MS;

    while (!relay_folder_has(&keeper->folder, "seen") && clock_monotonic_ms() < deadline)
        (void)poll(NULL, 0, SEEN_STEP_MS);
}

static void remove_all(const struct keeper *keeper, int *bundle)
{
    (void)chdir("/");
    remove_tree(keeper->folder.path);
    cleanup_close_value(bundle);
    if (keeper->options->removes_bundle)
        bundle_remove_unused(keeper->options->bundle);
}

/* Nobody is there to be told but whoever reads the log. */
static void note_failure(struct keeper *keeper, const char *what)
{
    static const int failed = 1 << 8; /* exit status 1 */

    if (keeper->log.fd >= 0)
        dprintf(keeper->log.fd, "osiris-worker: %s: %s\n", what, strerror(errno));
    (void)relay_folder_write_status(&keeper->folder, failed, NULL);
}

static int keep(struct keeper *keeper, int listening)
{
    sigset_t signals, before;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, KEEPER_KILL);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    keeper->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (keeper->signals < 0 || start_worker(keeper, listening, &before) < 0) {
        note_failure(keeper, "cannot start the worker");
        if (keeper->worker > 0)
            end_all(keeper);
        return -1;
    }
    wait_for_worker(keeper);
    end_all(keeper);
    return relay_folder_write_status(&keeper->folder, keeper->status, NULL);
}

_Noreturn static void be_keeper(struct relay_folder *folder, int listening, const struct keeper_options *options)
{
    struct keeper keeper = {.folder = *folder, .options = options, .signals = -1, .pipe = -1, .log = {.fd = -1}};
    int bundle = bundle_use(options->bundle);

    (void)prctl(PR_SET_NAME, "osiris-keeper");
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    orphans_adopt(NULL);
    keeper.log.left = options->log_limit;
    if (keep_only(&keeper.folder.fd, &keeper.folder.lock, &listening, &bundle) < 0)
        _exit(1);
    keeper.log.fd = open_log(&keeper.folder);
    if (keep(&keeper, listening) == 0)
        wait_until_seen(&keeper);
    remove_all(&keeper, &bundle);
    _exit(0);
}

/* A relay that has found the socket finds the log, too. */
static int furnish(const struct relay_folder *folder)
{
    static const char *const names[] = {"work", "artifacts", "tmp"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mkdirat(folder->fd, names[i], 0700) < 0 && errno != EEXIST)
            return -1;
    _cleanup_close_ int log = open_log(folder);
    return log;
}

int keeper_start(struct relay_folder *folder, const struct keeper_options *options, struct osiris_error *error)
{
    _cleanup_close_ int listening = furnish(folder) < 0 ? -1 : relay_folder_listen(folder);
    int status;

    if (listening < 0)
        return osiris_error_set_errno(error, errno, "cannot start a worker in \"%s\"", folder->path);
    pid_t child = fork();
    if (child == 0) {
        /* The keeper gets the next parent above, and no terminal. */
        pid_t keeper = setsid() < 0 ? -1 : fork();
        if (keeper == 0)
            be_keeper(folder, listening, options);
        _exit(keeper < 0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child < 0 || status != 0)
        return osiris_error_set(error, OSIRIS_ERROR_IO, "cannot start a process in \"%s\"", folder->path);
    relay_folder_unlock(folder);
    return 0;
}
