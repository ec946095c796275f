/*
 * Which signals ask osiris to end: it cancels then, and tears down what it has made.
 *
 * Where the process that runs has a supervising parent (cli/supervise.h), a signal comes to either of them, or to both: Ctrl-C and
 * `kill -- -GROUP` go to their process group, as does `timeout`, and systemd's stop goes to all processes of the unit, but `kill PID` goes
 * to one. Nothing about a signal says for sure which it was (a sender that signals a group may look like one that signals a process), so
 * the parent notes and forwards each one, and the child counts: those that came directly, and those that the parent has seen. There have been
 * as many as the larger count says. The parent's count is in memory that both see, as a forwarded signal is lost when one of its kind is
 * pending. (One may still be lost with another that its process has not taken yet, as always.)
 */
#ifndef OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H
#define OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup): one that is blocked would come all the same. */
void ending_signals(sigset_t *signals);

/* What a supervising parent has seen, by number. Zero: nothing. */
struct signal_counts {
    atomic_int seen[32];
};

/* [parent] Counts the signal and passes it on. */
void signal_counts_forward(struct signal_counts *counts, int number, pid_t child);
/* [child, while there is one thread] These are its parent's. */
void signal_counts_share(const struct signal_counts *counts);

/* What has come, by number. Zero: nothing. */
struct signal_tally {
    int direct[32], known[32];
};

/* How many have come with this one, beyond those that were taken before: 0 if it has come on the other way already. */
int signal_tally_take(struct signal_tally *tally, const struct signalfd_siginfo *info);

#endif
