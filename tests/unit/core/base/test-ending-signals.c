/* A signal counts once, whether it comes directly, by the supervising parent, or both ways. */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/ending-signals.h"

static struct signalfd_siginfo direct(int number)
{
    return (struct signalfd_siginfo){.ssi_signo = (uint32_t)number, .ssi_code = SI_USER, .ssi_pid = (uint32_t)getppid()};
}

static struct signalfd_siginfo forwarded(int number, int count)
{
    return (struct signalfd_siginfo){
        .ssi_signo = (uint32_t)number, .ssi_code = SI_QUEUE, .ssi_pid = (uint32_t)getppid(), .ssi_int = count};
}

static bool take(struct signal_tally *tally, struct signalfd_siginfo info)
{
    return signal_tally_take(tally, &info);
}

START_TEST(test_one_way)
{
    struct signal_tally tally = {0};

    ck_assert(take(&tally, direct(SIGINT)));
    ck_assert(take(&tally, direct(SIGINT)));
    tally = (struct signal_tally){0};
    ck_assert(take(&tally, forwarded(SIGINT, 1)));
    ck_assert(take(&tally, forwarded(SIGINT, 2)));
}
END_TEST

START_TEST(test_both_ways)
{
    struct signal_tally tally = {0};

    ck_assert(take(&tally, direct(SIGINT)));
    ck_assert(!take(&tally, forwarded(SIGINT, 1)));
    ck_assert(take(&tally, forwarded(SIGINT, 2)));
    ck_assert(!take(&tally, direct(SIGINT)));
    ck_assert(take(&tally, direct(SIGINT)));
    /* Each kind by itself. */
    ck_assert(take(&tally, direct(SIGTERM)));
    ck_assert(!take(&tally, forwarded(SIGTERM, 1)));
}
END_TEST

/* The parent's first one was pending still when the direct one came, or the other way round. */
START_TEST(test_one_was_not_queued)
{
    struct signal_tally tally = {0};

    ck_assert(take(&tally, direct(SIGINT)));
    ck_assert(take(&tally, forwarded(SIGINT, 2)));
    tally = (struct signal_tally){0};
    ck_assert(take(&tally, forwarded(SIGINT, 1)));
    ck_assert(take(&tally, forwarded(SIGINT, 2)));
}
END_TEST

/* By a parent that does not supervise. */
START_TEST(test_queued_by_others)
{
    struct signal_tally tally = {0};
    struct signalfd_siginfo other = forwarded(SIGINT, 1);

    ck_assert(take(&tally, forwarded(SIGINT, 0)));
    ck_assert(take(&tally, forwarded(SIGINT, 0)));
    other.ssi_pid = (uint32_t)getpid();
    ck_assert(take(&tally, other));
}
END_TEST

/* How often it has come, by what is read, in a child; -1: nothing came. */
static int count_signals(int signal_fd)
{
    struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
    struct signal_tally tally = {0};
    struct signalfd_siginfo info;
    int count = 0;

    if (poll(&fd, 1, -1) != 1)
        return -1;
    while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        count += signal_tally_take(&tally, &info);
    return tally.forwarded[SIGTERM] == count ? count : -1;
}

START_TEST(test_forwarding)
{
    struct signal_tally tally = {0};
    sigset_t signals, saved;
    int status;

    ending_signals(&signals);
    (void)sigprocmask(SIG_BLOCK, &signals, &saved);
    pid_t child = fork();
    if (child == 0)
        _exit(count_signals(signalfd(-1, &signals, SFD_NONBLOCK)));
    signal_tally_forward(&tally, SIGTERM, child);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
}
END_TEST

UNIT_MAIN("ending-signals", test_one_way, test_both_ways, test_one_was_not_queued, test_queued_by_others, test_forwarding)
