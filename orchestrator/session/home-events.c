/* What has become of files at home; see home.h. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/wire/body.h"
#include "orchestrator/base/redact-message.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/home-state.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/send.h"
#include "orchestrator/session/worker.h"

static void on_opened(struct session_file *file, const struct file_event *event)
{
    json_object *data = session_file_data(&event->error);

    file->opens = false;
    if (file->table != NULL)
        file->table->questions--;
    file->is_open = event->error.category == 0;
    if (event->bytes > 0)
        json_add_integer(data, "initial_size", event->bytes);
    session_file_send(file, "file_opened", data, false);
    if (!file->is_open)
        session_file_close(file);
    else if (!file->is_input && file->table != NULL)
        session_file_send_credit(file, window_open(&file->window, &file->table->budget));
}

/* Artifacts of a step that is being stopped: whoever waits for it gives it more time while they come. */
static void extend_grace(const struct session_file *file)
{
    struct session *session = file->session;
    struct session_group *group = &session->groups[file->group];
    int64_t until = clock_monotonic_ms() + session->limits.cancel_grace_ms;

    if (group->stop_ms != 0)
        group->stop_ms = until;
    if (session->grace_deadline_ms != 0)
        session->grace_deadline_ms = until;
}

static void on_written(struct session_file *file, int64_t bytes)
{
    int64_t credit = window_pass(&file->window, bytes);

    if (file->is_artifacts)
        extend_grace(file);
    if (credit > 0 && !file->aside)
        session_file_send_credit(file, credit);
}

/* As when an adapter cannot collect them. */
static void fail_artifacts(const struct session_file *file, const struct osiris_error *reason)
{
    struct session *session = file->session;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_copy(&error, reason);
    osiris_error_prefix(&error, "the artifacts of step \"%s\" have not all come home", session->steps[file->step].id);
    redactor_error(session->options->redactor, &error);
    session_log(session, OSIRIS_ERROR, session->steps[file->step].id, error.message);
    session_fail(session, &error);
}

static void on_failed(struct session_file *file, struct osiris_error *error)
{
    struct session_worker *worker = file->table == NULL ? NULL : file->table->worker;

    file->failed = true;
    window_close(&file->window);
    if (file->is_artifacts)
        fail_artifacts(file, error);
    if (worker != NULL && error->violation)
        worker_fail(worker, error);
    else
        session_file_send(file, "file_close", session_file_data(error), false);
}

static void on_finished(struct session_file *file, const struct file_event *event)
{
    json_object *data = session_file_data(&event->error);

    file->finishes = false;
    if (file->is_artifacts && event->error.category != 0)
        fail_artifacts(file, &event->error);
    if (file->table != NULL)
        file->table->questions--;
    if (event->error.category == 0 && event->bytes >= 0)
        json_add_integer(data, "bytes", event->bytes);
    session_file_send(file, "file_finished", data, false);
}

struct sent_bytes {
    struct iovec piece;
};

static void free_sent(void *owner)
{
    struct sent_bytes *sent = owner;

    body_free(sent->piece.iov_base);
    free(sent);
}

static void send_contents(const struct session_file *file, json_object *message, struct file_bytes *bytes)
{
    struct sent_bytes *sent = malloc(sizeof *sent);

    sent->piece = (struct iovec){.iov_base = steal_pointer(&bytes->body), .iov_len = bytes->length};
    const struct channel_body body = {
        .pieces = &sent->piece, .piece_count = 1, .length = bytes->length, .release = free_sent, .owner = sent};
    worker_send_body(file->table->worker, message, &body);
}

static void on_read(struct session_file *file, struct file_event *event)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    file->credit -= event->bytes;
    if (file->table != NULL)
        file->table->granted -= event->bytes;
    file->sent += event->bytes;
    if (file->credit == 0) {
        pace_wait(&file->pace, clock_monotonic_ns());
        file->sent = 0;
    }
    json_add_integer(data, "file", file->number);
    if (event->read.codec != NULL) {
        json_add_string(data, "codec", event->read.codec);
        json_add_integer(data, "size", (int64_t)event->read.size);
    }
    json_add_string(message, "type", "file_data");
    json_add(message, "data", data);
    if (file->table != NULL && worker_is_reachable(file->table->worker))
        send_contents(file, message, &event->read);
}

static void on_ended(struct session_file *file, const struct osiris_error *error)
{
    session_file_send(file, "file_end", session_file_data(error), true);
    session_file_close(file);
}

static void on_closed(struct session_file *file)
{
    struct session *session = file->session;

    session->groups[file->group].files--;
    if (file->previous == NULL)
        session->first_file = file->next;
    else
        file->previous->next = file->next;
    if (file->next == NULL)
        session->last_file = file->previous;
    else
        file->next->previous = file->previous;
    free(file);
}

static void handle_file(struct session_file *file, struct file_event *event)
{
    /* Late events of a file that is being closed say nothing that counts. */
    if (event->kind == FILE_CLOSED)
        on_closed(file);
    else if (file->closes)
        return;
    else if (event->kind == FILE_OPENED)
        on_opened(file, event);
    else if (event->kind == FILE_WRITTEN)
        on_written(file, event->bytes);
    else if (event->kind == FILE_FAILED)
        on_failed(file, &event->error);
    else if (event->kind == FILE_FINISHED)
        on_finished(file, event);
    else if (event->kind == FILE_READ)
        on_read(file, event);
    else
        on_ended(file, &event->error);
}

void session_take_file_events(struct session *session)
{
    struct file_event event;

    while (session->files != NULL && files_take(session->files, &event)) {
        if (event.kind == FILES_PUBLISHED)
            session_note_home_published(session, event.owner, &event);
        else if (event.kind == FILES_RETRACTED)
            session_note_home_retracted(session, event.owner, &event);
        else
            handle_file(event.owner, &event);
        file_event_clear(&event);
    }
}
