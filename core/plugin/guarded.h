/*
 * Runs code of plug-ins in a child process, so that one that crashes, exits or hangs causes just an error, and so that no
 * process that it has started remains, detached or not (orphans.h).
 */
#ifndef OSIRIS_CORE_PLUGIN_GUARDED_H
#define OSIRIS_CORE_PLUGIN_GUARDED_H

#include <stdbool.h>

#include "core/base/buffer.h"

#define GUARDED_TIMEOUT_MS 5000

/* Runs in the child: it writes to `answer`, and may print anything to standard output and error, which nobody
 * sees. The child ends when this returns, without exit handlers. */
typedef bool (*guarded_work)(void *context, int answer);

/* Runs it. NULL: `answer` (terminated) is whole; else the reason why not ("killed by SIGSEGV while …", free it), and in
 * `answer` is what came before. `doing` is what it is about, "it was loaded". */
char *guarded_run(guarded_work work, void *context, const char *doing, struct buffer *answer);

#endif
