/* The worker as a process; see lifecycle.h. */
#include "worker/lifecycle.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/orphans.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define PRIVATE_FD 10
#define CHILDREN_TIMEOUT_MS 1000
#define EXIT_S 10

/* The running thread's step. Thread-local, and read by the crash handler of the same thread only. */
static __thread const char *thread_step, *thread_component;

void lifecycle_name_thread(const char *step_id, const char *component)
{
    thread_step = step_id;
    thread_component = component;
}

/* One call, so that the output of other threads does not interleave. Async-signal-safe. */
static void print(const char *const *words, int count)
{
    struct iovec parts[8];

    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)words[i], .iov_len = strlen(words[i])};
    (void)!writev(STDERR_FILENO, parts, count);
}

/* Always a line of its own, because osiris searches for it (note_crash in orchestrator/adapter/worker-log.c). */
static void print_end(const char *what)
{
    if (thread_step != NULL)
        print((const char *const[]){"\nosiris-worker: ", what, " in step \"", thread_step, "\" (", thread_component, ")\n"}, 7);
    else
        print((const char *const[]){"\nosiris-worker: ", what, " outside of any step's thread\n"}, 3);
}

void memory_exhausted(void)
{
    memory_wait_unless_first();
    if (thread_step != NULL)
        print_end("out of memory");
    else
        print((const char *const[]){"\nosiris-worker: out of memory\n"}, 1);
    _exit(1);
}

#ifndef OSIRIS_SANITIZED
/* The signal's default action follows, so that the exit status also shows it. */
static void on_crash(int number)
{
    print_end(number == SIGSEGV  ? "SIGSEGV"
              : number == SIGBUS ? "SIGBUS"
              : number == SIGFPE ? "SIGFPE"
              : number == SIGILL ? "SIGILL"
                                 : "SIGABRT");
    (void)raise(number);
}

static void watch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaction(numbers[i], &action, NULL);
}
#endif

static int move_descriptors(int channel_fd, struct osiris_error *error)
{
    int private_fd = fcntl(channel_fd, F_DUPFD_CLOEXEC, PRIVATE_FD);
    _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (private_fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        osiris_error_set_errno(error, errno, "cannot use descriptor %d as the channel", channel_fd);
        cleanup_close_value(&private_fd);
        return -1;
    }
    if (channel_fd > STDERR_FILENO)
        (void)close(channel_fd);
    return private_fd;
}

void lifecycle_note_origin(struct worker_origin *origin)
{
    int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    origin->output.umask = umask(0);
    (void)umask(origin->output.umask);
    origin->path = getcwd(NULL, 0);
    /* Above the numbers that a careless driver closes. */
    origin->output.folder = folder < 0 ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, PRIVATE_FD);
    if (folder >= 0)
        (void)close(folder);
    if (origin->output.folder < 0)
        origin->output.folder = AT_FDCWD;
}

int lifecycle_enter(struct worker_origin *origin, const char *folder, struct osiris_error *error)
{
    if (chdir(folder) < 0)
        return osiris_error_set_errno(error, errno, "cannot use the working directory \"%s\"", folder);
    free(origin->path);
    cleanup_close_value(&origin->output.folder);
    lifecycle_note_origin(origin);
    return 0;
}

int lifecycle_begin(int channel_fd, struct osiris_error *error)
{
    static const struct rlimit no_core = {0, 0};
    pid_t parent = getppid();

    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    orphans_adopt(NULL);
    /* Secrets are in this process's memory. */
#ifndef OSIRIS_SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0);
    watch_crashes();
#endif
    if (getpgrp() != getpid())
        (void)setpgid(0, 0);
    /* A second line of defence: the end of the channel is the first. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the orchestrator is gone already");
    return move_descriptors(channel_fd, error);
}

int lifecycle_signal_fd(struct osiris_error *error)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return osiris_error_set_errno(error, errno, "cannot block signals");
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return osiris_error_set_errno(error, errno, "cannot watch for signals");
    return fd;
}

void lifecycle_end_children(void)
{
    size_t count = orphans_end(NULL, CHILDREN_TIMEOUT_MS);

    if (count > 0)
        fprintf(stderr, "osiris-worker: ended %zu process%s that drivers had left behind\n", count,
                count == 1 ? "" : "es");
}

void lifecycle_bound_exit(void)
{
#ifndef OSIRIS_SANITIZED
    sigset_t alarms;

    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    (void)signal(SIGALRM, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    (void)alarm(EXIT_S);
#endif
}

void lifecycle_kill_group(void)
{
    lifecycle_end_children();
    if (getpgrp() == getpid())
        (void)kill(0, SIGKILL);
    _exit(1);
}
