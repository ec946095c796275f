/*
 * What a person sees on stderr while a pipeline runs: on a terminal a live line per step, redrawn in place at most ten
 * times a second and cut to the terminal's width; elsewhere a plain line when a step starts and ends.
 * Driven by session_run's observer, on its thread.
 */
#ifndef OSIRIS_CLI_PROGRESS_H
#define OSIRIS_CLI_PROGRESS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/session/session.h"

struct progress;

struct progress_options {
    const struct plan *plan; /* outlives it */
    bool verbose;      /* show log lines of every level, not only warnings and errors */
    bool quiet;        /* --json: log lines and steps are not shown, but a cancel is */
    json_object *warnings; /* where warnings are collected, [{source, message}], or NULL; outlives it */
};

struct progress *progress_new(const struct progress_options *options);
/* Whether it redraws lines in place, and so needs frequent progress. */
bool progress_is_live(const struct progress *progress);
/* Draws the last state and ends the display. The observer must not be called afterwards. */
void progress_end(struct progress *progress);
void progress_free(struct progress *progress);
#define _cleanup_progress_ _cleanup_(progress_free_value)
static inline void progress_free_value(struct progress **progress)
{
    progress_free(*progress);
}

/* The observer for session_run; its context is the struct progress. */
extern const struct session_observer progress_observer;

#endif
