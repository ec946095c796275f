/*
 * A run under supervision. Adapters run in osiris's process, and can end or replace it in ways that cannot be handled
 * inside it: system calls, execve, SIGKILL. So a run with adapters other than osiris's own is a child process. The
 * process that was started waits for it, forwards signals, and exits with the exit code that the child has left in
 * shared memory. If the child ends without leaving one, the run has failed, which the parent reports.
 *
 * Everything of the run belongs to the child: records, workers, the adapters' threads. If the parent dies, the child is
 * killed (PR_SET_PDEATHSIG), so that kill -9 ends the run and its workers, as it does without supervision. Signals that
 * cancel are described in ending-signals.h. Ctrl-Z stops both processes, whichever of them receives it, and SIGCONT
 * continues both. If only the parent is stopped (SIGSTOP), the child continues, because it does not need the parent.
 */
#ifndef OSIRIS_CLI_SUPERVISE_H
#define OSIRIS_CLI_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/base/orphans.h"

struct supervision {
    pid_t child;
    struct adoption adoption; /* of the workers that the child leaves */
    int lifeline; /* the other end stays open until the child ends or is replaced by another program */
    int signal_fd;
    sigset_t saved; /* the signals that were blocked before */
};

/* How the child has ended. */
struct supervised_end {
    int code;      /* the exit code for the parent */
    bool has_ended; /* the run had ended with this code, and its result was printed: what came then was too late */
    bool has_reported; /* the run's records were complete and its result was being printed */
    bool is_mute;      /* it could not be printed: the child had lost its standard output or error */
    const char *run_dir; /* of the run's records; "": there were none yet */
    int signal;    /* the signal that ended it, if the parent has received it as well; 0: none */
};

/* Like fork: returns 0 in the child, which continues with the run, its pid in the parent, or -1. Call it while there is
 * one thread and nothing to flush. */
pid_t supervise_start(struct supervision *supervision, struct osiris_error *error);
/* [parent] Waits for the child's end, and, for a few seconds, for that of the workers that it has left: they end when
 * their channel does. -1 with the error set if it left no exit code. */
int supervise_wait(struct supervision *supervision, struct supervised_end *end, struct osiris_error *error);

/* [child; without supervision it does nothing] Where the records are. */
void supervise_note_records(const char *run_dir);
/* [child; without supervision it does nothing] The records are complete, and the result is about to be printed. */
void supervise_begin_report(void);
/* [child; without supervision it does nothing] The process is about to exit with this code. */
void supervise_set_exit_code(int code);

#endif
