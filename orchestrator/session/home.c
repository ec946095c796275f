/* The files of this machine that workers elsewhere use: beginning, end, and what is sent about them; see home.h. */
#include "orchestrator/session/home.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "orchestrator/adapter/guard.h"
#include "orchestrator/session/home-state.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/send.h"
#include "orchestrator/session/worker.h"

/* Messages to the worker. */

void session_file_send(const struct session_file *file, const char *type, json_object *data, bool in_order)
{
    _cleanup_json_ json_object *message = json_object_new_object();

    json_add_integer(data, "file", file->number);
    json_add_string(message, "type", type);
    json_add(message, "data", data);
    struct session_worker *worker = file->table == NULL ? NULL : file->table->worker;
    if (worker == NULL || !worker_is_reachable(worker))
        return;
    if (in_order)
        worker_send_body(worker, message, NULL);
    else
        worker_send_owed(worker, message);
}

json_object *session_file_data(const struct osiris_error *error)
{
    json_object *data = json_object_new_object();

    if (error->category != 0)
        json_add(data, "error", osiris_error_to_json(error));
    return data;
}

void session_file_send_credit(const struct session_file *file, int64_t bytes)
{
    json_object *data = json_object_new_object();

    json_add_integer(data, "bytes", bytes);
    session_file_send(file, "file_credit", data, false);
}

/* Beginning and end. */

static int start_files(struct session *session, struct osiris_error *error)
{
    const struct session_options *options = session->options;
    struct files_options file_options = {
        .run_id = options->run_id,
        .temp_root = rundir_temp_path(options->rundir),
        .stdout_fd = options->gives_stdout ? STDOUT_FILENO : -1,
    };

    if (session->files != NULL)
        return 0;
    adapter_guard_origin(&file_options.origin.folder, &file_options.origin.umask);
    session->files = files_new(&file_options, error);
    return session->files == NULL ? -1 : 0;
}

int worker_serve_files(struct session_worker *worker, struct osiris_error *error)
{
    if (start_files(worker->place->session, error) < 0)
        return -1;
    worker->files = calloc(1, sizeof *worker->files);
    worker->files->worker = worker;
    return 0;
}

void worker_forget_files(struct session_worker *worker)
{
    struct worker_files *table = worker->files;

    if (table == NULL)
        return;
    /* Whether they are closed is up to their groups, which may be about to be published. */
    for (struct session_file *file = worker->place->session->first_file; file != NULL; file = file->next)
        if (file->table == table) {
            window_close(&file->window);
            file->table = NULL;
        }
    free(table->list);
    free(table);
    worker->files = NULL;
}

json_object *worker_file_codecs(const struct session_worker *worker)
{
    return worker->remote ? wire_codecs() : json_object_new_array();
}

int session_files_fd(const struct session *session)
{
    return session->files == NULL ? -1 : files_fd(session->files);
}

static void answer_late(struct session_file *file)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_CANCELLED, "cancelled");
    if (file->opens)
        session_file_send(file, "file_opened", session_file_data(&error), false);
    if (file->finishes)
        session_file_send(file, "file_finished", session_file_data(&error), false);
    if (file->table != NULL)
        file->table->questions -= (size_t)file->opens + (size_t)file->finishes;
    file->opens = file->finishes = false;
}

void session_file_close(struct session_file *file)
{
    if (file->closes)
        return;
    answer_late(file);
    if (file->table != NULL) {
        file->table->list[file->number - 1] = NULL;
        file->table->granted -= file->credit;
    }
    window_close(&file->window);
    file->table = NULL;
    file->closes = true;
    file_close(file->file);
}

void session_free_home(struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        worker_forget_files(&session->workers[i]);
    if (!files_free(session->files))
        session_log(session, OSIRIS_WARNING, "files", "a disk does not respond; what was not published is left for the next run");
    session->files = NULL;
    while (session->first_file != NULL) {
        struct session_file *file = session->first_file;
        session->first_file = file->next;
        free(file);
    }
}
