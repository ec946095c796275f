/* The end of a step; see steps.h. */
#include "orchestrator/session/steps.h"

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "orchestrator/session/notes.h"

static const char *failed_status(const struct osiris_error *error)
{
    return error->category == OSIRIS_ERROR_CANCELLED ? "cancelled" : "failed";
}

static void record_step(struct session_step *step, const char *status, int64_t attempts, double duration_ms)
{
    json_add_string(step->record, "status", status);
    json_add_integer(step->record, "rows", step->rows);
    json_add_integer(step->record, "bytes", step->bytes);
    json_add_number(step->record, "duration_ms", duration_ms);
    json_add_integer(step->record, "attempts", attempts);
    json_object_object_del(step->record, "error");
}

static json_object *step_fields(const struct session_step *step)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "step_id", step->id);
    json_add_string(fields, "driver", step->plan->driver);
    return fields;
}

static json_object *step_tags(const struct session_step *step)
{
    json_object *tags = json_object_new_object();

    json_add_string(tags, "step", step->id);
    return tags;
}

/* If a step may run again, its metrics are held: only those of the last attempt are reported. */
static void step_metric(struct session *session, struct session_step *step, enum own_metric metric, double value,
                        const char *unit)
{
    if (!session->groups[step->plan->group].may_repeat || schedule_is_stopping(session->schedule)) {
        rundir_own_metric(session->options->rundir, metric, value, unit, step_tags(step));
        return;
    }
    json_object *entry = json_object_new_object();
    json_add_integer(entry, "metric", metric);
    json_add_number(entry, "value", value);
    json_add_string(entry, "unit", unit);
    if (step->metrics == NULL)
        step->metrics = json_object_new_array();
    json_append(step->metrics, entry);
}

void session_report_metrics(struct session *session, struct session_step *step)
{
    for (size_t i = 0; i < json_array_count(step->metrics); i++) {
        json_object *entry = json_object_array_get_idx(step->metrics, i);
        rundir_own_metric(session->options->rundir, (enum own_metric)json_member_integer(entry, "metric", 0),
                          json_member_number(entry, "value", 0), json_member_string(entry, "unit", NULL), step_tags(step));
    }
    json_object_put(step->metrics);
    step->metrics = NULL;
}

static void note_counts(struct session *session, struct session_step *step, json_object *result)
{
    static const enum own_metric row_metrics[] = {METRIC_ROWS_READ, METRIC_ROWS_WRITTEN, METRIC_ROWS_PROCESSED};
    json_object *metrics = json_member(result, "metrics");

    for (size_t i = 0; i < sizeof row_metrics / sizeof row_metrics[0]; i++) {
        int64_t rows = json_member_integer(metrics, own_metric_name(row_metrics[i]), -1);
        if (rows < 0)
            continue;
        step->rows = rows;
        step_metric(session, step, row_metrics[i], (double)rows, "rows");
    }
    step->bytes = json_member_integer(metrics, "bytes", step->bytes);
}

static void note_success(struct session *session, struct session_step *step, double duration_ms)
{
    json_object *fields = step_fields(step);

    json_add_integer(fields, "rows_processed", step->rows);
    json_add_number(fields, "duration_ms", duration_ms);
    session_event(session, EVENT_STEP_COMPLETE, fields);
    rundir_note(session->options->rundir, step->id, "complete: %lld row%s, %lld byte%s, %.1f ms", (long long)step->rows,
                step->rows == 1 ? "" : "s", (long long)step->bytes, step->bytes == 1 ? "" : "s", duration_ms);
    session->result->steps_completed++;
}

static void note_failure(struct session *session, struct session_step *step, const struct osiris_error *error)
{
    json_object *fields = step_fields(step);

    json_add_string(fields, "error", error->message);
    json_add_string(fields, "error_type", session_error_type(error));
    json_add(fields, "detail", osiris_error_to_json(error));
    session_event(session, EVENT_STEP_FAILED, fields);
    session_log(session, error->category == OSIRIS_ERROR_CANCELLED ? OSIRIS_INFO : OSIRIS_ERROR, step->id, error->message);
    json_add(step->record, "error", osiris_error_to_json(error));
}

void session_step_ended(struct session *session, size_t index, json_object *result, const struct osiris_error *error)
{
    const struct session_observer *observer = session->options->observer;
    struct session_step *step = &session->steps[index];
    double duration_ms = (double)(clock_monotonic_ns() - step->started_ns) / 1e6;

    note_counts(session, step, result);
    if (json_member(result, "result") != NULL)
        json_add(step->record, "result", json_object_get(json_member(result, "result")));
    record_step(step, error == NULL ? "success" : failed_status(error),
                session->groups[step->plan->group].attempt, duration_ms);
    step_metric(session, step, METRIC_STEP_DURATION_MS, duration_ms, "ms");
    if (error == NULL)
        note_success(session, step, duration_ms);
    else
        note_failure(session, step, error);
    if (observer != NULL && observer->step_finished != NULL)
        observer->step_finished(session->options->observer_context, step->id, error, step->rows, step->bytes,
                                duration_ms);
}
