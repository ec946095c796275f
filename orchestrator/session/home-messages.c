/* Messages of workers about files at home; see home.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/one-of.h"
#include "core/wire/batch.h"
#include "core/wire/frame.h"
#include "orchestrator/session/artifacts.h"
#include "orchestrator/session/home-state.h"
#include "orchestrator/session/worker.h"

#define FILES_MAXIMUM (1 << 20) /* of a worker in a run */
#define QUESTIONS 256           /* of a worker, not answered yet */
#define HELD_BYTES (16u << 20)  /* when this much waits for a worker, nothing more is read for it */

/* Opening. */

static const char *check_open(const struct session_worker *worker, int64_t number, size_t step, json_object *data)
{
    const struct worker_files *table = worker->files;
    static const char *const kinds[] = {"input", "output", "artifacts", NULL};
    const char *kind = json_member_string(data, "kind", "");

    if (number != table->count + 1)
        return "the number of a file is not the next one";
    if (table->questions >= QUESTIONS)
        return "it asks for too many files at once";
    if (step == PLAN_NONE || !worker_has_step(worker, step))
        return "it opens a file for a step that it does not run";
    if (strlen(json_member_string(data, "path", "")) >= PATH_MAX)
        return "the path of a file is too long";
    if (json_member_string(data, "path", NULL) == NULL || !is_one_of(kind, kinds))
        return "a file has no path or no kind";
    return NULL;
}

static void add_to_table(struct worker_files *table, struct session_file *file)
{
    if ((size_t)table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        table->list = reallocarray(table->list, table->capacity, sizeof(struct session_file *));
        if (table->list == NULL)
            memory_exhausted();
    }
    table->list[table->count++] = file;
}

/* The step runs, or its driver commits. Otherwise what it asks for is late: its group is being stopped. Its artifacts come when its
 * driver is closed. */
static bool may_open(const struct session_file *file)
{
    enum group_state state = schedule_group_state(file->session->schedule, file->group);

    if (file->is_artifacts)
        return state != GROUP_WAITING && state != GROUP_COMMITTED && state != GROUP_FAILED && state != GROUP_PAUSED;
    return state == GROUP_RUNNING || state == GROUP_COMMITTING;
}

static void refuse(const struct session_file *file, int category, const char *why)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, category, "%s", why);
    session_file_send(file, "file_opened", session_file_data(&error), false);
}

static void begin_file(struct session_worker *worker, struct session_file *file, json_object *data)
{
    struct session *session = file->session;
    _cleanup_free_ char *folder = session_artifacts_path(session, &session->steps[file->step]);
    const struct file_options options = {
        .is_input = file->is_input,
        .is_artifacts = file->is_artifacts,
        .step_id = session->steps[file->step].id,
        .path = file->is_artifacts ? folder : json_member_string(data, "path", ""),
        .mode = (mode_t)(json_member_integer(data, "mode", 0) & 0777),
        .create_directories = json_member_boolean(data, "create_directories", false),
        .append = json_member_boolean(data, "append", false),
        .no_sync = json_member_boolean(data, "no_sync", false),
    };

    worker->files->questions++;
    file->opens = true;
    _cleanup_json_ json_object *codecs = worker_file_codecs(worker);
    pace_init(&file->pace, json_array_count(codecs) == 0 ? NULL : worker->codecs);
    file->file = files_open(session->files, &options, file);
    file->previous = session->last_file;
    if (session->last_file == NULL)
        session->first_file = file;
    else
        session->last_file->next = file;
    session->last_file = file;
    session->groups[file->group].files++;
}

static void open_file(struct session_worker *worker, json_object *data)
{
    struct session *session = worker->place->session;
    struct worker_files *table = worker->files;
    int64_t number = json_member_integer(data, "file", 0);
    size_t step = plan_find_step(session->plan, json_member_string(data, "step_id", NULL));
    const char *wrong = check_open(worker, number, step, data);

    if (wrong != NULL) {
        worker_fail_violation(worker, wrong);
        return;
    }
    struct session_file *file = calloc(1, sizeof *file);
    *file = (struct session_file){.session = session,
                                  .table = table,
                                  .number = number,
                                  .step = step,
                                  .group = session->plan->steps[step].group,
                                  .is_input = strcmp(json_member_string(data, "kind", ""), "input") == 0};
    file->is_artifacts = strcmp(json_member_string(data, "kind", ""), "artifacts") == 0;
    bool late = !may_open(file), too_many = table->count >= FILES_MAXIMUM;
    add_to_table(table, file);
    if (!late && !too_many) {
        begin_file(worker, file, data);
        return;
    }
    refuse(file, late ? OSIRIS_ERROR_CANCELLED : OSIRIS_ERROR_QUOTA, late ? "cancelled" : "the run has opened too many files");
    table->list[number - 1] = NULL;
    free(file);
}

/* Messages about open files. NULL: what arrives is right. */

static bool is_codec(const struct session_worker *worker, const char *codec)
{
    return worker->remote && (strcmp(codec, "lz4") == 0 || strcmp(codec, "zstd") == 0) && wire_has_codec(codec);
}

static const char *take_data(struct session_worker *worker, struct session_file *file, json_object *data, size_t length)
{
    const char *codec = json_member_string(data, "codec", NULL);
    int64_t size = codec == NULL ? (int64_t)length : json_member_integer(data, "size", 0);

    if (file->is_input || !file->is_open || file->aside)
        return file->is_input ? "it sends the contents of a file that it reads" : "it sends the contents of a file that is not open";
    if (length == 0 || size <= 0 || size > FRAME_MAXIMUM_BODY || (codec != NULL && !is_codec(worker, codec)) ||
        (codec != NULL && (uint64_t)size > wire_decompressed_bound(codec, length)))
        return "a part of a file is malformed";
    if (file->failed)
        return NULL;
    if (!window_take(&file->window, size))
        return "the contents of a file exceed its credit";
    const struct file_bytes bytes = {
        .body = steal_pointer(&worker->body),
        .length = length,
        .codec = codec == NULL ? NULL : strcmp(codec, "lz4") == 0 ? "lz4" : "zstd",
        .size = (size_t)size,
    };
    file_write(file->file, &bytes);
    return NULL;
}

static const char *take_finish(struct session_file *file, json_object *data)
{
    const char *then = json_member_string(data, "then", "");
    enum file_end end = strcmp(then, "aside") == 0 ? FILE_ASIDE : strcmp(then, "ready") == 0 ? FILE_READY : FILE_END;

    if (file->is_input || !file->is_open || file->finishes)
        return "it finishes a file that it does not write";
    if (file->table->questions >= QUESTIONS)
        return "it asks for too many files at once";
    file->table->questions++;
    file->finishes = true;
    file->aside = file->aside || end == FILE_ASIDE;
    file_finish(file->file, end);
    return NULL;
}

/* A worker that grants credit and does not read what it gets must wait. */
static void read_on(struct session_file *file)
{
    if (channel_held_bytes(file->table->worker->channel) >= HELD_BYTES) {
        file->table->withholds = true;
        return;
    }
    file_read(file->file, file->withheld, pace_codec(&file->pace));
    file->withheld = 0;
}

void session_read_on(struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++) {
        struct worker_files *table = session->workers[i].files;
        if (table == NULL || !table->withholds || !worker_is_reachable(&session->workers[i]))
            continue;
        table->withholds = false;
        for (int64_t j = 0; j < table->count; j++)
            if (table->list[j] != NULL && table->list[j]->withheld > 0)
                read_on(table->list[j]);
    }
}

static const char *take_credit(struct session_file *file, json_object *data)
{
    int64_t bytes = json_member_integer(data, "bytes", 0);

    if (!file->is_input || !file->is_open)
        return "it grants credit for a file that it does not read";
    if (bytes <= 0 || bytes > WINDOW_LARGEST - file->credit)
        return bytes <= 0 ? "a credit is not a number of bytes" : "a file has more credit than its window";
    if (bytes > WINDOW_BUDGET + WINDOW_SMALLEST * file->table->count - file->table->granted)
        return "the files of a place have more credit than their windows";
    file->credit += bytes;
    file->table->granted += bytes;
    pace_credit(&file->pace, bytes);
    if (file->pace.waits_since_ns != 0 || file->sent > WINDOW_LARGEST)
        pace_go_on(&file->pace, clock_monotonic_ns());
    file->withheld += bytes;
    read_on(file);
    return NULL;
}

static const char *take_close(struct session_file *file)
{
    if (!file->is_input || !file->is_open)
        return "it closes a file that it does not read";
    session_file_close(file);
    return NULL;
}

static const char *take_message(struct session_worker *worker, const char *type, json_object *data, size_t body_length)
{
    int64_t number = json_member_integer(data, "file", 0);
    const struct worker_files *table = worker->files;

    if (number <= 0 || number > table->count)
        return "a message names a file that never existed";
    struct session_file *file = table->list[number - 1];
    if (file == NULL)
        return NULL; /* it is closed here, which the worker did not know */
    if (strcmp(type, "file_data") == 0)
        return take_data(worker, file, data, body_length);
    if (strcmp(type, "file_finish") == 0)
        return take_finish(file, data);
    if (strcmp(type, "file_credit") == 0)
        return take_credit(file, data);
    return strcmp(type, "file_close") == 0 ? take_close(file) : NULL;
}

bool worker_take_file_message(struct session_worker *worker, const char *type, json_object *message, size_t body_length)
{
    json_object *data = json_member(message, "data");

    if (worker->files == NULL || strncmp(type, "file_", 5) != 0)
        return false;
    if (body_length > 0 && strcmp(type, "file_data") != 0) {
        worker_fail_violation(worker, "a message has a body that must not have one");
    } else if (strcmp(type, "file_open") == 0) {
        open_file(worker, data);
    } else {
        const char *wrong = take_message(worker, type, data, body_length);
        if (wrong != NULL)
            worker_fail_violation(worker, wrong);
    }
    return true;
}
