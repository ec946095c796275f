/* The session's own events, metrics and log lines; see notes.h. */
#include "orchestrator/session/notes.h"

#include <math.h>
#include <stdio.h>

void session_event(struct session *session, enum own_event event, json_object *fields)
{
    rundir_own_event(session->options->rundir, event, fields);
}

void session_log(struct session *session, int level, const char *source, const char *message)
{
    const struct session_options *options = session->options;

    rundir_log(options->rundir, level, source, message);
    if (options->observer == NULL || options->observer->log == NULL)
        return;
    _cleanup_free_ char *clean = redactor_record_text(options->redactor, message);
    if (clean != NULL)
        options->observer->log(options->observer_context, level, source, clean);
}

static void refuse(struct session *session, const char *source, const char *name, const char *reason)
{
    char text[256];

    snprintf(text, sizeof text, "\"%.64s\" is not recorded: %s", name, reason);
    session_log(session, OSIRIS_WARNING, source, text);
}

static const char only_ours[] = "the name is reserved for osiris itself";

void session_foreign_event(struct session *session, const char *source, const char *event, json_object *fields)
{
    if (!own_event_has_name(event)) {
        rundir_event(session->options->rundir, event, fields);
        return;
    }
    json_object_put(fields);
    refuse(session, source, event, only_ours);
}

void session_foreign_metric(struct session *session, const char *source, const char *name, double value, const char *unit,
                            json_object *tags)
{
    if (isfinite(value) && !own_metric_has_name(name)) {
        rundir_metric(session->options->rundir, name, value, unit, tags);
        return;
    }
    json_object_put(tags);
    refuse(session, source, name, isfinite(value) ? only_ours : "its value is not a finite number");
}

const char *session_error_type(const struct osiris_error *error)
{
    return error->type != NULL ? error->type : osiris_error_category_name(error->category);
}
