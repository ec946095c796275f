/*
 * A process of this machine that reaches the place: the command with a shell at its end, three pipes, and a process group and session of
 * its own, so that it can neither ask a terminal nor get its signals. It is killed when this process ends.
 */
#ifndef EXEC_CHILD_H
#define EXEC_CHILD_H

#include <osiris/host.h>
#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct child {
    pid_t pid;                  /* 0: none */
    int input, output, errors;  /* our ends of its standard descriptors; -1: closed, or handed over */
    bool ended;                 /* and was reaped */
    int status;                 /* then, as waitpid has it */
};

#define CHILD_INIT {.input = -1, .output = -1, .errors = -1}

/* -1 after an error: the command cannot be started here. Call it on the thread that lives as long as the place. */
int child_start(struct child *child, const struct options *options, const struct osiris_host *host);
/* True: it has ended; waits up to `timeout_ms`. */
bool child_wait(struct child *child, int timeout_ms);
/* Closes the pipes, and ends it if it has not: asks first, then kills. */
void child_end(struct child *child, int patience_ms);

#endif
