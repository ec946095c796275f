/*
 * Attempts of groups: what a failed step means, whether its group may have another attempt, and when that begins; see retry.h, and
 * docs/pipelines.md for the rules.
 *
 * The step that failed first decides by its `retry`. Its group is aborted as in a run that fails (schedule.h). What is known of
 * the attempt's steps is held back until it is clear whether there is another one.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ATTEMPTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ATTEMPTS_H

#include "orchestrator/session/state.h"

int session_seed_jitter(struct session *session, struct osiris_error *error);

/* A step's attempt has failed: its group is to have another one, or the run fails. Takes `error`. */
void session_step_failed(struct session *session, size_t step, struct osiris_error *error);
/* The same of a step that still runs, but too long: what it answers from now on is no news. Takes `error`. */
void session_step_overdue(struct session *session, size_t step, struct osiris_error *error);

/* Whether the step's own rules allow another attempt of its group. (If there is time for it, session_pause_again finds out.) */
bool session_step_allows(const struct session *session, size_t step, const struct osiris_error *error);
/* The first failure of a running group's attempt: true if another one may follow. */
bool session_begin_again(struct session *session, size_t step, const struct osiris_error *error);
/* That is what its group's attempt has failed of. */
void session_set_cause(struct session *session, size_t step, const struct osiris_error *error);
/* Where the error does not say which step it is about, it is this one. */
void session_name_step(const struct session_step *step, struct osiris_error *error);

/* SCHEDULE_PAUSE */
void session_pause_group(struct session *session, size_t group);
/* The attempt is over; the next one comes after a delay, if that still fits. */
void session_pause_again(struct session *session, size_t group);
/* The next attempt begins. */
void session_resume_group(struct session *session, size_t group);
/* Reports what was held back of the group's steps. */
void session_report_group(struct session *session, size_t group);

#endif
