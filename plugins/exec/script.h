/*
 * The scripts for the place's shell. It reads them from its standard input, so no shell on the way sees or splits anything but the name of
 * the shell, and nothing of them is in an argument list.
 */
#ifndef EXEC_SCRIPT_H
#define EXEC_SCRIPT_H

#include <osiris/adapter.h>

#include "options.h"

/* What a script says, at the beginning of a line of its standard output. What comes before the first of these lines was printed by the
 * place; it may look like them, but does not know the mark. */
#define SAYS_BEGIN "osiris-place begin " /* and the mark */
#define SAYS_NEED "osiris-place need"    /* the bundle, now, on its standard input */
#define SAYS_AT "osiris-place at "       /* the folder of bundles and workers, as the place calls it */
#define SAYS_ERROR "osiris-place error " /* it gives up */

/* Each returns a text that the caller frees, or NULL: out of memory. `worker` names the folder of the worker below `runs`. */
char *script_start(const struct options *options, const struct osiris_bundle *bundle, const char *worker, const char *mark);
/* For a place that has started a worker: `at` is what it has said. */
char *script_relay(const char *at, const char *hash, const char *worker, long long log_offset, const char *mark);
char *script_kill(const char *at, const char *hash, const char *worker, const char *how);
char *script_status(const char *at, const char *hash, const char *worker);

#endif
