/*
 * Workers that are reached through relays, as commands of osiris-worker (docs/protocol.md):
 *
 *   --start FOLDER [--log-offset N] [--remove PATH]…    a worker in FOLDER, if none is there, and a relay to it
 *   --relay FOLDER [--log-offset N]                     a relay to it
 *   --status FOLDER                                     prints whether it runs
 *   --kill FOLDER ask|kill                              ends it
 *   --sweep PARENT                                      removes what workers whose keeper was killed have left in PARENT/…
 */
#ifndef OSIRIS_WORKER_RELAY_COMMANDS_H
#define OSIRIS_WORKER_RELAY_COMMANDS_H

#include <stdbool.h>

#include "worker/relay/keeper.h"

/* True: the first argument is one of these commands; *code is its exit code. */
bool relay_command(int argc, char **argv, worker_function work, int *code);

#endif
