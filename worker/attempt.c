/* One attempt of a step; see attempt.h. */
#include "worker/attempt.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "worker/answer.h"
#include "worker/calls.h"
#include "worker/cancel.h"
#include "worker/edges.h"
#include "worker/input-streams.h"
#include "worker/lifecycle.h"
#include "worker/run.h"
#include "worker/step-messages.h"
#include "worker/verbs.h"

/* Answering. */

static const char *rows_metric(int kind)
{
    return kind == OSIRIS_EXTRACTOR ? "rows_read"
           : kind == OSIRIS_WRITER  ? "rows_written"
                                    : "rows_processed";
}

static void answer_success(struct step *step)
{
    json_object *result = json_object_new_object();
    json_object *outputs = json_object_new_object();
    json_object *metrics = json_object_new_object();
    int64_t rows = atomic_load(&step->progress.rows), written = files_size(step);

    json_add_string(result, "status", "success");
    if (step->plan.driver->kind != OSIRIS_WRITER) {
        json_object *stream = json_object_new_object();
        json_add_integer(stream, "rows", rows);
        json_add_integer(stream, "bytes", atomic_load(&step->progress.bytes));
        json_add_integer(stream, "batches", step->own.batches);
        json_add(outputs, "df", stream);
    }
    json_add(result, "outputs", outputs);
    json_add_integer(metrics, rows_metric(step->plan.driver->kind), rows);
    json_add_integer(metrics, "bytes", written >= 0 ? written : atomic_load(&step->progress.bytes));
    json_add(result, "metrics", metrics);
    if (step->reports.answer != NULL)
        json_add(result, "result", json_object_get(step->reports.answer));
    json_add_number(result, "duration_ms", (double)(clock_monotonic_ns() - step->own.started_ns) / 1e6);
    answer_result(step->run->channel, step->request.id, result);
}

/* An error that occurs while a step is being stopped is not the cause of its failure. */
static void make_cancelled(struct step *step, struct osiris_error *error)
{
    pthread_mutex_lock(&step->run->steps_lock);
    _cleanup_free_ char *cause = step->fate.stopped_by == NULL ? NULL : strdup(step->fate.stopped_by);
    pthread_mutex_unlock(&step->run->steps_lock);
    if (cause != NULL)
        osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped because step \"%s\" failed",
                         cause);
    else
        osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "cancelled");
}

static void answer_failure(struct step *step, struct osiris_error *error)
{
    if (atomic_load(&step->progress.cancelled))
        make_cancelled(step, error);
    error->step_id = strdup(step->plan.id);
    error->component = strdup(step->plan.component);
    if (atomic_load(&step->progress.touched))
        answer_error(step->run->channel, step->request.id, error);
    else
        answer_untouched(step->run->channel, step->request.id, error);
}

/* Decisions. */

static void name_error(const struct step *step, struct osiris_error *error)
{
    if (error->category == 0)
        return;
    free(error->step_id);
    free(error->component);
    error->step_id = strdup(step->plan.id);
    error->component = strdup(step->plan.component);
}

/* Until the driver is closed. */
static void close_step(struct step *step)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    step->own.stage = ATTEMPT_CLOSE;
    verbs_close(step);
    host_values_serve(NULL);
    decide_closed(step, &error);
}

static void act(struct step *step, enum decision_stage stage)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    step->own.stage = ATTEMPT_COMMIT;
    if (stage == DECIDE_COMMIT)
        step->own.committed = verbs_commit(step, &error) == 0;
    else if (stage == DECIDE_PUBLISH)
        files_publish(step, &error);
    else
        files_retract(step);
    name_error(step, &error);
    step->own.stage = ATTEMPT_DECIDE;
    decide_done(step, &error);
}

/* Acts on decisions until the driver is closed. */
static void follow_decisions(struct step *step)
{
    enum decision_stage stage;

    step->own.stage = ATTEMPT_DECIDE;
    while ((stage = decide_wait(step)) != DECIDE_ABORT && stage != DECIDE_CLOSE)
        act(step, stage);
    step->own.stage = ATTEMPT_CLOSE;
    if (stage == DECIDE_ABORT && !step->own.committed)
        verbs_abort(step);
    close_step(step);
}

/* Answers the request. `error` is cleared. */
static void settle(struct step *step, bool success, struct osiris_error *error)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    step->fate.succeeded = success;
    step->fate.phase = STEP_DECIDABLE;
    pthread_mutex_unlock(&run->steps_lock);
    /* The failed step answers before its neighbours, which fail because of it. */
    if (success)
        answer_success(step);
    else
        answer_failure(step, error);
    if (!success)
        cancel_group(run, step->plan.group, step);
    edges_end(step, success);
    osiris_error_clear(error);
}

static void set_end_error(struct step *step, const char *function, struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the driver \"%s\" ended its thread in %s(); this is a fault of the driver",
                     step->plan.driver->name, function == NULL ? "release" : function);
}

/* The driver has called pthread_exit. It is not called again; everything else continues as if it had failed. */
static void on_thread_end(void *context)
{
    struct step *step = context;
    const char *function = atomic_load(&step->signs.function);
    struct osiris_error error = OSIRIS_ERROR_INIT;
    enum attempt_stage stage = step->own.stage;

    decide_note_thread_end(step);
    reports_discard(step);
    set_end_error(step, function, &error);
    signs_leave(&step->signs);
    (void)interrupt_forbid(step);
    if (stage == ATTEMPT_RUN) {
        input_streams_end(step);
        settle(step, false, &error);
    } else if (stage == ATTEMPT_COMMIT) {
        name_error(step, &error);
        decide_done(step, &error);
    } else {
        step_log_text(step, "warning", error.message);
        osiris_error_clear(&error);
    }
    if (stage == ATTEMPT_CLOSE)
        close_step(step);
    else
        follow_decisions(step);
    decide_note_thread_left(step);
}

void attempt_run(struct step *step)
{
    lifecycle_name_thread(step->plan.id, step->plan.component);
    host_values_serve(&step->request.hosting->values);
    calls_begin_step(&step->signs);
    step->own.started_ns = clock_monotonic_ns();
    step->own.stage = ATTEMPT_RUN;
    pthread_cleanup_push(on_thread_end, step);
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool success = verbs_run(step, &error) == 0;
    settle(step, success, &error);
    follow_decisions(step);
    pthread_cleanup_pop(0);
}
