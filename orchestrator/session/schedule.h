/*
 * When each step may start and each group commit: a state machine over the plan (compile.h) that does no
 * input or output. The session asks for the next action, carries it out, and reports what came of it.
 *
 *   step:  waiting → requested → ran | failed      (and back to waiting, for another attempt)
 *   group: waiting → running → committing → committed
 *                    ↑   └→ aborting → failed       (also from committing, if a commit fails)
 *                    └─ paused ←┘                   (schedule_retry_group)
 *
 * A failure, or schedule_stop, ends the run: nothing new starts, and every group that runs is
 * aborted. A group that is committing already is let finish: its outputs are whole. But a group may be given
 * another attempt: then it alone is aborted, waits in `paused` until it is resumed, and begins anew. One thread.
 *
 * Groups that are there at the same time are bounded, from their first step to their end, with the pauses between attempts: by
 * the number of their steps (a group with more than that is there alone), and by what they take of connections (the plan's
 * "connections" of a step).
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

enum step_state { STEP_WAITING, STEP_REQUESTED, STEP_RAN, STEP_FAILED };

enum group_state {
    GROUP_WAITING,
    GROUP_RUNNING,
    GROUP_COMMITTING,
    GROUP_COMMITTED,
    GROUP_ABORTING,
    GROUP_FAILED,
    GROUP_PAUSED,
};

/* SCHEDULE_PAUSE: nothing is left of the group's failed attempt, the next one waits for schedule_resume_group. */
enum schedule_action {
    SCHEDULE_NOTHING,
    SCHEDULE_START_STEP,
    SCHEDULE_COMMIT,
    SCHEDULE_ABORT,
    SCHEDULE_PAUSE,
};

#define SCHEDULE_STEPS_AT_A_TIME 16

struct schedule;

/* `plan` must outlive it. */
struct schedule *schedule_new(json_object *plan, struct osiris_error *error);
void schedule_free(struct schedule *schedule);
/* How many steps groups that are there at the same time have in all; SCHEDULE_STEPS_AT_A_TIME unless it is said. */
void schedule_bound_steps(struct schedule *schedule, size_t steps);

/* What to do now; *index is the step's or the group's place in the plan. Its state has changed already
 * when this returns: ask until SCHEDULE_NOTHING. */
enum schedule_action schedule_next(struct schedule *schedule, size_t *index);

/* Reports. */
void schedule_step_ended(struct schedule *schedule, size_t step, bool success);
void schedule_group_committed(struct schedule *schedule, size_t group, bool success);
void schedule_group_aborted(struct schedule *schedule, size_t group);
void schedule_stop(struct schedule *schedule);

/* The attempt of a running group has failed, or is about to (a step's failure that is reported next does not end the run). It
 * is aborted and may have another attempt. */
void schedule_retry_group(struct schedule *schedule, size_t group);
/* A paused group runs again, all of its steps waiting. */
void schedule_resume_group(struct schedule *schedule, size_t group);
/* While it is held no step is started. */
void schedule_hold(struct schedule *schedule, bool hold);
bool schedule_is_stopping(const struct schedule *schedule);

/* Nothing is in flight and nothing will be started any more. */
bool schedule_finished(const struct schedule *schedule);
/* Every group has committed. */
bool schedule_succeeded(const struct schedule *schedule);

size_t schedule_step_count(const struct schedule *schedule);
json_object *schedule_step(const struct schedule *schedule, size_t step);
enum step_state schedule_step_state(const struct schedule *schedule, size_t step);
/* The plan's step ids of a group, borrowed; and its state. */
json_object *schedule_group_steps(const struct schedule *schedule, size_t group);
size_t schedule_group_count(const struct schedule *schedule);
enum group_state schedule_group_state(const struct schedule *schedule, size_t group);
size_t schedule_step_group(const struct schedule *schedule, size_t step);
/* (size_t)-1 if there is none of that id. */
size_t schedule_find_step(const struct schedule *schedule, const char *step_id);

#endif
