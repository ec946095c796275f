/*
 * A worker's stderr: read without waiting, masked, split into lines, passed on line by line, with the last
 * ones kept for the message about a worker that died. Bounded: of a longer line each WORKER_LOG_LINE bytes are one. NUL bytes
 * are left out, so that they hide nothing of what a secret has around them. One thread.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_WORKER_LOG_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_WORKER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/redact.h"

#define WORKER_LOG_LINE 8192
#define WORKER_LOG_KEPT 8 /* lines */

struct worker_log;

/* Takes `fd` (-1: there is nothing to read); borrows the redactor. `line` gets each line without its newline. NULL: `fd`
 * cannot be used (errno). */
struct worker_log *worker_log_new(int fd, struct redactor *redactor, void (*line)(void *context, const char *text),
                                  void *context);
void worker_log_free(struct worker_log *log);

/* -1 after the end has been reached. */
int worker_log_fd(const struct worker_log *log);
/* Reads what is available, at most about 256 KiB, without waiting. */
void worker_log_read(struct worker_log *log);
/* Reads the rest without waiting, including a last line without a newline. */
void worker_log_drain(struct worker_log *log);
/* The step on whose thread the worker ended by `what` ("SIGSEGV", "out of memory"), as its crash handler printed it
 * (worker/lifecycle.c), or NULL. A driver could print the same. */
const char *worker_log_crashed_step(const struct worker_log *log, const char *what);
/* The last lines, joined by newlines, oldest first; "" if there were none. Free it; NULL: out of memory. */
char *worker_log_last_lines(const struct worker_log *log);

#endif
