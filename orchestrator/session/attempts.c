/* Attempts of groups; see attempts.h. */
#include "orchestrator/session/attempts.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "orchestrator/oml/duration.h"
#include "orchestrator/session/artifacts.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/steps.h"

static struct session_group *group_of(struct session *session, size_t step)
{
    return &session->groups[session->plan->steps[step].group];
}

int session_seed_jitter(struct session *session, struct osiris_error *error)
{
    session->random.state = (uint64_t)session->options->retry_seed;
    if (session->options->retry_seed == 0 &&
        getrandom(&session->random.state, sizeof session->random.state, 0) < 0)
        return osiris_error_set_errno(error, errno, "cannot draw a random number");
    return 0;
}

/* Deferred reports. */

static void hold(struct session_step *step, struct osiris_error *error)
{
    osiris_error_move(&step->held, error);
    step->has_ended = true;
}

void session_report_group(struct session *session, size_t group)
{
    const struct plan_group *steps = &session->plan->groups[group];

    for (size_t i = 0; i < steps->step_count; i++) {
        struct session_step *step = &session->steps[steps->steps[i]];
        session_report_metrics(session, step);
        if (!step->has_ended)
            continue;
        step->has_ended = false;
        session_step_ended(session, steps->steps[i], NULL, &step->held);
        osiris_error_clear(&step->held);
    }
}

/* Failures. */

/* Adds the step to an error that names none. */
static void name_step(const struct session_step *step, struct osiris_error *error)
{
    if (error->step_id == NULL)
        error->step_id = strdup(step->id);
    if (error->component == NULL)
        error->component = strdup(step->component);
}

bool session_step_allows(const struct session *session, size_t step, const struct osiris_error *error)
{
    const struct plan_step *plan = &session->plan->steps[step];

    return !schedule_is_stopping(session->schedule) &&
           retry_allows(&plan->retry, session->groups[plan->group].attempt, error);
}

void session_set_cause(struct session *session, size_t step, const struct osiris_error *error)
{
    struct session_group *group = group_of(session, step);

    osiris_error_copy(&group->cause, error);
    name_step(&session->steps[step], &group->cause);
    group->cause_step = step;
}

bool session_start_retry(struct session *session, size_t step, const struct osiris_error *error)
{
    size_t number = session->plan->steps[step].group;

    if (schedule_group_state(session->schedule, number) != GROUP_RUNNING || !session_step_allows(session, step, error))
        return false;
    session_set_cause(session, step, error);
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
    if ((group->cause.category != 0 || session_start_retry(session, index, error)) &&
        !schedule_is_stopping(session->schedule)) {
        hold(step, error);
        schedule_step_ended(session->schedule, index, false);
        return;
    }
    session_step_ended(session, index, NULL, error);
    schedule_step_ended(session->schedule, index, false);
    session_fail(session, error);
}

void session_step_timed_out(struct session *session, size_t index, struct osiris_error *error)
{
    struct session_step *step = &session->steps[index];

    name_step(step, error);
    osiris_error_copy(&step->overdue, error);
    if (group_of(session, index)->cause.category == 0 && !session_start_retry(session, index, error))
        session_fail(session, error);
    osiris_error_clear(error);
}

/* Pauses. */

/* A writer of the group that may have made changes that it cannot undo, and is not marked as unsafe to repeat. */
static const struct session_step *irreversible_writer(const struct session *session, size_t group)
{
    const struct plan_group *steps = &session->plan->groups[group];

    for (size_t i = 0; i < steps->step_count; i++) {
        const struct session_step *step = &session->steps[steps->steps[i]];
        if (!step->plan->atomic && !step->plan->retry.unsafe && step->has_written)
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
    json_add_integer(fields, "max_attempts", step->plan->retry.max_attempts);
    json_add_integer(fields, "delay_ms", delay_ms);
    json_add_string(fields, "error", group->cause.message);
    json_add_string(fields, "error_type", session_error_type(&group->cause));
    json_add(fields, "detail", osiris_error_to_json(&group->cause));
    session_event(session, EVENT_STEP_RETRY, fields);
    json_add_string(tags, "step", step->id);
    rundir_own_metric(session->options->rundir, METRIC_STEP_RETRY_DELAY_MS, (double)delay_ms, "ms", tags);
}

static void report_retry(struct session *session, const struct session_group *group, int64_t delay_ms)
{
    const struct session_options *options = session->options;
    const struct session_step *step = &session->steps[group->cause_step];
    _cleanup_free_ char *clean = redactor_record_text(options->redactor, group->cause.message);
    char delay[DURATION_TEXT_SIZE];
    char text[512];

    record_retry(session, group, delay_ms);
    snprintf(text, sizeof text, "attempt %lld of %lld failed, the next one starts in %s: %.400s",
             (long long)group->attempt, (long long)step->plan->retry.max_attempts,
             duration_text(delay_ms, delay), clean == NULL ? "" : clean);
    rundir_log(options->rundir, OSIRIS_WARNING, step->id, text);
    if (options->observer != NULL && options->observer->step_retried != NULL)
        options->observer->step_retried(options->observer_context, step->id,
                                        clean == NULL ? "" : clean, group->attempt,
                                        step->plan->retry.max_attempts, delay_ms);
}

/* The cause of the failed attempt becomes the run's failure. */
static void fail_with_cause(struct session *session, size_t number)
{
    struct osiris_error cause = OSIRIS_ERROR_INIT;

    osiris_error_move(&cause, &session->groups[number].cause);
    session_fail(session, &cause);
}

void session_schedule_retry(struct session *session, size_t number)
{
    struct session_group *group = &session->groups[number];
    const struct session_step *step = &session->steps[group->cause_step];
    int64_t now = clock_monotonic_ms();
    int64_t delay = retry_delay_ms(&step->plan->retry, group->attempt, &session->random);
    char text[DURATION_TEXT_SIZE];

    if (step->plan->total_timeout_ms > 0 && step->first_ms != 0 && now + delay >= step->first_ms + step->plan->total_timeout_ms) {
        osiris_error_hint(&group->cause, "no further attempt fits into its total timeout of %s",
                          duration_text(step->plan->total_timeout_ms, text));
        fail_with_cause(session, number);
        return;
    }
    report_retry(session, group, delay);
    group->attempt++;
    group->resume_ms = now + delay;
}

void session_pause_group(struct session *session, size_t number)
{
    struct session_group *group = &session->groups[number];
    const struct session_step *writer = irreversible_writer(session, number);

    group->stop_ms = 0;
    if (writer == NULL) {
        session_schedule_retry(session, number);
        return;
    }
    osiris_error_hint(&group->cause,
                      "it is not repeated: step \"%s\" (%s) may have written something that it "
                      "cannot undo; set retry: {unsafe: true} on it if it may write twice",
                      writer->id, writer->component);
    fail_with_cause(session, number);
}

/* Resuming. */

/* Resets the group's steps, as if the attempt had not been made. */
static void reset_attempt(struct session *session, size_t group)
{
    const struct plan_group *steps = &session->plan->groups[group];

    for (size_t i = 0; i < steps->step_count; i++) {
        struct session_step *step = &session->steps[steps->steps[i]];
        if (schedule_step_state(session->schedule, steps->steps[i]) == STEP_RAN)
            session->result->steps_completed--;
        json_object_put(step->metrics);
        step->metrics = NULL;
        step->has_ended = step->has_written = false;
        osiris_error_clear(&step->held);
        osiris_error_clear(&step->overdue);
        session_remove_new_artifacts(session, step);
    }
}

void session_resume_group(struct session *session, size_t group)
{
    reset_attempt(session, group);
    osiris_error_clear(&session->groups[group].cause);
    schedule_resume_group(session->schedule, group);
}
