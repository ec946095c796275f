/* A signal counts once, whether it comes directly, by the supervising parent, or both ways. */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/base/ending-signals.h"

static struct signalfd_siginfo direct(int number)
{
    return (struct signalfd_siginfo){.ssi_signo = (uint32_t)number, .ssi_code = SI_USER, .ssi_pid = (uint32_t)getppid()};
}

static struct signalfd_siginfo forwarded(int number)
{
    return (struct signalfd_siginfo){.ssi_signo = (uint32_t)number, .ssi_code = SI_QUEUE, .ssi_pid = (uint32_t)getppid()};
}

static struct signal_counts counts;

/* As the parent does. */
static void see(int number)
{
    (void)atomic_fetch_add(&counts.seen[number], 1);
}

static int take(struct signal_tally *tally, struct signalfd_siginfo info)
{
    return signal_tally_take(tally, &info);
}

static void begin(struct signal_tally *tally)
{
    counts = (struct signal_counts){0};
    *tally = (struct signal_tally){0};
    signal_counts_share(&counts);
}

START_TEST(test_one_way)
{
    struct signal_tally tally;

    begin(&tally);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 1);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 1);
    begin(&tally);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
}
END_TEST

START_TEST(test_both_ways)
{
    struct signal_tally tally;

    begin(&tally);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 1);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 0);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 0);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 1);
    /* Each kind by itself. */
    see(SIGTERM);
    ck_assert_int_eq(take(&tally, direct(SIGTERM)), 1);
    ck_assert_int_eq(take(&tally, forwarded(SIGTERM)), 0);
}
END_TEST

START_TEST(test_one_was_lost_as_another_was_pending)
{
    struct signal_tally tally;

    /* To the parent alone, then to both, and the child had not taken the latter when it was forwarded. */
    begin(&tally);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, direct(SIGINT)), 1);
    /* Two to the parent. */
    begin(&tally);
    see(SIGINT);
    see(SIGINT);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 2);
}
END_TEST

START_TEST(test_a_parent_that_does_not_supervise)
{
    struct signal_tally tally;

    begin(&tally);
    signal_counts_share(NULL);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
    ck_assert_int_eq(take(&tally, forwarded(SIGINT)), 1);
}
END_TEST

/* In a child: what comes is the parent's. */
static int wait_for_forwarded(int signal_fd)
{
    struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;

    return poll(&fd, 1, -1) == 1 && read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info && info.ssi_signo == SIGTERM &&
                   info.ssi_code == SI_QUEUE && info.ssi_pid == (uint32_t)getppid()
               ? 0
               : 1;
}

START_TEST(test_forwarding)
{
    struct signal_tally tally;
    sigset_t signals, saved;
    int status;

    begin(&tally);
    ending_signals(&signals);
    (void)sigprocmask(SIG_BLOCK, &signals, &saved);
    pid_t child = fork();
    if (child == 0)
        _exit(wait_for_forwarded(signalfd(-1, &signals, SFD_NONBLOCK)));
    signal_counts_forward(&counts, SIGTERM, child);
    ck_assert_int_eq(atomic_load(&counts.seen[SIGTERM]), 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
}
END_TEST

UNIT_MAIN("ending-signals", test_one_way, test_both_ways, test_one_was_lost_as_another_was_pending,
          test_a_parent_that_does_not_supervise, test_forwarding)
