/* Messages from workers; see messages.h and docs/protocol.md. */
#include "orchestrator/session/messages.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "orchestrator/base/redact-message.h"
#include "orchestrator/session/answers.h"
#include "orchestrator/session/errors.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/reports.h"
#include "orchestrator/session/silence.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

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

static void handle_heartbeat(struct session_worker *worker, json_object *data)
{
    struct session *session = worker->place->session;
    json_object *steps = json_member(data, "steps");

    for (size_t i = 0; i < json_array_count(steps); i++) {
        json_object *progress = json_object_array_get_idx(steps, i);
        size_t index = plan_find_step(session->plan, json_member_string(progress, "step_id", NULL));
        if (index == PLAN_NONE || !worker_has_step(worker, index))
            continue;
        if (schedule_step_state(session->schedule, index) == STEP_REQUESTED)
            note_progress(session, &session->steps[index], progress);
        const char *function = json_member_string(progress, "function", NULL);
        if (function != NULL)
            session_check_silence(worker, index, function, json_member_integer(progress, "silent_ms", 0));
    }
}

/* Sent before the answer to a commit. From then on the group's output stays, whatever happens to the worker. */
static void handle_published(struct session_worker *worker, json_object *data)
{
    struct session_request *request = worker_find_request(worker, json_member_string(data, "id", NULL));

    if (request == NULL || request->published ||
        (request->kind != REQUEST_COMMIT && request->kind != REQUEST_PHASE_PUBLISH)) {
        worker_fail_violation(worker, "it reports published files without a commit request");
        return;
    }
    request->published = true;
    session_note_published(worker->place->session, data);
}

/* The worker has received something malformed and is closing the channel. If it was in a stream, the worker that produced it fails
 * first, as the cause of this worker's end. */
static void handle_error(struct session_worker *worker, json_object *data)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    session_read_error(worker->place->session, &error, data);
    /* The step is determined here (blame.h). */
    free(error.step_id);
    free(error.component);
    error.step_id = error.component = NULL;
    session_blame_producer(worker, json_member_integer(data, "stream", 0), &error);
    worker->has_left = true;
    worker_fail(worker, &error);
}

void worker_handle(struct session_worker *worker, json_object *message, size_t body_length)
{
    const char *type = json_member_string(message, "type", "");
    bool is_answer = json_object_object_get_ex(message, "id", NULL);

    if (!is_answer && (worker_forward(worker, type, message, body_length) ||
                       worker_take_file_message(worker, type, message, body_length)))
        return;
    /* From here on everything may be recorded. */
    _cleanup_json_ json_object *clean = redactor_message(worker->place->session->options->redactor, message);
    const char *id = json_member_string(clean, "id", NULL);
    json_object *data = json_member(clean, "data");
    if (body_length > 0)
        worker_fail_violation(worker, "a message has a body that must not have one");
    else if (is_answer)
        worker_handle_answer(worker, id, clean);
    else if (strcmp(type, "event") == 0)
        worker_report_event(worker, data);
    else if (strcmp(type, "metric") == 0)
        worker_report_metric(worker, data);
    else if (strcmp(type, "log") == 0)
        worker_report_log(worker, data);
    else if (strcmp(type, "heartbeat") == 0)
        handle_heartbeat(worker, data);
    else if (strcmp(type, "published") == 0)
        handle_published(worker, data);
    else if (strcmp(type, "error") == 0)
        handle_error(worker, data);
}
