/*
 * The signals that end osiris: it cancels the run and tears down what it has created.
 *
 * If the run's process has a supervising parent (cli/supervise.h), a signal may be sent to either of them or to both:
 * Ctrl-C, `kill -- -GROUP` and `timeout` signal the process group, and systemd signals all processes of the unit, but
 * `kill PID` signals one. A signal does not show reliably which of these it was. So the parent counts and forwards each
 * signal, and the child counts those that it receives directly. The larger count is the number of signals. The parent's
 * count is in shared memory, because a forwarded signal is lost while one of its kind is pending. (As always, a signal
 * may also be lost while its process has not read an earlier one of its kind.)
 */
#ifndef OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H
#define OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup), because an ignored signal would be received if it were blocked. */
void ending_signals(sigset_t *signals);

/* The signals that a supervising parent has received, by number. Zeroed: none. */
struct signal_counts {
    atomic_int seen[32];
};

/* [parent] Counts the signal and forwards it. */
void signal_counts_forward(struct signal_counts *counts, int number, pid_t child);
/* [child, while there is one thread] Sets the parent's counts. */
void signal_counts_share(const struct signal_counts *counts);

/* The signals that have been handled, by number. Zeroed: none. */
struct signal_tally {
    int direct[32], known[32];
};

/* The number of new signals, including this one: 0 if this one has already been counted through the other process. */
int signal_tally_take(struct signal_tally *tally, const struct signalfd_siginfo *info);

#endif
