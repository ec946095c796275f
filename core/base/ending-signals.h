/*
 * Which signals ask osiris to end: it cancels then, and tears down what it has made.
 *
 * Where the process that runs has a supervising parent (cli/supervise.h), a signal comes to either of them, or to both: Ctrl-C and
 * `kill -- -GROUP` go to their process group, as does `timeout`, and systemd's stop goes to all processes of the unit, but `kill PID` goes
 * to one. Nothing about a signal says for sure which it was (a sender that signals a group may look like one that signals a process), so
 * the parent forwards each one, and the child counts: those that came directly, and those that the parent has seen. There have been as many
 * as the larger count says. The parent sends its count along, as signals that are pending already are not queued. (For that reason
 * alone one may be lost: if a process group is signalled, and then the parent, before it has taken the first.)
 */
#ifndef OSIRIS_CORE_BASE_ENDING_SIGNALS_H
#define OSIRIS_CORE_BASE_ENDING_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup): one that is blocked would come all the same. */
void ending_signals(sigset_t *signals);

/* Zero: none has come. */
struct signal_tally {
    int direct[32], forwarded[32]; /* by number */
};

/* In the child: whether it is one more, and not one that has come on the other way. */
bool signal_tally_take(struct signal_tally *tally, const struct signalfd_siginfo *info);
/* In the parent: counts the signal and passes it on. */
void signal_tally_forward(struct signal_tally *tally, int number, pid_t child);

#endif
