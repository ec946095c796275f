/*
 * The commands of osiris-worker for places that are not this machine (docs/protocol.md, "A detached worker"): they start a worker that
 * outlives whoever starts it, make links to it, end it, and clear what was left.
 */
#ifndef OSIRIS_WORKER_RELAY_COMMANDS_H
#define OSIRIS_WORKER_RELAY_COMMANDS_H

#include <stdbool.h>

bool relay_is_command(const char *word);
/* `arguments` begins with the command. `work` runs a worker on a listening socket, in a process of its own. Returns the exit status; -1:
 * the arguments are not right. */
int relay_command(int count, char **arguments, int (*work)(int listen_fd));

#endif
