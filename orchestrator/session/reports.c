/* Events, metrics and log lines of workers; see reports.h. */
#include "orchestrator/session/reports.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/worker.h"

/* The length of an event as the worker sends it: its fields, a name and a time. */
#define LONGEST_EVENT (REDACT_EVENT_MAXIMUM + 2 * REDACT_TEXT_MAXIMUM)
#define LONGEST_TAGS REDACT_TEXT_MAXIMUM
#define REPORTS_MAXIMUM ((size_t)256 << 20)
#define LINE_WEIGHT 128 /* for a line's time, run and source */

static int level_from_name(const char *name)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return OSIRIS_INFO;
}

/* Reports are written to two files. Workers are not trusted, so all workers of a place in a run share a limit on disk. False: it is
 * reached, which is logged once. */
static bool has_room(struct session_place *place, size_t length)
{
    char text[160];

    if (place->reported_bytes < REPORTS_MAXIMUM) {
        place->reported_bytes += 2 * (length + LINE_WEIGHT);
        return true;
    }
    if (place->dropped_reports++ == 0) {
        snprintf(text, sizeof text, "reports from place %.32s fill %zu MiB of the run's records; further ones are dropped",
                 place->name, REPORTS_MAXIMUM >> 20);
        session_log(place->session, OSIRIS_WARNING, "worker", text);
    }
    return false;
}

void place_report_dropped(struct session_place *place)
{
    json_object *fields;

    if (place->dropped_reports == 0)
        return;
    fields = json_object_new_object();
    json_add_string(fields, "place", place->name);
    json_add_integer(fields, "count", place->dropped_reports);
    session_event(place->session, EVENT_REPORTS_DROPPED, fields);
}

void worker_report_line(void *context, const char *text)
{
    const struct session_worker *worker = context;

    if (has_room(worker->place, strlen(text)))
        session_log(worker->place->session, OSIRIS_DEBUG, "worker", text);
}

/* The step that is named, if it runs in this worker; otherwise NULL. */
static const struct session_step *step_here(const struct session_worker *worker, json_object *named)
{
    const struct session *session = worker->place->session;
    size_t index = json_object_is_type(named, json_type_string) ? plan_find_step(session->plan, json_object_get_string(named))
                                                                : PLAN_NONE;

    return index == PLAN_NONE || !worker_has_step(worker, index) ? NULL : &session->steps[index];
}

/* A worker may only report on its own steps. */
static bool may_record(struct session_worker *worker, const char *name, json_object *step_id)
{
    char text[256];

    if (step_id == NULL || step_here(worker, step_id) != NULL)
        return true;
    snprintf(text, sizeof text, "\"%.64s\" is not recorded: it names a step that does not run in this worker", name);
    session_log(worker->place->session, OSIRIS_WARNING, "worker", text);
    return false;
}

static char *short_text(const struct session_worker *worker, const char *text)
{
    return text == NULL ? NULL : redactor_short_text(worker->place->session->options->redactor, text);
}

static size_t json_length(json_object *value)
{
    size_t length;

    (void)json_text(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    return length;
}

/* All fields, or, if they are too long, the step and the omitted length. */
static json_object *event_fields(const struct session_worker *worker, json_object *data, size_t length)
{
    const struct session_step *step = step_here(worker, json_member(data, "step_id"));

    if (length <= LONGEST_EVENT)
        return json_copy(data);
    json_object *fields = json_object_new_object();
    json_add_string(fields, "step_id", step == NULL ? NULL : step->id);
    json_add_integer(fields, "omitted_bytes", (int64_t)length);
    return fields;
}

void worker_report_event(struct session_worker *worker, json_object *data)
{
    _cleanup_free_ char *event = short_text(worker, json_member_string(data, "event", NULL));
    size_t length = json_length(data);

    if (event == NULL || !has_room(worker->place, length <= LONGEST_EVENT ? length : strlen(event)) ||
        !may_record(worker, event, json_member(data, "step_id")))
        return;
    json_object *fields = event_fields(worker, data, length);
    json_object_object_del(fields, "event");
    session_foreign_event(worker->place->session, "worker", event, fields);
}

void worker_report_metric(struct session_worker *worker, json_object *data)
{
    _cleanup_free_ char *metric = short_text(worker, json_member_string(data, "metric", NULL));
    _cleanup_free_ char *unit = short_text(worker, json_member_string(data, "unit", NULL));
    json_object *tags = json_member(data, "tags");
    size_t tags_length = json_length(tags);
    bool has_tags = tags_length <= LONGEST_TAGS;

    if (metric != NULL &&
        has_room(worker->place, strlen(metric) + (unit == NULL ? 0 : strlen(unit)) + (has_tags ? tags_length : 0)) &&
        may_record(worker, metric, json_member(tags, "step")))
        session_foreign_metric(worker->place->session, "worker", metric, json_member_number(data, "value", NAN), unit,
                       has_tags ? json_object_get(tags) : NULL);
}

void worker_report_log(struct session_worker *worker, json_object *data)
{
    const struct session_step *step = step_here(worker, json_member(data, "step_id"));
    _cleanup_free_ char *message = short_text(worker, json_member_string(data, "message", ""));

    if (message != NULL && has_room(worker->place, strlen(message)))
        session_log(worker->place->session, level_from_name(json_member_string(data, "level", "info")),
                    step == NULL ? "worker" : step->id, message);
}
