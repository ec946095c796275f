/* The order of steps and commits as a state machine; see schedule.h. */
#include "orchestrator/session/schedule.h"

#include <stdlib.h>
#include <string.h>

struct group {
    size_t unfinished; /* steps that are not STEP_RAN */
    int64_t *takes;    /* of each connection; NULL: none */
    size_t holds;
    bool ready; /* its steps may be started */
    enum group_state state;
};

/* A connection that limits how many of it may be taken at the same time. */
struct connection {
    const char *name; /* borrowed */
    int64_t maximum, taken;
};

struct schedule {
    const struct plan *plan;
    enum step_state *steps;
    struct group *groups;
    struct connection *connections;
    size_t connection_count;
    size_t steps_at_a_time, active_steps; /* active_steps and `taken` are as of the last count_active */
    bool stopping;
};

static size_t find_connection(struct schedule *schedule, const char *name, int64_t maximum)
{
    size_t i = 0;

    while (i < schedule->connection_count && strcmp(schedule->connections[i].name, name) != 0)
        i++;
    if (i == schedule->connection_count)
        schedule->connections[schedule->connection_count++] = (struct connection){.name = name, .maximum = maximum};
    return i;
}

static void count_connections(struct schedule *schedule)
{
    const struct plan *plan = schedule->plan;

    schedule->connections = calloc(plan->step_count + 1, sizeof *schedule->connections);
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        struct group *group = &schedule->groups[step->group];
        if (step->connection == NULL)
            continue;
        if (group->takes == NULL)
            group->takes = calloc(plan->step_count, sizeof *group->takes);
        group->takes[find_connection(schedule, step->connection, step->connection_maximum)] += step->connection_count;
    }
}

struct schedule *schedule_new(const struct plan *plan)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);

    schedule->plan = plan;
    schedule->steps = calloc(plan->step_count + 1, sizeof *schedule->steps);
    schedule->groups = calloc(plan->group_count + 1, sizeof *schedule->groups);
    schedule->steps_at_a_time = SCHEDULE_STEPS_AT_A_TIME;
    for (size_t i = 0; i < plan->group_count; i++)
        schedule->groups[i] = (struct group){.unfinished = plan->groups[i].step_count, .ready = true};
    count_connections(schedule);
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    if (schedule == NULL)
        return;
    for (size_t i = 0; i < schedule->plan->group_count; i++)
        free(schedule->groups[i].takes);
    free(schedule->connections);
    free(schedule->steps);
    free(schedule->groups);
    free(schedule);
}

void schedule_bound_steps(struct schedule *schedule, size_t steps)
{
    schedule->steps_at_a_time = steps;
}

/* Limits on what is active at the same time. */

static bool is_active(enum group_state state)
{
    return state != GROUP_WAITING && state != GROUP_COMMITTED && state != GROUP_FAILED;
}

/* Counts a group that becomes active. */
static void count_group(struct schedule *schedule, size_t index)
{
    const struct group *group = &schedule->groups[index];

    schedule->active_steps += schedule->plan->groups[index].step_count;
    for (size_t i = 0; group->takes != NULL && i < schedule->connection_count; i++)
        schedule->connections[i].taken += group->takes[i];
}

static void count_active(struct schedule *schedule)
{
    schedule->active_steps = 0;
    for (size_t i = 0; i < schedule->connection_count; i++)
        schedule->connections[i].taken = 0;
    for (size_t i = 0; i < schedule->plan->group_count; i++)
        if (is_active(schedule->groups[i].state))
            count_group(schedule, i);
}

/* A group that is alone always fits. The compiler has refused groups that exceed a connection's limit on their own. */
static bool has_room(const struct schedule *schedule, size_t index)
{
    const struct group *group = &schedule->groups[index];

    if (schedule->active_steps == 0)
        return true;
    for (size_t i = 0; group->takes != NULL && i < schedule->connection_count; i++) {
        const struct connection *connection = &schedule->connections[i];
        if (group->takes[i] > 0 && connection->taken + group->takes[i] > connection->maximum)
            return false;
    }
    return schedule->active_steps + schedule->plan->groups[index].step_count <= schedule->steps_at_a_time;
}

/* The next action. */

static bool group_may_start(const struct schedule *schedule, size_t index)
{
    const struct plan_group *group = &schedule->plan->groups[index];

    for (size_t i = 0; i < group->after_count; i++)
        if (schedule->groups[group->after[i]].state != GROUP_COMMITTED)
            return false;
    return true;
}

static bool step_may_start(const struct schedule *schedule, size_t index)
{
    const struct plan_step *step = &schedule->plan->steps[index];
    const struct group *group = &schedule->groups[step->group];

    if (schedule->steps[index] != STEP_PENDING || group->state != GROUP_RUNNING || group->holds > 0 || !group->ready)
        return false;
    for (size_t i = 0; i < step->after_count; i++)
        if (schedule->steps[step->after[i]] != STEP_RAN)
            return false;
    return true;
}

static enum schedule_action next_abort(struct schedule *schedule, size_t *index)
{
    for (size_t i = 0; i < schedule->plan->group_count; i++) {
        struct group *group = &schedule->groups[i];
        bool fails = group->state == GROUP_FAILING;
        if (group->holds > 0 || (!fails && !(group->state == GROUP_RUNNING && schedule->stopping)))
            continue;
        group->state = fails ? GROUP_RETRACTING : GROUP_ABORTING;
        *index = i;
        return SCHEDULE_ABORT;
    }
    return SCHEDULE_NOTHING;
}

/* Whether all steps of the group have been answered. */
static bool is_answered(const struct schedule *schedule, size_t index)
{
    const struct plan_group *group = &schedule->plan->groups[index];

    for (size_t i = 0; i < group->step_count; i++)
        if (schedule->steps[group->steps[i]] == STEP_REQUESTED)
            return false;
    return true;
}

static enum schedule_action next_pause(struct schedule *schedule, size_t *index)
{
    for (size_t i = 0; i < schedule->plan->group_count; i++)
        if (schedule->groups[i].state == GROUP_RETRACTED && schedule->groups[i].holds == 0 && is_answered(schedule, i)) {
            schedule->groups[i].state = GROUP_PAUSED;
            *index = i;
            return SCHEDULE_PAUSE;
        }
    return SCHEDULE_NOTHING;
}

static enum schedule_action next_commit(struct schedule *schedule, size_t *index)
{
    count_active(schedule);
    for (size_t i = 0; i < schedule->plan->group_count; i++) {
        struct group *group = &schedule->groups[i];
        if (group->holds > 0)
            continue;
        if (group->state == GROUP_WAITING && group->ready && group_may_start(schedule, i) && has_room(schedule, i)) {
            group->state = GROUP_RUNNING;
            count_group(schedule, i);
        }
        if (group->state == GROUP_RUNNING && group->unfinished == 0) {
            group->state = GROUP_COMMITTING;
            *index = i;
            return SCHEDULE_COMMIT;
        }
    }
    return SCHEDULE_NOTHING;
}

static enum schedule_action next_step(struct schedule *schedule, size_t *index)
{
    for (size_t i = 0; i < schedule->plan->step_count; i++)
        if (step_may_start(schedule, i)) {
            schedule->steps[i] = STEP_REQUESTED;
            *index = i;
            return SCHEDULE_START_STEP;
        }
    return SCHEDULE_NOTHING;
}

enum schedule_action schedule_next(struct schedule *schedule, size_t *index)
{
    enum schedule_action action = next_abort(schedule, index);

    if (action != SCHEDULE_NOTHING || schedule->stopping)
        return action;
    action = next_pause(schedule, index);
    if (action == SCHEDULE_NOTHING)
        action = next_commit(schedule, index);
    return action == SCHEDULE_NOTHING ? next_step(schedule, index) : action;
}

/* Reports. */

static bool is_to_repeat(enum group_state state)
{
    return state == GROUP_FAILING || state == GROUP_RETRACTING || state == GROUP_RETRACTED || state == GROUP_PAUSED;
}

void schedule_step_ended(struct schedule *schedule, size_t index, bool success)
{
    struct group *group = &schedule->groups[schedule->plan->steps[index].group];

    if (schedule->steps[index] != STEP_REQUESTED)
        return;
    schedule->steps[index] = success ? STEP_RAN : STEP_FAILED;
    if (success)
        group->unfinished--;
    else if (!is_to_repeat(group->state))
        schedule_stop(schedule);
}

void schedule_group_prepared(struct schedule *schedule, size_t group)
{
    schedule->groups[group].state = GROUP_PUBLISHING;
}

void schedule_group_committed(struct schedule *schedule, size_t group, bool success)
{
    /* After a failed commit the worker may still hold some of the group's steps, which are aborted. */
    schedule->groups[group].state = success ? GROUP_COMMITTED : GROUP_RUNNING;
    if (!success)
        schedule_stop(schedule);
}

void schedule_group_aborted(struct schedule *schedule, size_t group)
{
    bool again = schedule->groups[group].state == GROUP_RETRACTING;

    schedule->groups[group].state = again ? GROUP_RETRACTED : GROUP_FAILED;
}

/* No group gets another attempt from then on. */
void schedule_stop(struct schedule *schedule)
{
    schedule->stopping = true;
    for (size_t i = 0; i < schedule->plan->group_count; i++) {
        enum group_state *state = &schedule->groups[i].state;
        if (*state == GROUP_FAILING)
            *state = GROUP_RUNNING;
        else if (*state == GROUP_RETRACTING)
            *state = GROUP_ABORTING;
        else if (*state == GROUP_RETRACTED || *state == GROUP_PAUSED)
            *state = GROUP_FAILED;
    }
}

void schedule_retry_group(struct schedule *schedule, size_t group)
{
    if (!schedule->stopping && schedule->groups[group].state == GROUP_RUNNING)
        schedule->groups[group].state = GROUP_FAILING;
}

void schedule_resume_group(struct schedule *schedule, size_t index)
{
    const struct plan_group *group = &schedule->plan->groups[index];

    if (schedule->groups[index].state != GROUP_PAUSED)
        return;
    schedule->groups[index].state = GROUP_RUNNING;
    schedule->groups[index].unfinished = group->step_count;
    for (size_t i = 0; i < group->step_count; i++)
        schedule->steps[group->steps[i]] = STEP_PENDING;
}

void schedule_set_ready(struct schedule *schedule, size_t group, bool ready)
{
    schedule->groups[group].ready = ready;
}

void schedule_hold_group(struct schedule *schedule, size_t group)
{
    schedule->groups[group].holds++;
}

void schedule_release_group(struct schedule *schedule, size_t group)
{
    schedule->groups[group].holds--;
}

bool schedule_group_is_held(const struct schedule *schedule, size_t group)
{
    return schedule->groups[group].holds > 0;
}

/* State. */

bool schedule_is_stopping(const struct schedule *schedule)
{
    return schedule->stopping;
}

bool schedule_finished(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->plan->group_count; i++) {
        enum group_state state = schedule->groups[i].state;
        if (is_active(state) || (state == GROUP_WAITING && !schedule->stopping))
            return false;
    }
    for (size_t i = 0; i < schedule->plan->step_count; i++)
        if (schedule->steps[i] == STEP_REQUESTED)
            return false;
    return true;
}

bool schedule_succeeded(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->plan->group_count; i++)
        if (schedule->groups[i].state != GROUP_COMMITTED)
            return false;
    return true;
}

enum step_state schedule_step_state(const struct schedule *schedule, size_t step)
{
    return schedule->steps[step];
}

enum group_state schedule_group_state(const struct schedule *schedule, size_t group)
{
    return schedule->groups[group].state;
}

bool schedule_group_has_begun(const struct schedule *schedule, size_t index)
{
    const struct plan_group *group = &schedule->plan->groups[index];

    for (size_t i = 0; i < group->step_count; i++)
        if (schedule->steps[group->steps[i]] != STEP_PENDING)
            return true;
    return false;
}

bool schedule_group_commits(const struct schedule *schedule, size_t group)
{
    enum group_state state = schedule->groups[group].state;

    return state == GROUP_COMMITTING || state == GROUP_PUBLISHING;
}
