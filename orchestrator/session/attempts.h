/*
 * Attempts of groups: the consequences of a failed step, whether its group is retried, and when the next attempt starts. See retry.h, and
 * docs/pipelines.md for the rules.
 *
 * The `retry` of the step that failed first decides. Its group is aborted as in a failed run (schedule.h). Reports about the attempt's
 * steps are held until it is known whether another attempt follows.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_ATTEMPTS_H
#define OSIRIS_ORCHESTRATOR_SESSION_ATTEMPTS_H

#include "orchestrator/session/state.h"

int session_seed_jitter(struct session *session, struct osiris_error *error);

/* A step's attempt has failed: its group is retried, or the run fails. Takes `error`. */
void session_step_failed(struct session *session, size_t step, struct osiris_error *error);
/* The same for a step that is still running but has exceeded its time. Its answer is ignored. Takes `error`. */
void session_step_timed_out(struct session *session, size_t step, struct osiris_error *error);

/* Whether the step's retry rules allow another attempt of its group. (session_schedule_retry checks whether there is time for it.) */
bool session_step_allows(const struct session *session, size_t step, const struct osiris_error *error);
/* The first failure in the current attempt of a running group. True: another attempt may follow. */
bool session_start_retry(struct session *session, size_t step, const struct osiris_error *error);
/* Records the error as the cause of the failed attempt of the step's group. */
void session_set_cause(struct session *session, size_t step, const struct osiris_error *error);

/* Carries out SCHEDULE_PAUSE. */
void session_pause_group(struct session *session, size_t group);
/* The attempt is over. Schedules the next one after a delay, if there is time for it. */
void session_schedule_retry(struct session *session, size_t group);
/* Starts the next attempt. */
void session_resume_group(struct session *session, size_t group);
/* Delivers the reports about the group's steps that were held. */
void session_report_group(struct session *session, size_t group);

#endif
