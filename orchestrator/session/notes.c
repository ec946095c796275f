/* The session's own events, metrics and log lines; see notes.h. */
#include "orchestrator/session/notes.h"

#include <math.h>
#include <stdio.h>

void session_event(struct session *session, const char *event, json_object *fields)
{
    rundir_event(session->options->rundir, event, fields);
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

void session_metric(struct session *session, const char *name, double value, const char *unit, json_object *tags)
{
    char text[256];

    if (isfinite(value)) {
        rundir_metric(session->options->rundir, name, value, unit, tags);
        return;
    }
    json_object_put(tags);
    snprintf(text, sizeof text, "\"%.64s\" is not recorded: its value is not a number, or not finite", name);
    session_log(session, OSIRIS_WARNING, "worker", text);
}

const char *session_error_type(const struct osiris_error *error)
{
    return error->type != NULL ? error->type : osiris_error_category_name(error->category);
}
