/*
 * One run of the command that reaches the place: a child process, the leader of a session, with pipes for its standard descriptors.
 * Without a terminal it cannot ask anybody for a password. It ends with this process, whatever happens to that.
 */
#ifndef OSIRIS_EXEC_COMMAND_H
#define OSIRIS_EXEC_COMMAND_H

#include <osiris/host.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

struct command {
    pid_t pid; /* 0: there is none. It remains a zombie until command_end, so that its number is not reused */
    int input, output, errors; /* our ends of the pipes; -1: closed, or taken */
    bool ended, signalled;
    int code; /* exit code, or number of the signal */
};

#define COMMAND_INIT                                                                               \
    {                                                                                              \
        .input = -1, .output = -1, .errors = -1                                                    \
    }

/* -1: reported. */
int command_start(struct command *command, const struct options *options, const struct osiris_host *host);
/* True: it has ended. */
bool command_wait(struct command *command, int timeout_ms);
/* Closes the pipes, waits for its end, and then kills its process group. */
void command_end(struct command *command, int patience_ms);

void close_fd(int *fd);
int64_t now_ms(void);

#endif
