/* The parent of a worker; see keeper.h. */
#include "worker/relay/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/orphans.h"
#include "core/base/remove-tree.h"
#include "worker/relay/callers.h"

#define LOG_BYTES ((size_t)16 << 20)
#define CHILDREN_MS 2000
#define TELL_MS 3000    /* for the last relay to hear of the worker's end */
#define PRIVATE_FD 10   /* above the numbers that a careless driver closes */
#define DRAIN_READS 256 /* of what a worker that has ended has printed */

struct keeper {
    struct keeper_start *start;
    pid_t worker;
    int printed_fd; /* the worker's standard error; -1: it has ended */
    int signal_fd;
    sigset_t old_mask;
    struct log_store log;
    struct callers callers;
};

/* The worker. */

/* Its environment is empty, or has what leads into the bundle that it is in (docs/bundle.md). Of other variables nobody knows what
 * they would do. */
static void clear_environment(void)
{
    const char *bundle = getenv("OSIRIS_BUNDLE");
    _cleanup_free_ char *folder = bundle == NULL || bundle[0] == '\0' ? NULL : strdup(bundle);
    size_t kept = 0;

    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++) {
        const char *value = strchr(environ[i], '=');
        if (folder != NULL && value != NULL && strncmp(value + 1, folder, strlen(folder)) == 0)
            environ[kept++] = environ[i];
    }
    if (environ != NULL)
        environ[kept] = NULL;
}

static int enter_working_folder(const struct folder *folder)
{
    _cleanup_close_ int work = openat(folder->fd, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return work < 0 ? -1 : fchdir(work);
}

_Noreturn static void be_worker(struct keeper *keeper, pid_t parent, int printed_fd, int report_fd)
{
    struct keeper_start *start = keeper->start;

    /* lifecycle_begin arms this, too, but for whoever is the parent then. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    (void)prctl(PR_SET_NAME, "osiris-worker");
    (void)sigprocmask(SIG_SETMASK, &keeper->old_mask, NULL);
    cleanup_close_value(&report_fd);
    cleanup_close_value(&keeper->signal_fd);
    cleanup_close_value(&keeper->printed_fd);
    cleanup_close_value(&start->keeper_socket);
    if (dup2(printed_fd, STDERR_FILENO) < 0 || enter_working_folder(&start->folder) < 0)
        _exit(1);
    cleanup_close_value(&printed_fd);
    folder_close(&start->folder);
    const int lock = fcntl(start->worker_lock, F_DUPFD_CLOEXEC, PRIVATE_FD);
    if (lock < 0)
        _exit(1);
    cleanup_close_value(&start->worker_lock);
    clear_environment();
    exit(start->work(start->worker_socket));
}

static int start_worker(struct keeper *keeper, int report_fd, struct osiris_error *error)
{
    const pid_t self = getpid();
    int pipes[2];
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    if (pipe2(pipes, O_CLOEXEC) < 0 || sigprocmask(SIG_BLOCK, &signals, &keeper->old_mask) < 0)
        return osiris_error_set_errno(error, errno, "cannot start a worker");
    keeper->printed_fd = pipes[0];
    keeper->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    keeper->worker = keeper->signal_fd < 0 || fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : fork();
    if (keeper->worker == 0)
        be_worker(keeper, self, pipes[1], report_fd);
    int reason = errno;
    (void)close(pipes[1]);
    if (keeper->worker < 0)
        return osiris_error_set_errno(error, reason, "cannot start a worker");
    /* As the worker itself does: whoever is first. */
    (void)setpgid(keeper->worker, keeper->worker);
    keeper->callers.pid = keeper->worker;
    cleanup_close_value(&keeper->start->worker_socket);
    return folder_write_pid(&keeper->start->folder, keeper->worker, error);
}

/* While it lives. */

/* True: there may be more. */
static bool read_printed(struct keeper *keeper)
{
    char bytes[LOG_STORE_BLOCK];
    ssize_t got = keeper->printed_fd < 0 ? -1 : read(keeper->printed_fd, bytes, sizeof bytes);

    if (got > 0)
        log_store_append(&keeper->log, bytes, (size_t)got);
    if (got == 0)
        cleanup_close_value(&keeper->printed_fd);
    if (got == 0)
        keeper->printed_fd = -1;
    return got > 0;
}

static void kill_group(const struct keeper *keeper)
{
    (void)kill(-keeper->worker, SIGKILL);
}

static void handle_signals(const struct keeper *keeper)
{
    struct signalfd_siginfo info;

    while (read(keeper->signal_fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            (void)kill(keeper->worker, SIGTERM);
}

/* It is not reaped before its group was killed: until then nobody else can get its number. */
static bool has_ended(struct keeper *keeper)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)keeper->worker, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != keeper->worker)
        return false;
    kill_group(keeper);
    const size_t count = orphans_end(NULL, CHILDREN_MS);
    (void)waitpid(keeper->worker, NULL, WNOHANG);
    if (count > 1) {
        _cleanup_free_ char *line = memory_format("osiris-worker: ended %zu process%s that the worker had left behind",
                                                  count - 1, count == 2 ? "" : "es");
        log_store_append_line(&keeper->log, line);
    }
    for (int i = 0; i < DRAIN_READS && read_printed(keeper); i++)
        continue;
    snprintf(keeper->callers.end, sizeof keeper->callers.end, "%s %d\n",
             info.si_code == CLD_EXITED ? "exited" : "signalled", info.si_status);
    return true;
}

static void serve(struct keeper *keeper, int timeout_ms)
{
    struct pollfd fds[2 + CALLERS_MAXIMUM + 1];

    fds[0] = (struct pollfd){.fd = keeper->signal_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = keeper->printed_fd, .events = POLLIN};
    callers_fill_poll(&keeper->callers, fds + 2);
    (void)poll(fds, sizeof fds / sizeof fds[0], timeout_ms);
    handle_signals(keeper);
    (void)read_printed(keeper);
    callers_serve(&keeper->callers);
    if (keeper->callers.asked)
        (void)kill(keeper->worker, SIGTERM);
    keeper->callers.asked = false;
}

/* Whoever has had it killed does not come again to hear that. */
static void tell_relays(struct keeper *keeper)
{
    const int64_t deadline_ms = clock_monotonic_ms() + TELL_MS;
    int64_t now;

    callers_serve(&keeper->callers);
    while ((now = clock_monotonic_ms()) < deadline_ms) {
        const bool enough = keeper->callers.end_is_known || keeper->callers.killed;
        if (enough && !callers_has_relays(&keeper->callers))
            return;
        struct pollfd fds[CALLERS_MAXIMUM + 1];
        callers_fill_poll(&keeper->callers, fds);
        (void)poll(fds, CALLERS_MAXIMUM + 1, (int)(deadline_ms - now));
        callers_serve(&keeper->callers);
    }
}

static void remove_all(struct keeper *keeper)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct folder locked;

    for (size_t i = 0; i < keeper->start->removed_count; i++)
        if (unlink(keeper->start->removed[i]) < 0)
            remove_tree(keeper->start->removed[i]);
    /* Somebody may have removed it and started another worker there. */
    if (folder_lock(&locked, keeper->start->folder.path, false, &error) == FOLDER_OPEN &&
        folder_is_same(&locked, &keeper->start->folder))
        folder_remove(&locked);
    osiris_error_clear(&error);
    folder_close(&locked);
}

_Noreturn static void keep(struct keeper *keeper)
{
    while (!has_ended(keeper)) {
        serve(keeper, 60000);
        if (keeper->callers.killed)
            kill_group(keeper);
    }
    tell_relays(keeper);
    remove_all(keeper);
    callers_clear(&keeper->callers);
    log_store_clear(&keeper->log);
    _exit(0);
}

/* Its beginning. */

static void isolate(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)prctl(PR_SET_NAME, "osiris-keeper");
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    cleanup_close_value(&null);
    (void)signal(SIGPIPE, SIG_IGN);
    /* If whoever has started this ignores it, nobody would learn how the worker has ended. */
    (void)signal(SIGCHLD, SIG_DFL);
    orphans_adopt(NULL);
}

/* A report is the text of an error, or empty. */
_Noreturn static void be_keeper(struct keeper_start *start, int report_fd)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct keeper keeper = {.start = start, .printed_fd = -1, .signal_fd = -1};

    isolate();
    log_store_init(&keeper.log, LOG_BYTES);
    keeper.callers = (struct callers){.listen_fd = start->keeper_socket, .log = &keeper.log};
    if (start_worker(&keeper, report_fd, &error) < 0) {
        (void)write_fully(report_fd, error.message, strlen(error.message));
        if (keeper.worker > 0)
            kill_group(&keeper);
        folder_remove(&start->folder);
        _exit(1);
    }
    (void)chdir("/");
    folder_unlock(&start->folder);
    (void)write_fully(report_fd, "", 1);
    (void)close(report_fd);
    keep(&keeper);
}

static void close_all(struct keeper_start *start)
{
    cleanup_close_value(&start->worker_lock);
    cleanup_close_value(&start->worker_socket);
    cleanup_close_value(&start->keeper_socket);
    folder_close(&start->folder);
    start->worker_lock = start->worker_socket = start->keeper_socket = -1;
}

static int read_report(int fd, struct osiris_error *error)
{
    char text[1024];
    size_t length = 0;
    ssize_t got;

    while (length < sizeof text - 1) {
        got = read(fd, text + length, sizeof text - 1 - length);
        if (got > 0)
            length += (size_t)got;
        else if (got == 0 || errno != EINTR)
            break;
    }
    text[length] = '\0';
    if (length == 1 && text[0] == '\0')
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s", length == 0 ? "the keeper of the worker has ended" : text);
}

int keeper_detach(struct keeper_start *start, struct osiris_error *error)
{
    int reports[2];

    if (pipe2(reports, O_CLOEXEC) < 0) {
        close_all(start);
        return osiris_error_set_errno(error, errno, "cannot start a worker");
    }
    const pid_t child = fork();
    if (child == 0) {
        (void)close(reports[0]);
        (void)setsid();
        const pid_t keeper = fork();
        if (keeper == 0)
            be_keeper(start, reports[1]);
        _exit(keeper < 0);
    }
    const int reason = errno;
    close_all(start);
    (void)close(reports[1]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    const int result = child < 0 ? osiris_error_set_errno(error, reason, "cannot start a worker")
                                 : read_report(reports[0], error);
    (void)close(reports[0]);
    return result;
}
