/* What the worker tells the session; see state.h and docs/protocol.md. */
#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "orchestrator/session/state.h"
#include "orchestrator/base/redact-message.h"

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

/* Whether it is what the plan calls a step's component or driver. */
static bool is_component(const struct session *session, const char *name)
{
    for (size_t i = 0; i < session->step_count; i++)
        if (strcmp(session->steps[i].component, name) == 0 ||
            strcmp(json_member_string(schedule_step(session->schedule, i), "driver", ""), name) == 0)
            return true;
    return false;
}

/* Names are not masked: they have to be names. */
static void check_names(const struct session *session, struct osiris_error *error)
{
    if (error->step_id != NULL && schedule_find_step(session->schedule, error->step_id) == (size_t)-1) {
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

void place_violates(struct session_place *place, const char *what)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set_violation(&error, "%s", what);
    place_break(place, &error);
}

static void note_progress(const struct session *session, struct session_step *step, json_object *progress)
{
    const struct session_observer *observer = session->options->observer;
    int64_t rows = json_member_integer(progress, "rows", -1);
    int64_t bytes = json_member_integer(progress, "bytes", -1);

    step->rows = rows < 0 ? step->rows : rows;
    step->bytes = bytes < 0 ? step->bytes : bytes;
    if (observer != NULL && observer->step_progress != NULL)
        observer->step_progress(session->options->observer_context, step->id, step->rows, step->bytes);
}

static void handle_heartbeat(struct session_place *place, json_object *data)
{
    struct session *session = place->session;
    json_object *steps = json_member(data, "steps");

    for (size_t i = 0; i < json_array_count(steps); i++) {
        json_object *progress = json_object_array_get_idx(steps, i);
        size_t index = schedule_find_step(session->schedule, json_member_string(progress, "step_id", NULL));
        if (index == (size_t)-1 || &session->places[session->steps[index].place] != place)
            continue;
        if (schedule_step_state(session->schedule, index) == STEP_REQUESTED)
            note_progress(session, &session->steps[index], progress);
        const char *function = json_member_string(progress, "function", NULL);
        if (function != NULL && !place_is_over(place))
            session_hear_of_function(place, index, function, json_member_integer(progress, "silent_ms", 0));
    }
}

/* Ahead of the answer to a commit: from here on nothing that happens to the worker takes the group's output back. */
static void handle_published(struct session_place *place, json_object *data)
{
    struct session_request *request = place_find_request(place, json_member_string(data, "id", NULL));

    if (request == NULL || request->published ||
        (request->kind != REQUEST_COMMIT && request->kind != REQUEST_PHASE_PUBLISH)) {
        place_violates(place, "it published what was not asked for");
        return;
    }
    request->published = true;
    session_note_published(place->session, data);
}

/* The worker found fault with what it was sent, and is closing the channel. If that was a stream, its producer is left
 * first: it was its fault, and the reader's end follows from it. */
static void handle_error(struct session_place *place, json_object *data)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    session_read_error(place->session, &error, data);
    /* Which of its steps it is, is found out here. */
    free(error.step_id);
    free(error.component);
    error.step_id = error.component = NULL;
    session_blame_producer(place, json_member_integer(data, "stream", 0), &error);
    place->has_left = true;
    place_break(place, &error);
}

void place_handle(struct session_place *place, json_object *message, size_t body_length)
{
    const char *type = json_member_string(message, "type", "");
    bool is_answer = json_object_object_get_ex(message, "id", NULL);

    if (!is_answer && place_pass_on(place, type, message, body_length))
        return;
    /* From here on all of it may be put on record. */
    _cleanup_json_ json_object *clean = redactor_message(place->session->options->redactor, message);
    const char *id = json_member_string(clean, "id", NULL);
    json_object *data = json_member(clean, "data");
    if (body_length > 0)
        place_violates(place, "a body comes where none may");
    else if (is_answer)
        place_take_answer(place, id, clean);
    else if (strcmp(type, "event") == 0)
        place_take_event(place, data);
    else if (strcmp(type, "metric") == 0)
        place_take_metric(place, data);
    else if (strcmp(type, "log") == 0)
        place_take_log(place, data);
    else if (strcmp(type, "heartbeat") == 0)
        handle_heartbeat(place, data);
    else if (strcmp(type, "published") == 0)
        handle_published(place, data);
    else if (strcmp(type, "error") == 0)
        handle_error(place, data);
}
