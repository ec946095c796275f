/* Adapters that call exit, end their thread, or crash; see guard.h. */
#include "orchestrator/adapter/guard.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>


#define STACK_SIZE (64u << 10)

/* Ways in which a thread has ended, besides signals. */
enum { BY_EXIT = -1, BY_THREAD_EXIT = -2 };

/* Thread-local, and read only by handlers of the same thread. */
static __thread struct adapter_guard *own;
/* Set once, before any adapter is opened. */
static pid_t process;
static int start_folder = -1; /* the folder from which osiris was started */
static mode_t first_umask;
static _Atomic(struct adapter_guard *) first_ended;

/* Async-signal-safe. One call, so that output of other threads does not interleave. */
static void print_parts(const char *const *words, int count)
{
    struct iovec parts[8];

    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)words[i], .iov_len = strlen(words[i])};
    (void)!writev(STDERR_FILENO, parts, count);
}

static void on_late(int number)
{
    struct adapter_guard *guard = atomic_load(&first_ended);

    (void)number;
    print_parts((const char *const[]){"\nosiris: the run has failed: it could not end in an orderly way after the adapter \"",
                                      guard == NULL ? "?" : guard->adapter, "\" had crashed or exited\n"},
                3);
    _exit(1);
}

/* Async-signal-safe. */
static void restore_folder_and_umask(void)
{
    if (start_folder < 0)
        return;
    (void)!fchdir(start_folder);
    (void)umask(first_umask);
}

/* Async-signal-safe. */
static void note_end(struct adapter_guard *guard, int how)
{
    static const uint64_t one = 1;
    struct adapter_guard *nobody = NULL;
    struct sigaction late = {.sa_handler = on_late};

    restore_folder_and_umask();
    /* Set first, because whoever finds the guard in first_ended reads it. */
    atomic_store(&guard->ended, how);
    if (atomic_compare_exchange_strong(&first_ended, &nobody, guard)) {
        sigemptyset(&late.sa_mask);
        (void)sigaction(SIGALRM, &late, NULL);
        (void)alarm(ADAPTER_GUARD_SECONDS);
    }
    (void)!write(guard->wake_fd, &one, sizeof one);
}

static void stop_forever(struct adapter_guard *guard, int how) __attribute__((noreturn));

static void stop_forever(struct adapter_guard *guard, int how)
{
    sigset_t all;

    note_end(guard, how);
    sigfillset(&all);
    for (;;)
        (void)sigsuspend(&all);
}

void adapter_guard_thread_ended(struct adapter_guard *guard)
{
    note_end(guard, BY_THREAD_EXIT);
}

/* A child that an adapter has forked may exit. So may any other thread: osiris itself ends with _exit, and anything else that ends the
 * process is reported by its supervisor. */
static void on_process_exit(void)
{
    if (getpid() == process && own != NULL)
        stop_forever(own, BY_EXIT);
}

#ifndef OSIRIS_SANITIZED
static void on_crash(int number)
{
    if (getpid() == process && own != NULL)
        stop_forever(own, number);
    /* A crash of osiris itself, of a thread that an adapter has started, or of a child: the default action. */
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigset_t signals;

    sigemptyset(&action.sa_mask);
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        (void)sigaction(crashes[i], &action, NULL);
        sigaddset(&signals, crashes[i]);
    }
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
#endif

void adapter_guard_watch(void)
{
    if (process == getpid())
        return;
    process = getpid();
    if (start_folder < 0)
        start_folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    first_umask = umask(0);
    (void)umask(first_umask);
    (void)atexit(on_process_exit);
    (void)at_quick_exit(on_process_exit);
#ifndef OSIRIS_SANITIZED
    watch_crashes();
#endif
}

void adapter_guard_origin(int *folder, mode_t *umask_then)
{
    *folder = start_folder;
    *umask_then = first_umask;
}

void adapter_guard_enter(struct adapter_guard *guard)
{
    own = guard;
    guard->shown = adapter_call_take(guard->adapter);
    /* Not permitted in some containers. There the working directory and umask are shared by all threads, and are only restored. */
    (void)unshare(CLONE_FS);
#ifndef OSIRIS_SANITIZED
    /* After a stack overflow the handler needs another stack. */
    guard->stack = malloc(STACK_SIZE);
    const stack_t stack = {.ss_sp = guard->stack, .ss_size = STACK_SIZE};
    if (guard->stack != NULL)
        (void)sigaltstack(&stack, NULL);
#endif
}

void adapter_guard_leave(struct adapter_guard *guard)
{
    own = NULL;
    adapter_call_release(guard->shown);
#ifndef OSIRIS_SANITIZED
    const stack_t none = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&none, NULL);
    free(guard->stack);
#endif
}

void adapter_guard_call(struct adapter_guard *guard, const char *verb)
{
    restore_folder_and_umask();
    atomic_store(&guard->verb, verb);
    adapter_call_note(guard->shown, verb);
}

bool adapter_guard_has_ended(const struct adapter_guard *guard)
{
    return atomic_load(&guard->ended) != 0;
}

int adapter_guard_explain(const struct adapter_guard *guard, struct osiris_error *error)
{
    const char *verb = atomic_load(&guard->verb);
    int how = atomic_load(&guard->ended);
    const char *name = how > 0 ? sigabbrev_np(how) : NULL;

    if (verb == NULL)
        verb = "?";
    if (how == BY_EXIT)
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "adapter \"%s\": it has called exit in \"%s\"", guard->adapter, verb);
    else if (how == BY_THREAD_EXIT)
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "adapter \"%s\": it has ended its thread in \"%s\"",
                         guard->adapter, verb);
    else
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "adapter \"%s\": it has crashed in \"%s\" (SIG%s)", guard->adapter,
                         verb, name == NULL ? "?" : name);
    return osiris_error_hint(error, "this is a fault of the adapter; what it has created may be left behind");
}

int adapter_guard_check(struct osiris_error *error)
{
    const struct adapter_guard *guard = atomic_load(&first_ended);

    return guard == NULL ? 0 : adapter_guard_explain(guard, error);
}
