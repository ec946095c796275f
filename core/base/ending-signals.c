/* Which signals ask osiris to end, and how often each has come; see ending-signals.h. */
#include "core/base/ending-signals.h"

#include <stddef.h>
#include <unistd.h>

void ending_signals(sigset_t *signals)
{
    struct sigaction hangup;

    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(signals, SIGHUP);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

bool signal_tally_take(struct signal_tally *tally, const struct signalfd_siginfo *info)
{
    int *direct = &tally->direct[info->ssi_signo % 32], *forwarded = &tally->forwarded[info->ssi_signo % 32];
    int before = larger(*direct, *forwarded);

    if (info->ssi_code == SI_QUEUE && info->ssi_pid == (uint32_t)getppid() && info->ssi_int > *forwarded)
        *forwarded = info->ssi_int;
    else
        (*direct)++;
    return larger(*direct, *forwarded) > before;
}

void signal_tally_forward(struct signal_tally *tally, int number, pid_t child)
{
    (void)sigqueue(child, number, (union sigval){.sival_int = ++tally->forwarded[number % 32]});
}
