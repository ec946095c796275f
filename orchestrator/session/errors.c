/* Errors from workers; see errors.h. */
#include "orchestrator/session/errors.h"

#include <stdlib.h>
#include <string.h>

static void shorten(const struct session *session, char **text)
{
    char *whole = *text;

    if (whole == NULL || strlen(whole) <= REDACT_TEXT_MAXIMUM)
        return;
    *text = redactor_short_text(session->options->redactor, whole);
    if (*text == NULL)
        *text = strdup("out of memory");
    free(whole);
}

/* Whether the plan has a step with this component or driver. */
static bool is_component(const struct session *session, const char *name)
{
    for (size_t i = 0; i < session->plan->step_count; i++)
        if (strcmp(session->steps[i].component, name) == 0 ||
            strcmp(session->steps[i].plan->driver, name) == 0)
            return true;
    return false;
}

/* Names are not masked, so unknown ones are removed. */
static void check_names(const struct session *session, struct osiris_error *error)
{
    if (error->step_id != NULL && plan_find_step(session->plan, error->step_id) == PLAN_NONE) {
        free(error->step_id);
        error->step_id = NULL;
    }
    if (error->component != NULL && !is_component(session, error->component)) {
        free(error->component);
        error->component = NULL;
    }
}

void session_read_error(const struct session *session, struct osiris_error *error, json_object *object)
{
    osiris_error_from_json(error, object);
    check_names(session, error);
    shorten(session, &error->native_state);
    shorten(session, &error->message);
    shorten(session, &error->hint);
    shorten(session, &error->option);
    shorten(session, &error->type);
}
