/*
 * Decides when each step may start and when each group may commit: a state machine over the plan (plan.h) without I/O. The session
 * requests the next action, carries it out, and reports the outcome.
 *
 *   step:  pending → requested → ran | failed      (and back to pending, for another attempt)
 *
 *   group: waiting → running → committing [→ publishing] → committed
 *                    ↑   │ └→ aborting → failed           (also from committing and publishing, if a commit fails)
 *                    │   └→ failing → retracting → retracted → paused   (schedule_retry_group)
 *                    └──────────────────────────────────────────┘
 *
 * A failure, or schedule_stop, ends the run: nothing new starts, and all running groups are aborted. A group that is already
 * committing may finish, because its outputs are complete. A failed group may get another attempt: then only that group is aborted,
 * stays `paused` until it is resumed, and starts again. One thread.
 *
 * A group is active from its first step to its end, including the pauses between attempts. The groups that are active at the same time
 * are limited by the number of their steps (a larger group runs alone) and by the connections that they use.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/compile/plan.h"

enum step_state { STEP_PENDING, STEP_REQUESTED, STEP_RAN, STEP_FAILED };

enum group_state {
    GROUP_WAITING, /* for groups before it, or until the limits allow it */
    GROUP_RUNNING,
    GROUP_COMMITTING,
    GROUP_PUBLISHING, /* all of its workers have committed and may publish */
    GROUP_COMMITTED,
    GROUP_FAILING,    /* its attempt has failed and another may follow; it will be aborted next */
    GROUP_RETRACTING, /* that abort has been requested */
    GROUP_RETRACTED,  /* the abort has been answered, perhaps not yet all steps */
    GROUP_PAUSED,     /* nothing is left of the failed attempt; the next one starts with schedule_resume_group */
    GROUP_ABORTING,   /* without another attempt */
    GROUP_FAILED,
};

enum schedule_action {
    SCHEDULE_NOTHING,
    SCHEDULE_START_STEP,
    SCHEDULE_COMMIT,
    SCHEDULE_ABORT,
    SCHEDULE_PAUSE, /* the group is GROUP_PAUSED now */
};

#define SCHEDULE_STEPS_AT_A_TIME 16

struct schedule;

/* `plan` must outlive it. */
struct schedule *schedule_new(const struct plan *plan);
void schedule_free(struct schedule *schedule);

/* Sets the maximum total number of steps of active groups; the default is SCHEDULE_STEPS_AT_A_TIME. */
void schedule_bound_steps(struct schedule *schedule, size_t steps);

/* The next action; *index is the position of its step or group in the plan. Its state has already changed when this returns. Call it
 * until it returns SCHEDULE_NOTHING. */
enum schedule_action schedule_next(struct schedule *schedule, size_t *index);

/* Reports. */
void schedule_step_ended(struct schedule *schedule, size_t step, bool success);
/* All workers of the group have committed; the request to publish is sent next. */
void schedule_group_prepared(struct schedule *schedule, size_t group);
void schedule_group_committed(struct schedule *schedule, size_t group, bool success);
void schedule_group_aborted(struct schedule *schedule, size_t group);
void schedule_stop(struct schedule *schedule);

/* The attempt of a running group has failed, or a step's failure is about to be reported, which then does not end the run. The group is
 * aborted and may get another attempt. */
void schedule_retry_group(struct schedule *schedule, size_t group);
/* Starts the next attempt of a paused group. All of its steps are pending again. */
void schedule_resume_group(struct schedule *schedule, size_t group);
/* Whether the workers of the group's steps can take requests: until then it does not start. All are ready at first. */
void schedule_set_ready(struct schedule *schedule, size_t group, bool ready);
/* No action concerns the group until it has been released as often as held. Used while the end of one of its workers is not known. */
void schedule_hold_group(struct schedule *schedule, size_t group);
void schedule_release_group(struct schedule *schedule, size_t group);
bool schedule_group_is_held(const struct schedule *schedule, size_t group);
bool schedule_is_stopping(const struct schedule *schedule);

/* Nothing is in flight and nothing more will be started. */
bool schedule_finished(const struct schedule *schedule);
/* Every group has committed. */
bool schedule_succeeded(const struct schedule *schedule);

enum step_state schedule_step_state(const struct schedule *schedule, size_t step);
enum group_state schedule_group_state(const struct schedule *schedule, size_t group);
/* One of its steps has been requested in the present attempt. */
bool schedule_group_has_begun(const struct schedule *schedule, size_t group);
/* GROUP_COMMITTING or GROUP_PUBLISHING */
bool schedule_group_commits(const struct schedule *schedule, size_t group);

#endif
