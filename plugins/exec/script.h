/*
 * The scripts that the place's shell gets on its standard input. They are neither quoted by anybody nor visible in a list of
 * arguments. Each is a single command in braces, so the shell has read all of it before any of it runs: half a script does nothing, and
 * what follows on standard input is left to the programs that the script starts.
 *
 * A script answers with lines on standard output, which no banner can imitate because of their nonce:
 *
 *   osiris-place NONCE begins
 *   osiris-place NONCE wants             the bundle's archive, on standard input
 *   osiris-place NONCE at NAME FOLDER    the bundle is in FOLDER/bundles/NAME; now comes the relay (docs/protocol.md)
 *   osiris-place NONCE failed TEXT
 *   osiris-place NONCE answers TEXT
 *
 * and on standard error, before and after what the relay prints:
 *
 *   osiris-log NONCE
 *   osiris-exit NONCE CODE               the relay's exit code; that of the command may be the command's own
 */
#ifndef OSIRIS_EXEC_SCRIPT_H
#define OSIRIS_EXEC_SCRIPT_H

#include <osiris/adapter.h>
#include <stdint.h>

#include "options.h"

#define SCRIPT_NONCE 33 /* bytes of a nonce: hexadecimal digits and a NUL */
#define SCRIPT_PLACE "osiris-place"
#define SCRIPT_LOG "osiris-log"
#define SCRIPT_EXIT "osiris-exit"

/* What the scripts of one worker have in common. All strings are borrowed. */
struct script_place {
    const struct options *options;
    const struct osiris_bundle *bundle;
    const char *worker; /* the name of its folder below FOLDER/runs */
    const char *folder; /* FOLDER, as the place has said it, or the option's; NULL: the default */
    int umask;          /* of a worker that shares our files; -1: the place's */
};

/* All of these return a text to free, or NULL: out of memory. */

/* Unpacks the bundle if it is not there, starts the worker if it does not run, and becomes a relay. */
char *script_start(const struct script_place *place, const char *nonce, int64_t log_offset);
/* Becomes another relay. */
char *script_relay(const struct script_place *place, const char *nonce, int64_t log_offset);
/* Answers as `osiris-worker --status`. */
char *script_status(const struct script_place *place, const char *nonce);
/* Asks the worker to end, and does not wait. */
char *script_ask(const struct script_place *place, const char *nonce);
/* Kills the worker, removes all that the run has left, and answers "done". */
char *script_kill(const struct script_place *place, const char *nonce);

#endif
