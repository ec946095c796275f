/* The signals that end osiris, and counting them; see ending-signals.h. */
#include "orchestrator/base/ending-signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* The counts of the supervising parent, or NULL. Set once. */
static const struct signal_counts *shared;

void ending_signals(sigset_t *signals)
{
    struct sigaction hangup;

    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(signals, SIGHUP);
}

static bool is_forwarded(const struct signalfd_siginfo *info)
{
    return shared != NULL && info->ssi_code == SI_QUEUE && info->ssi_pid == (uint32_t)getppid();
}

int signal_tally_take(struct signal_tally *tally, const struct signalfd_siginfo *info)
{
    size_t number = info->ssi_signo % 32;
    int count = shared == NULL ? 0 : atomic_load(&shared->seen[number]);

    if (!is_forwarded(info))
        tally->direct[number]++;
    if (count < tally->direct[number])
        count = tally->direct[number];
    int before = tally->known[number];
    tally->known[number] = count;
    return count - before;
}

void signal_counts_share(const struct signal_counts *counts)
{
    shared = counts;
}

/* Counted before it is sent, so that the count is there when the signal arrives, or when it is lost because one is pending. */
void signal_counts_forward(struct signal_counts *counts, int number, pid_t child)
{
    (void)atomic_fetch_add(&counts->seen[number % 32], 1);
    (void)sigqueue(child, number, (union sigval){0});
}
