/* A run under supervision; see supervise.h. */
#include "cli/supervise.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/report.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/file-id.h"
#include "orchestrator/base/ending-signals.h"
#include "orchestrator/adapter/calls.h"

#define WORKERS_MS 5000 /* for workers to end when their orchestrator has */
#define STEP_MS 10
#define END_MS 1000 /* from the end of the lifeline to the end of the child */

/* The state that parent and child share. In memory, because an adapter may close any descriptor. */
struct shared {
    atomic_bool reporting, mute;
    char run_dir[PATH_MAX];
    atomic_int exit_code; /* the exit code plus 1; 0: not set */
    struct adapter_calls calls;
    struct signal_counts signals; /* received by the parent */
};

/* Set once, while there is one thread. In the parent `is_child` is false. */
static struct shared *shared;
static bool is_child;
static struct file_id standard[STDERR_FILENO + 1]; /* what the standard descriptors were of */
static bool has_standard[STDERR_FILENO + 1];

static void note_standard_descriptors(void)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        has_standard[fd] = file_id_of(fd, &standard[fd]);
}

void supervise_note_records(const char *run_dir)
{
    if (is_child)
        snprintf(shared->run_dir, sizeof shared->run_dir, "%s", run_dir);
}

void supervise_begin_report(void)
{
    if (!is_child)
        return;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (has_standard[fd] && !file_id_is(fd, &standard[fd]))
            atomic_store(&shared->mute, true);
    atomic_store(&shared->reporting, true);
}

void supervise_set_exit_code(int code)
{
    if (is_child)
        atomic_store(&shared->exit_code, code + 1);
}

/* Starting. */

static int make_shared(struct osiris_error *error)
{
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return osiris_error_set_errno(error, errno, "cannot supervise the run");
    shared = memory;
    return 0;
}

/* The signals that the parent waits for. Blocked before the fork, so that none is missed. */
static int watch_signals(struct supervision *supervision, struct osiris_error *error)
{
    sigset_t signals;

    /* If it were ignored (which is inherited), children would be reaped before their status is read. */
    (void)signal(SIGCHLD, SIG_DFL);
    ending_signals(&signals);
    sigaddset(&signals, SIGTSTP);
    sigaddset(&signals, SIGCONT);
    sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, &supervision->saved);
    supervision->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervision->signal_fd >= 0)
        return 0;
    (void)sigprocmask(SIG_SETMASK, &supervision->saved, NULL);
    return osiris_error_set_errno(error, errno, "cannot watch for signals");
}

static void enter_child(struct supervision *supervision, pid_t parent)
{
    is_child = true;
    note_standard_descriptors();
    orphans_release(&supervision->adoption);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The parent may have ended before. */
    if (getppid() != parent)
        _exit(EXIT_CODE_FAILED);
    adapter_calls_share(&shared->calls);
    signal_counts_share(&shared->signals);
    (void)close(supervision->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &supervision->saved, NULL);
}

pid_t supervise_start(struct supervision *supervision, struct osiris_error *error)
{
    pid_t parent = getpid();
    int lifeline[2];

    if (make_shared(error) < 0 || watch_signals(supervision, error) < 0)
        return -1;
    orphans_adopt(&supervision->adoption);
    pid_t child = pipe2(lifeline, O_CLOEXEC) < 0 ? -1 : fork();
    if (child < 0) {
        (void)sigprocmask(SIG_SETMASK, &supervision->saved, NULL);
        osiris_error_set_errno(error, errno, "cannot supervise the run");
    } else if (child == 0) {
        /* The writing end stays open until the process ends or is replaced. */
        (void)close(lifeline[0]);
        enter_child(supervision, parent);
    } else {
        (void)close(lifeline[1]);
        supervision->lifeline = lifeline[0];
    }
    supervision->child = child;
    return child;
}

/* Waiting. */

/* Ctrl-Z: stops with the signal itself, so that a shell notices it. */
static void stop_both(const struct supervision *supervision)
{
    sigset_t stop, saved;

    (void)kill(supervision->child, SIGTSTP);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &stop, &saved);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
}

static void forward_signals(const struct supervision *supervision)
{
    struct signalfd_siginfo info;

    while (read(supervision->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGTSTP)
            stop_both(supervision);
        else if (number == SIGCONT)
            (void)kill(supervision->child, SIGCONT);
        else if (number != SIGCHLD)
            signal_counts_forward(&shared->signals, number, supervision->child);
    }
}

/* Waits until the child has ended; *status gets its status. True: it was killed, because it continued after its
 * lifeline had closed. */
static bool wait_for_child(const struct supervision *supervision, int *status)
{
    struct pollfd fds[] = {{.fd = supervision->signal_fd, .events = POLLIN}, {.fd = supervision->lifeline}};
    bool killed = false;

    while (waitpid(supervision->child, status, WNOHANG) != supervision->child) {
        bool is_closed = fds[1].fd < 0;
        int ready = poll(fds, 2, is_closed && !killed ? END_MS : -1);
        if (ready == 0) {
            (void)kill(supervision->child, SIGKILL);
            killed = true;
        }
        if (fds[1].revents != 0)
            fds[1].fd = -1;
        forward_signals(supervision);
    }
    return killed;
}

/* One more Ctrl-C ends the waiting. */
static bool is_cancelled(const struct supervision *supervision)
{
    struct signalfd_siginfo info;

    while (read(supervision->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGCONT && info.ssi_signo != SIGTSTP)
            return true;
    return false;
}

/* They have become this process's children. What lives longer is no worker, or a stopped one. */
static void wait_for_workers(const struct supervision *supervision)
{
    int64_t deadline = clock_monotonic_ms() + WORKERS_MS;

    while (waitpid(-1, NULL, WNOHANG) >= 0 && clock_monotonic_ms() < deadline) {
        struct pollfd signals = {.fd = supervision->signal_fd, .events = POLLIN};
        if (poll(&signals, 1, STEP_MS) > 0 && is_cancelled(supervision))
            return;
    }
}

static int explain(int status, bool killed, struct osiris_error *error)
{
    _cleanup_free_ char *calls = adapter_calls_text(&shared->calls);
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    char how[64];

    if (WIFEXITED(status))
        snprintf(how, sizeof how, "ended (exit code %d)", WEXITSTATUS(status));
    else if (killed)
        snprintf(how, sizeof how, "been replaced (exec)");
    else
        snprintf(how, sizeof how, "been ended by SIG%s", name == NULL ? "RT" : name);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s%sthe process of the run has %s prematurely", calls,
                     calls[0] == '\0' ? "" : ": ", how);
    if (calls[0] != '\0')
        osiris_error_hint(error, "what the adapter has created may be left behind");
    return -1;
}

int supervise_wait(struct supervision *supervision, struct supervised_end *end, struct osiris_error *error)
{
    int status = 0;
    bool killed = wait_for_child(supervision, &status);
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    bool has_code = WIFEXITED(status) && atomic_load(&shared->exit_code) == WEXITSTATUS(status) + 1;

    if (!has_code)
        wait_for_workers(supervision);
    orphans_release(&supervision->adoption);
    (void)close(supervision->signal_fd);
    (void)close(supervision->lifeline);
    (void)sigprocmask(SIG_SETMASK, &supervision->saved, NULL);
    shared->run_dir[sizeof shared->run_dir - 1] = '\0';
    int code = atomic_load(&shared->exit_code);
    *end = (struct supervised_end){.code = code > 0 && code <= 256 ? code - 1 : EXIT_CODE_FAILED,
                                   .has_ended = code > 0,
                                   .has_reported = atomic_load(&shared->reporting),
                                   .is_mute = atomic_load(&shared->mute),
                                   .run_dir = shared->run_dir};
    if (has_code) {
        end->code = WEXITSTATUS(status);
        return 0;
    }
    if (number != 0 && number < 32 && atomic_load(&shared->signals.seen[number]) > 0)
        end->signal = number;
    return explain(status, killed, error);
}
