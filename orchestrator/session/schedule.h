/*
 * When each step may start and each group commit: a state machine over the plan (plan.h) that does no
 * input or output. The session asks for the next action, carries it out, and reports what came of it.
 *
 *   step:  pending → requested → ran | failed      (and back to pending, for another attempt)
 *
 *   group: waiting → running → committing [→ publishing] → committed
 *                    ↑   │ └→ aborting → failed           (also from committing and publishing, if a commit fails)
 *                    │   └→ failing → retracting → retracted → paused   (schedule_retry_group)
 *                    └──────────────────────────────────────────┘
 *
 * A failure, or schedule_stop, ends the run: nothing new starts, and every group that runs is
 * aborted. A group that is committing already is let finish: its outputs are whole. But a group may be given
 * another attempt: then it alone is aborted, waits in `paused` until it is resumed, and begins anew. One thread.
 *
 * Groups that are there at the same time are bounded, from their first step to their end, with the pauses between attempts: by
 * the number of their steps (a group with more than that is there alone), and by what they take of connections.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H
#define OSIRIS_ORCHESTRATOR_SESSION_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/compile/plan.h"

enum step_state { STEP_PENDING, STEP_REQUESTED, STEP_RAN, STEP_FAILED };

enum group_state {
    GROUP_WAITING, /* for groups before it, or for room */
    GROUP_RUNNING,
    GROUP_COMMITTING,
    GROUP_PUBLISHING, /* all of its workers have committed, and may publish */
    GROUP_COMMITTED,
    GROUP_FAILING,    /* its attempt has failed, another one may follow; its abort comes next */
    GROUP_RETRACTING, /* that abort is asked */
    GROUP_RETRACTED,  /* and answered; some of its steps may not be */
    GROUP_PAUSED,     /* nothing is left of the failed attempt, the next one waits for schedule_resume_group */
    GROUP_ABORTING,   /* for good */
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

/* How many steps groups that are there at the same time have in all; SCHEDULE_STEPS_AT_A_TIME unless it is said. */
void schedule_bound_steps(struct schedule *schedule, size_t steps);

/* What to do now; *index is the step's or the group's place in the plan. Its state has changed already
 * when this returns: ask until SCHEDULE_NOTHING. */
enum schedule_action schedule_next(struct schedule *schedule, size_t *index);

/* Reports. */
void schedule_step_ended(struct schedule *schedule, size_t step, bool success);
/* All workers of the group have committed; they are asked to publish. */
void schedule_group_prepared(struct schedule *schedule, size_t group);
void schedule_group_committed(struct schedule *schedule, size_t group, bool success);
void schedule_group_aborted(struct schedule *schedule, size_t group);
void schedule_stop(struct schedule *schedule);

/* The attempt of a running group has failed, or is about to (a step's failure that is reported next does not end the run). It
 * is aborted and may have another attempt. */
void schedule_retry_group(struct schedule *schedule, size_t group);
/* A paused group runs again, all of its steps waiting. */
void schedule_resume_group(struct schedule *schedule, size_t group);
/* Whether the workers of the group's steps can take requests: until then it does not start. All are ready at first. */
void schedule_set_ready(struct schedule *schedule, size_t group, bool ready);
/* Until it is released as often, no action is about the group: what has become of one of its workers is not known yet. */
void schedule_hold_group(struct schedule *schedule, size_t group);
void schedule_release_group(struct schedule *schedule, size_t group);
bool schedule_group_is_held(const struct schedule *schedule, size_t group);
bool schedule_is_stopping(const struct schedule *schedule);

/* Nothing is in flight and nothing will be started any more. */
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
