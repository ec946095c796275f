/* The order of steps and commits as a state machine; see schedule.h. */
#include "orchestrator/session/schedule.h"

#include <string.h>

#include "core/base/json-access.h"

struct step {
    json_object *plan; /* borrowed */
    const char *id;
    size_t group;
    size_t *after; /* steps that must have run */
    size_t after_count;
    enum step_state state;
};

struct group {
    json_object *step_ids; /* borrowed */
    size_t *after;         /* groups that must have committed */
    size_t after_count;
    size_t unfinished; /* steps that are not STEP_RAN */
    size_t step_count;
    int64_t *takes; /* of each connection */
    enum group_state state;
    bool again;         /* its attempt has failed, and another may follow */
    bool abort_is_done; /* while aborting: the abort has been answered */
};

/* Of which so many may be taken at a time. */
struct connection {
    const char *name; /* borrowed */
    int64_t maximum, taken;
};

struct schedule {
    struct connection *connections;
    size_t connection_count;
    size_t steps_at_a_time, steps_there; /* the latter, and `taken`, are as of the last sum_up */
    struct step *steps;
    size_t step_count;
    struct group *groups;
    size_t group_count;
    bool stopping;
    bool held;
};

size_t schedule_find_step(const struct schedule *schedule, const char *step_id)
{
    for (size_t i = 0; i < schedule->step_count; i++)
        if (step_id != NULL && strcmp(schedule->steps[i].id, step_id) == 0)
            return i;
    return (size_t)-1;
}

static size_t find_group(const struct schedule *schedule, json_object *plan_groups, int64_t id)
{
    for (size_t i = 0; i < schedule->group_count; i++) {
        json_object *group = json_object_array_get_idx(plan_groups, i);
        if (json_object_get_int64(json_member(group, "id")) == id)
            return i;
    }
    return (size_t)-1;
}

static int bad_plan(struct osiris_error *error, const char *what)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the plan is malformed: %s", what);
}

static int read_after_steps(struct schedule *schedule, struct step *step,
                            struct osiris_error *error)
{
    json_object *after = json_member(step->plan, "after");
    size_t count = json_array_count(after);

    step->after = calloc(count + 1, sizeof *step->after);
    for (size_t i = 0; i < count; i++) {
        size_t found = schedule_find_step(
            schedule, json_object_get_string(json_object_array_get_idx(after, i)));
        if (found == (size_t)-1)
            return bad_plan(error, "a step comes after one that is not there");
        step->after[step->after_count++] = found;
    }
    return 0;
}

static int read_steps(struct schedule *schedule, json_object *plan_steps, json_object *plan_groups,
                      struct osiris_error *error)
{
    for (size_t i = 0; i < schedule->step_count; i++) {
        struct step *step = &schedule->steps[i];
        step->plan = json_object_array_get_idx(plan_steps, i);
        step->id = json_object_get_string(json_member(step->plan, "id"));
        if (step->id == NULL)
            return bad_plan(error, "a step has no id");
        step->group =
            find_group(schedule, plan_groups, json_object_get_int64(json_member(step->plan, "group")));
        if (step->group == (size_t)-1)
            return bad_plan(error, "a step is in no group");
        schedule->groups[step->group].unfinished++;
    }
    for (size_t i = 0; i < schedule->step_count; i++)
        if (read_after_steps(schedule, &schedule->steps[i], error) < 0)
            return -1;
    return 0;
}

static size_t find_connection(struct schedule *schedule, const char *name, int64_t maximum)
{
    size_t i = 0;

    while (i < schedule->connection_count && strcmp(schedule->connections[i].name, name) != 0)
        i++;
    if (i == schedule->connection_count)
        schedule->connections[schedule->connection_count++] = (struct connection){.name = name, .maximum = maximum};
    return i;
}

/* Behind read_steps. */
static void read_connections(struct schedule *schedule)
{
    schedule->connections = calloc(schedule->step_count + 1, sizeof *schedule->connections);
    for (size_t i = 0; i < schedule->step_count; i++) {
        struct step *step = &schedule->steps[i];
        struct group *group = &schedule->groups[step->group];
        json_object *taken = json_member(step->plan, "connections");
        group->step_count++;
        if (taken == NULL)
            continue;
        if (group->takes == NULL)
            group->takes = calloc(schedule->step_count, sizeof *group->takes);
        size_t which = find_connection(schedule, json_member_string(taken, "of", ""), json_member_integer(taken, "max", INT64_MAX));
        group->takes[which] += json_member_integer(taken, "count", 1);
    }
}

static int read_groups(struct schedule *schedule, json_object *plan_groups,
                       struct osiris_error *error)
{
    for (size_t i = 0; i < schedule->group_count; i++) {
        struct group *group = &schedule->groups[i];
        json_object *plan = json_object_array_get_idx(plan_groups, i);
        json_object *after = json_member(plan, "after");
        group->step_ids = json_member(plan, "steps");
        group->after = calloc(json_array_count(after) + 1, sizeof *group->after);
        for (size_t j = 0; j < json_array_count(after); j++) {
            size_t found = find_group(schedule, plan_groups,
                                      json_object_get_int64(json_object_array_get_idx(after, j)));
            if (found == (size_t)-1)
                return bad_plan(error, "a group comes after one that is not there");
            group->after[group->after_count++] = found;
        }
    }
    return 0;
}

struct schedule *schedule_new(json_object *plan, struct osiris_error *error)
{
    json_object *steps = json_member(plan, "steps");
    json_object *groups = json_member(plan, "groups");
    struct schedule *schedule = calloc(1, sizeof *schedule);

    schedule->steps = calloc(json_array_count(steps) + 1, sizeof *schedule->steps);
    schedule->groups = calloc(json_array_count(groups) + 1, sizeof *schedule->groups);
    schedule->step_count = json_array_count(steps);
    schedule->group_count = json_array_count(groups);
    schedule->steps_at_a_time = SCHEDULE_STEPS_AT_A_TIME;
    if (read_groups(schedule, groups, error) < 0 || read_steps(schedule, steps, groups, error) < 0) {
        schedule_free(schedule);
        return NULL;
    }
    read_connections(schedule);
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    if (schedule == NULL)
        return;
    for (size_t i = 0; i < schedule->step_count; i++)
        free(schedule->steps[i].after);
    for (size_t i = 0; i < schedule->group_count; i++) {
        free(schedule->groups[i].after);
        free(schedule->groups[i].takes);
    }
    free(schedule->connections);
    free(schedule->steps);
    free(schedule->groups);
    free(schedule);
}

void schedule_bound_steps(struct schedule *schedule, size_t steps)
{
    schedule->steps_at_a_time = steps;
}

/* A group comes to be there. */
static void take(struct schedule *schedule, const struct group *group)
{
    schedule->steps_there += group->step_count;
    for (size_t i = 0; group->takes != NULL && i < schedule->connection_count; i++)
        schedule->connections[i].taken += group->takes[i];
}

static void sum_up(struct schedule *schedule)
{
    schedule->steps_there = 0;
    for (size_t i = 0; i < schedule->connection_count; i++)
        schedule->connections[i].taken = 0;
    for (size_t i = 0; i < schedule->group_count; i++) {
        const struct group *group = &schedule->groups[i];
        if (group->state != GROUP_WAITING && group->state != GROUP_COMMITTED && group->state != GROUP_FAILED)
            take(schedule, group);
    }
}

/* Alone there is room for any: that one group takes more of a connection than there may be, the compiler has refused. */
static bool has_room(const struct schedule *schedule, const struct group *group)
{
    if (schedule->steps_there == 0)
        return true;
    for (size_t i = 0; group->takes != NULL && i < schedule->connection_count; i++) {
        const struct connection *connection = &schedule->connections[i];
        if (group->takes[i] > 0 && connection->taken + group->takes[i] > connection->maximum)
            return false;
    }
    return schedule->steps_there + group->step_count <= schedule->steps_at_a_time;
}

static bool group_may_start(const struct schedule *schedule, const struct group *group)
{
    for (size_t i = 0; i < group->after_count; i++)
        if (schedule->groups[group->after[i]].state != GROUP_COMMITTED)
            return false;
    return true;
}

static bool step_may_start(const struct schedule *schedule, const struct step *step)
{
    if (step->state != STEP_WAITING || schedule->groups[step->group].state != GROUP_RUNNING)
        return false;
    for (size_t i = 0; i < step->after_count; i++)
        if (schedule->steps[step->after[i]].state != STEP_RAN)
            return false;
    return true;
}

static enum schedule_action next_abort(struct schedule *schedule, size_t *index)
{
    for (size_t i = 0; i < schedule->group_count; i++) {
        struct group *group = &schedule->groups[i];
        if (group->state == GROUP_RUNNING && (schedule->stopping || group->again)) {
            group->state = GROUP_ABORTING;
            group->abort_is_done = false;
            *index = i;
            return SCHEDULE_ABORT;
        }
    }
    return SCHEDULE_NOTHING;
}

/* Its abort is answered, and so are all of its steps. */
static bool group_is_settled(const struct schedule *schedule, size_t index)
{
    if (schedule->groups[index].state != GROUP_ABORTING || !schedule->groups[index].abort_is_done)
        return false;
    for (size_t i = 0; i < schedule->step_count; i++)
        if (schedule->steps[i].group == index && schedule->steps[i].state == STEP_REQUESTED)
            return false;
    return true;
}

static enum schedule_action next_pause(struct schedule *schedule, size_t *index)
{
    for (size_t i = 0; i < schedule->group_count; i++)
        if (schedule->groups[i].again && group_is_settled(schedule, i)) {
            schedule->groups[i].state = GROUP_PAUSED;
            *index = i;
            return SCHEDULE_PAUSE;
        }
    return SCHEDULE_NOTHING;
}

enum schedule_action schedule_next(struct schedule *schedule, size_t *index)
{
    enum schedule_action action = next_abort(schedule, index);

    if (action == SCHEDULE_NOTHING && !schedule->stopping)
        action = next_pause(schedule, index);
    if (action != SCHEDULE_NOTHING || schedule->stopping)
        return action;
    sum_up(schedule);
    for (size_t i = 0; i < schedule->group_count; i++) {
        struct group *group = &schedule->groups[i];
        if (group->state == GROUP_WAITING && group_may_start(schedule, group) && has_room(schedule, group)) {
            group->state = GROUP_RUNNING;
            take(schedule, group);
        }
        if (group->state == GROUP_RUNNING && group->unfinished == 0) {
            group->state = GROUP_COMMITTING;
            *index = i;
            return SCHEDULE_COMMIT;
        }
    }
    for (size_t i = 0; i < schedule->step_count && !schedule->held; i++)
        if (step_may_start(schedule, &schedule->steps[i])) {
            schedule->steps[i].state = STEP_REQUESTED;
            *index = i;
            return SCHEDULE_START_STEP;
        }
    return SCHEDULE_NOTHING;
}

void schedule_step_ended(struct schedule *schedule, size_t index, bool success)
{
    struct step *step = &schedule->steps[index];

    if (step->state != STEP_REQUESTED)
        return;
    if (success) {
        step->state = STEP_RAN;
        schedule->groups[step->group].unfinished--;
    } else {
        step->state = STEP_FAILED;
        if (!schedule->groups[step->group].again)
            schedule_stop(schedule);
    }
}

void schedule_group_committed(struct schedule *schedule, size_t group, bool success)
{
    /* After a failed commit the worker may still hold some of the group's steps: abort those. */
    schedule->groups[group].state = success ? GROUP_COMMITTED : GROUP_RUNNING;
    if (!success)
        schedule_stop(schedule);
}

void schedule_group_aborted(struct schedule *schedule, size_t group)
{
    schedule->groups[group].abort_is_done = true;
    if (!schedule->groups[group].again)
        schedule->groups[group].state = GROUP_FAILED;
}

/* Nobody gets another attempt any more. */
void schedule_stop(struct schedule *schedule)
{
    schedule->stopping = true;
    for (size_t i = 0; i < schedule->group_count; i++) {
        struct group *group = &schedule->groups[i];
        group->again = false;
        if (group->state == GROUP_PAUSED ||
            (group->state == GROUP_ABORTING && group->abort_is_done))
            group->state = GROUP_FAILED;
    }
}

void schedule_retry_group(struct schedule *schedule, size_t group)
{
    schedule->groups[group].again = !schedule->stopping;
}

void schedule_resume_group(struct schedule *schedule, size_t index)
{
    struct group *group = &schedule->groups[index];

    if (group->state != GROUP_PAUSED)
        return;
    group->state = GROUP_RUNNING;
    group->again = false;
    group->unfinished = 0;
    for (size_t i = 0; i < schedule->step_count; i++)
        if (schedule->steps[i].group == index) {
            schedule->steps[i].state = STEP_WAITING;
            group->unfinished++;
        }
}

void schedule_hold(struct schedule *schedule, bool hold)
{
    schedule->held = hold;
}

bool schedule_is_stopping(const struct schedule *schedule)
{
    return schedule->stopping;
}

bool schedule_finished(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->group_count; i++) {
        enum group_state state = schedule->groups[i].state;
        if (state == GROUP_RUNNING || state == GROUP_COMMITTING || state == GROUP_ABORTING ||
            state == GROUP_PAUSED || (state == GROUP_WAITING && !schedule->stopping))
            return false;
    }
    for (size_t i = 0; i < schedule->step_count; i++)
        if (schedule->steps[i].state == STEP_REQUESTED)
            return false;
    return true;
}

bool schedule_succeeded(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->group_count; i++)
        if (schedule->groups[i].state != GROUP_COMMITTED)
            return false;
    return true;
}

size_t schedule_step_count(const struct schedule *schedule)
{
    return schedule->step_count;
}

json_object *schedule_step(const struct schedule *schedule, size_t step)
{
    return schedule->steps[step].plan;
}

enum step_state schedule_step_state(const struct schedule *schedule, size_t step)
{
    return schedule->steps[step].state;
}

json_object *schedule_group_steps(const struct schedule *schedule, size_t group)
{
    return schedule->groups[group].step_ids;
}

size_t schedule_group_count(const struct schedule *schedule)
{
    return schedule->group_count;
}

enum group_state schedule_group_state(const struct schedule *schedule, size_t group)
{
    return schedule->groups[group].state;
}

size_t schedule_step_group(const struct schedule *schedule, size_t step)
{
    return schedule->steps[step].group;
}
