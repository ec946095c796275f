/* What is said when a command or its place fails. */
#ifndef OSIRIS_EXEC_ERRORS_H
#define OSIRIS_EXEC_ERRORS_H

#include <osiris/host.h>

#include "command.h"
#include "words.h"

#define ERRORS_NAME 160

/* The command as the user has written it; its beginning, if it is long. */
const char *errors_name(const struct options *options, char text[ERRORS_NAME]);

/* Reports that the command has ended, or, if it has not, that it `does` something else. `words`: its last ones. Always -1. */
int errors_command(const struct osiris_host *host, const struct options *options, const struct command *command, const char *does,
                   const char *words);
/* Reports what a script says is wrong with the place. Always -1. */
int errors_place(const struct osiris_host *host, const struct options *options, const char *what, const char *words);

#endif
