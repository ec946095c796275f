/*
 * Attempts of groups: what a failed step or a lost worker means, whether its group may have another attempt, and when that
 * begins; see state.h, retry.h, and docs/pipelines.md for the rules.
 *
 * The step that failed first decides by its `retry`. Its group is aborted as in a run that fails (schedule.h). What is known of
 * the attempt's steps is held back until it is clear whether there is another one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/output/artifacts.h"
#include "core/base/clock.h"
#include "orchestrator/oml/duration.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/remove-tree.h"
#include "orchestrator/session/state.h"

static struct session_group *group_of(struct session *session, size_t step)
{
    return &session->groups[schedule_step_group(session->schedule, step)];
}

int session_seed_jitter(struct session *session, struct osiris_error *error)
{
    session->random.state = (uint64_t)session->options->retry_seed;
    if (session->options->retry_seed == 0 &&
        getrandom(&session->random.state, sizeof session->random.state, 0) < 0)
        return osiris_error_set_errno(error, errno, "cannot draw a random number");
    return 0;
}

void session_read_attempts(struct session *session)
{
    for (size_t i = 0; i < session->step_count; i++) {
        json_object *plan = schedule_step(session->schedule, i);
        struct session_step *step = &session->steps[i];
        step->timeout_ms = json_member_integer(plan, "timeout_ms", 0);
        step->total_timeout_ms = json_member_integer(plan, "total_timeout_ms", 0);
        step->atomic = json_member_boolean(plan, "atomic", true);
        retry_from_json(json_member(plan, "retry"), &step->retry);
        if (step->retry.max_attempts > 1)
            group_of(session, i)->may_repeat = true;
    }
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++)
        session->groups[i].attempt = 1;
}

static char *artifacts_path(const struct session *session, const struct session_step *step)
{
    return memory_format("%s/%s", rundir_artifacts_path(session->options->rundir), step->id);
}

void session_note_artifacts(struct session *session)
{
    session->artifacts = folder_entries(rundir_artifacts_path(session->options->rundir));
    for (size_t i = 0; i < session->step_count; i++) {
        struct session_step *step = &session->steps[i];
        if (!group_of(session, i)->may_repeat)
            continue;
        _cleanup_free_ char *path = artifacts_path(session, step);
        step->artifacts = folder_entries(path);
    }
}

struct sweeping {
    struct session *session;
    const struct session_step *step;
};

static void warn_of_artifact(void *context, const char *text)
{
    const struct sweeping *sweeping = context;

    session_log(sweeping->session, OSIRIS_WARNING, sweeping->step == NULL ? "adapter" : sweeping->step->id, text);
}

/* A worker that has died has not done it, and an adapter may have brought anything. */
void session_sweep_artifacts(struct session *session)
{
    for (size_t i = 0; i < session->step_count; i++) {
        struct sweeping sweeping = {session, &session->steps[i]};
        _cleanup_free_ char *path = artifacts_path(session, sweeping.step);
        artifacts_sweep(path, warn_of_artifact, &sweeping);
    }
    struct sweeping rest = {session, NULL};
    artifacts_sweep_new(rundir_artifacts_path(session->options->rundir), session->artifacts, warn_of_artifact, &rest);
}

/* Holding back. */

static void hold(struct session_step *step, struct osiris_error *error)
{
    osiris_error_move(&step->held, error);
    step->has_ended = true;
}

void session_tell_group(struct session *session, size_t group)
{
    for (size_t i = 0; i < session->step_count; i++) {
        struct session_step *step = &session->steps[i];
        if (schedule_step_group(session->schedule, i) != group)
            continue;
        session_tell_metrics(session, step);
        if (!step->has_ended)
            continue;
        step->has_ended = false;
        session_step_ended(session, i, NULL, &step->held);
        osiris_error_clear(&step->held);
    }
}

/* It never was. */
static void forget_attempt(struct session *session, size_t group)
{
    for (size_t i = 0; i < session->step_count; i++) {
        struct session_step *step = &session->steps[i];
        if (schedule_step_group(session->schedule, i) != group)
            continue;
        if (schedule_step_state(session->schedule, i) == STEP_RAN)
            session->result->steps_completed--;
        json_object_put(step->metrics);
        step->metrics = NULL;
        step->has_ended = step->has_written = false;
        osiris_error_clear(&step->held);
        osiris_error_clear(&step->overdue);
        _cleanup_free_ char *path = artifacts_path(session, step);
        remove_new_entries(path, step->artifacts);
    }
}

/* Failing. */

static void name_step(const struct session_step *step, struct osiris_error *error)
{
    if (error->step_id == NULL)
        error->step_id = strdup(step->id);
    if (error->component == NULL)
        error->component = strdup(step->component);
}

/* Whether the step's own rules allow another attempt of its group. (If there is time for it, pause_again finds out.) */
static bool step_allows(struct session *session, const struct session_step *step,
                        const struct session_group *group, const struct osiris_error *error)
{
    return !schedule_is_stopping(session->schedule) &&
           retry_allows(&step->retry, group->attempt, error);
}

/* The first failure of an attempt: true if another one may follow. */
static bool begin_again(struct session *session, size_t index, const struct osiris_error *error)
{
    size_t number = schedule_step_group(session->schedule, index);
    struct session_group *group = &session->groups[number];

    if (schedule_group_state(session->schedule, number) != GROUP_RUNNING ||
        !step_allows(session, &session->steps[index], group, error))
        return false;
    osiris_error_copy(&group->cause, error);
    name_step(&session->steps[index], &group->cause);
    group->cause_step = index;
    group->failing = true;
    schedule_retry_group(session->schedule, number);
    return true;
}

void session_step_failed(struct session *session, size_t index, struct osiris_error *error)
{
    struct session_step *step = &session->steps[index];
    struct session_group *group = group_of(session, index);

    if (step->overdue.category != 0)
        osiris_error_copy(error, &step->overdue);
    name_step(step, error);
    if ((group->failing || begin_again(session, index, error)) &&
        !schedule_is_stopping(session->schedule)) {
        hold(step, error);
        schedule_step_ended(session->schedule, index, false);
        return;
    }
    session_step_ended(session, index, NULL, error);
    schedule_step_ended(session->schedule, index, false);
    session_fail(session, error);
}

void session_step_overdue(struct session *session, size_t index, struct osiris_error *error)
{
    struct session_step *step = &session->steps[index];

    name_step(step, error);
    osiris_error_copy(&step->overdue, error);
    if (!group_of(session, index)->failing && !begin_again(session, index, error))
        session_fail(session, error);
    osiris_error_clear(error);
}

/* Lost workers. */

static bool is_here(const struct session_place *place, size_t step, size_t group)
{
    const struct session *session = place->session;

    return &session->places[session->steps[step].place] == place &&
           schedule_step_group(session->schedule, step) == group;
}

static bool group_sits_in(const struct session_place *place, size_t group)
{
    for (size_t i = 0; i < place->session->step_count; i++)
        if (is_here(place, i, group))
            return true;
    return false;
}

/* Of the group's steps in the place that run or have run: the one that is known to have ended the worker, or else the first that
 * allows another attempt, or else the first. */
static size_t step_to_blame(struct session_place *place, size_t group,
                            const struct osiris_error *error)
{
    struct session *session = place->session;
    size_t blamed = (size_t)-1;

    for (size_t i = 0; i < session->step_count; i++) {
        enum step_state state = schedule_step_state(session->schedule, i);
        if (!is_here(place, i, group) || (state != STEP_REQUESTED && state != STEP_RAN))
            continue;
        if (error->step_id != NULL && strcmp(error->step_id, session->steps[i].id) == 0)
            return i;
        if (blamed == (size_t)-1 ||
            (step_allows(session, &session->steps[i], &session->groups[group], error) &&
             !step_allows(session, &session->steps[blamed], &session->groups[group], error)))
            blamed = i;
    }
    return blamed;
}

static void lose_step(struct session *session, size_t index, const struct osiris_error *error)
{
    struct osiris_error own = OSIRIS_ERROR_INIT;

    session->steps[index].has_written = true; /* nobody knows */
    osiris_error_copy(&own, error);
    session_step_failed(session, index, &own);
    osiris_error_clear(&own);
}

/* What the end of a worker means for a group. */
enum loss { LOST_NOTHING, LOSS_DEALT_WITH, LOSS_FATAL };

static enum loss lose_running_group(struct session_place *place, size_t group,
                                    const struct osiris_error *error)
{
    struct session *session = place->session;
    size_t blamed = step_to_blame(place, group, error);
    enum group_state state = schedule_group_state(session->schedule, group);
    bool dealt_with = true;

    if (blamed == (size_t)-1 || (state != GROUP_RUNNING && state != GROUP_ABORTING))
        return LOST_NOTHING;
    if (schedule_step_state(session->schedule, blamed) == STEP_REQUESTED)
        lose_step(session, blamed, error);
    else if (!session->groups[group].failing)
        dealt_with = begin_again(session, blamed, error);
    for (size_t i = 0; i < session->step_count; i++)
        if (is_here(place, i, group) &&
            schedule_step_state(session->schedule, i) == STEP_REQUESTED)
            lose_step(session, i, error);
    return dealt_with ? LOSS_DEALT_WITH : LOSS_FATAL;
}

static void pause_again(struct session *session, size_t group);

/* It waits for its next attempt, which has failed thereby before it has begun. */
static enum loss lose_paused_group(struct session_place *place, size_t number,
                                   const struct osiris_error *error)
{
    struct session *session = place->session;
    struct session_group *group = &session->groups[number];

    if (!group_sits_in(place, number))
        return LOST_NOTHING;
    if (!step_allows(session, &session->steps[group->cause_step], group, error))
        return LOSS_FATAL;
    osiris_error_copy(&group->cause, error);
    name_step(&session->steps[group->cause_step], &group->cause);
    pause_again(session, number);
    if (place->restart_ms == 0 || place->restart_ms > group->resume_ms)
        place->restart_ms = group->resume_ms;
    return LOSS_DEALT_WITH;
}

void session_warn_of_end(struct session_place *place, const struct osiris_error *error)
{
    struct session *session = place->session;
    json_object *fields = json_object_new_object();

    json_add_string(fields, "place", place->name);
    json_add(fields, "detail", osiris_error_to_json(error));
    session_event(session, "close_failed", fields);
    _cleanup_free_ char *text = memory_format("%s; the output had been published before%s%s",
                                              error->message, error->hint == NULL ? "" : "; ", error->hint == NULL ? "" : error->hint);
    session_log(session, OSIRIS_WARNING, "worker", text);
}

/* A group that is being committed is past repeating: place_forget_requests answers for it. */
static enum loss lose_committing_group(struct session_place *place, size_t group,
                                       struct osiris_error *error)
{
    if (!group_sits_in(place, group))
        return LOST_NOTHING;
    if (place_has_published(place, group)) {
        session_warn_of_end(place, error);
        return LOSS_DEALT_WITH;
    }
    /* It may be there already. A run that has failed of something else tells of that only. */
    error->retryable = false;
    if (place->session->failure.category != 0)
        session_log(place->session, OSIRIS_WARNING, "worker", error->message);
    return LOSS_FATAL;
}

static enum loss lose_group(struct session_place *place, size_t group, struct osiris_error *error)
{
    switch (schedule_group_state(place->session->schedule, group)) {
    case GROUP_PAUSED:
        return lose_paused_group(place, group, error);
    case GROUP_COMMITTING:
        return lose_committing_group(place, group, error);
    default:
        return lose_running_group(place, group, error);
    }
}

/* Nothing of a group had begun here. Those that were to may have another worker, if one of their steps may be repeated: that counts
 * as an attempt, so that a place whose workers keep dying is given up. */
static bool lose_waiting_groups(struct session_place *place, const struct osiris_error *error)
{
    struct session *session = place->session;
    size_t count = schedule_group_count(session->schedule), waiting = count;

    for (size_t i = 0; i < session->step_count; i++) {
        size_t group = schedule_step_group(session->schedule, i);
        enum group_state state = schedule_group_state(session->schedule, group);
        if (!is_here(place, i, group) || state == GROUP_COMMITTED)
            continue;
        if (state != GROUP_WAITING)
            return false;
        if (waiting == count && step_allows(session, &session->steps[i], &session->groups[group], error)) {
            session->groups[group].cause_step = i;
            waiting = group;
        }
    }
    if (waiting == count)
        return false;
    struct session_group *group = &session->groups[waiting];
    osiris_error_copy(&group->cause, error);
    name_step(&session->steps[group->cause_step], &group->cause);
    pause_again(session, waiting);
    place->restart_ms = group->resume_ms;
    return true;
}

void session_place_lost(struct session_place *place, struct osiris_error *error)
{
    struct session *session = place->session;
    enum loss worst = LOST_NOTHING;

    place->restart_ms = 0;
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++) {
        enum loss loss = lose_group(place, i, error);
        worst = loss > worst ? loss : worst;
    }
    if (worst == LOST_NOTHING && lose_waiting_groups(place, error))
        worst = LOSS_DEALT_WITH;
    /* A worker that dies with nothing to lose could not start, or dies at its end. */
    if (worst == LOST_NOTHING && schedule_succeeded(session->schedule))
        session_warn_of_end(place, error);
    else if (worst != LOSS_DEALT_WITH)
        session_fail(session, error);
    osiris_error_clear(error);
}

/* Pausing. */

/* A writer of the group that may have written what it cannot take back, and was not told that this is all right. */
static const struct session_step *spoiled_by(const struct session *session, size_t group)
{
    for (size_t i = 0; i < session->step_count; i++) {
        const struct session_step *step = &session->steps[i];
        if (schedule_step_group(session->schedule, i) == group && !step->atomic &&
            !step->retry.unsafe && step->has_written)
            return step;
    }
    return NULL;
}

static void record_retry(struct session *session, const struct session_group *group,
                         int64_t delay_ms)
{
    const struct session_step *step = &session->steps[group->cause_step];
    json_object *fields = json_object_new_object();
    json_object *tags = json_object_new_object();

    json_add_string(fields, "step_id", step->id);
    json_add_integer(fields, "attempt", group->attempt);
    json_add_integer(fields, "max_attempts", step->retry.max_attempts);
    json_add_integer(fields, "delay_ms", delay_ms);
    json_add_string(fields, "error", group->cause.message);
    json_add_string(fields, "error_type", session_error_type(&group->cause));
    json_add(fields, "detail", osiris_error_to_json(&group->cause));
    session_event(session, "step_retry", fields);
    json_add_string(tags, "step", step->id);
    rundir_metric(session->options->rundir, "step_retry_delay_ms", (double)delay_ms, "ms", tags);
}

static void tell_retry(struct session *session, const struct session_group *group, int64_t delay_ms)
{
    const struct session_options *options = session->options;
    const struct session_step *step = &session->steps[group->cause_step];
    _cleanup_free_ char *clean = redactor_record_text(options->redactor, group->cause.message);
    char delay[DURATION_TEXT_SIZE];
    char text[512];

    record_retry(session, group, delay_ms);
    snprintf(text, sizeof text, "attempt %lld of %lld failed, the next one comes in %s: %.400s",
             (long long)group->attempt, (long long)step->retry.max_attempts,
             duration_text(delay_ms, delay), clean == NULL ? "" : clean);
    rundir_log(options->rundir, OSIRIS_WARNING, step->id, text);
    if (options->observer != NULL && options->observer->step_retried != NULL)
        options->observer->step_retried(options->observer_context, step->id,
                                        clean == NULL ? "" : clean, group->attempt,
                                        step->retry.max_attempts, delay_ms);
}

/* The run fails of what the attempt has failed of. */
static void give_up(struct session *session, size_t number)
{
    struct osiris_error cause = OSIRIS_ERROR_INIT;

    osiris_error_move(&cause, &session->groups[number].cause);
    session_fail(session, &cause);
}

/* The attempt is over; the next one comes after a delay, if that still fits. */
static void pause_again(struct session *session, size_t number)
{
    struct session_group *group = &session->groups[number];
    const struct session_step *step = &session->steps[group->cause_step];
    int64_t now = clock_monotonic_ms();
    int64_t delay = retry_delay_ms(&step->retry, group->attempt, &session->random);
    char text[DURATION_TEXT_SIZE];

    if (step->total_timeout_ms > 0 && step->first_ms != 0 && now + delay >= step->first_ms + step->total_timeout_ms) {
        osiris_error_hint(&group->cause, "no other attempt fits into its timeout of %s in all",
                          duration_text(step->total_timeout_ms, text));
        give_up(session, number);
        return;
    }
    tell_retry(session, group, delay);
    group->attempt++;
    group->resume_ms = now + delay;
}

void session_pause_group(struct session *session, size_t number)
{
    struct session_group *group = &session->groups[number];
    const struct session_step *writer = spoiled_by(session, number);

    group->stop_ms = 0;
    if (writer == NULL) {
        pause_again(session, number);
        return;
    }
    osiris_error_hint(&group->cause,
                      "it is not repeated: step \"%s\" (%s) may have written what it cannot take "
                      "back; give it retry: {unsafe: true} if it may write twice",
                      writer->id, writer->component);
    give_up(session, number);
}

/* Resuming. */

static bool may_restart(const struct session *session)
{
    return !schedule_is_stopping(session->schedule) && !schedule_finished(session->schedule);
}

/* Not before its groups know what they have lost. */
static bool is_to_restart(const struct session_place *place)
{
    const struct session *session = place->session;

    if (place->phase != PLACE_BROKEN)
        return false;
    for (size_t i = 0; i < schedule_group_count(session->schedule); i++) {
        enum group_state state = schedule_group_state(session->schedule, i);
        if ((state == GROUP_RUNNING || state == GROUP_ABORTING || state == GROUP_COMMITTING) &&
            group_sits_in(place, i))
            return false;
    }
    return true;
}

static void restart_places(struct session *session)
{
    for (size_t i = 0; i < session->place_count && may_restart(session); i++) {
        struct session_place *place = &session->places[i];
        if (is_to_restart(place) && clock_monotonic_ms() >= place->restart_ms)
            place_restart(place);
    }
}

static bool places_are_ready(const struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase != PLACE_RUNNING)
            return false;
    return true;
}

void session_resume_groups(struct session *session)
{
    int64_t now = clock_monotonic_ms();

    restart_places(session);
    bool ready = places_are_ready(session);
    schedule_hold(session->schedule, !ready);
    for (size_t i = 0; ready && i < schedule_group_count(session->schedule); i++) {
        struct session_group *group = &session->groups[i];
        if (schedule_group_state(session->schedule, i) != GROUP_PAUSED || now < group->resume_ms)
            continue;
        forget_attempt(session, i);
        group->failing = false;
        osiris_error_clear(&group->cause);
        schedule_resume_group(session->schedule, i);
    }
}

int64_t session_next_resumption(const struct session *session)
{
    int64_t next = INT64_MAX;
    bool ready = places_are_ready(session);

    for (size_t i = 0; ready && i < schedule_group_count(session->schedule); i++)
        if (schedule_group_state(session->schedule, i) == GROUP_PAUSED &&
            session->groups[i].resume_ms < next)
            next = session->groups[i].resume_ms;
    for (size_t i = 0; i < session->place_count && may_restart(session); i++)
        if (is_to_restart(&session->places[i]) && session->places[i].restart_ms < next)
            next = session->places[i].restart_ms;
    return next;
}
