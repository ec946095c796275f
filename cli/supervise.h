/*
 * A run under supervision. Adapters run in osiris's process, and can end or replace it in ways that nothing in it can meet: system
 * calls, execve, SIGKILL. So a run with adapters other than osiris's own is a child process, and the process that was started waits for it,
 * passes signals on, and ends as the child does, provided that the child has said its last word: the exit code. Whatever ends it without
 * is a failure, of which the parent tells.
 *
 * The parent holds nothing of the run: records, workers, the adapters' threads are the child's. Either one's death is the other's: the child
 * is killed with its parent (PR_SET_PDEATHSIG), so that kill -9 ends the run and with it its workers, as it does without supervision.
 * Signals: ending-signals.h has those that cancel. Ctrl-Z stops both, whichever of them it came to, and SIGCONT lets both go on. A SIGSTOP of
 * the parent alone leaves the child running, which needs it for nothing.
 */
#ifndef OSIRIS_CLI_SUPERVISE_H
#define OSIRIS_CLI_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/error.h"

struct supervision {
    pid_t child;
    int lifeline; /* its other end is open as long as the child lives and is osiris */
    int signal_fd;
    sigset_t saved; /* the signals that were blocked before */
};

/* How the child has ended. */
struct supervised_end {
    int code;      /* for the parent to end with */
    bool has_told; /* the run's records had ended and its result was being printed */
    int signal;    /* a signal that the parent has received, too, has ended it; 0: none */
};

/* As fork: 0 in the child, which goes on with the run, its pid in the parent, or -1. Call it while there is one thread and nothing to be
 * flushed. */
pid_t supervise_start(struct supervision *supervision, struct osiris_error *error);
/* [parent] Waits for the child's end. -1 with the error set if that came without a last word. */
int supervise_wait(struct supervision *supervision, struct supervised_end *end, struct osiris_error *error);

/* [child] Nothing without supervision. Its records have ended, and it is about to print its result. */
void supervise_tell(void);
/* [child] It is about to end with this code. */
void supervise_last_word(int code);

#endif
