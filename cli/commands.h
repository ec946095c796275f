/* The commands' entries. Each command has its own file; cli/main.c lists them. */
#ifndef OSIRIS_CLI_COMMANDS_H
#define OSIRIS_CLI_COMMANDS_H

#include "cli/arguments.h"

extern const struct command_entry command_bundle;
extern const struct command_entry command_compile;
extern const struct command_entry command_components;
extern const struct command_entry command_connections;
extern const struct command_entry command_discovery;
extern const struct command_entry command_rpc;
extern const struct command_entry command_run;
extern const struct command_entry command_validate;

#endif
