/* Messages about files at home; see home-messages.h. */
#include "worker/home-messages.h"

#include <string.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "core/wire/body.h"
#include "core/wire/frame.h"
#include "worker/home-state.h"
#include "worker/run.h"

static const char *type_of(json_object *message)
{
    return json_member_string(message, "type", "");
}

bool home_is_about_file(json_object *message)
{
    return strncmp(type_of(message), "file_", 5) == 0;
}

void *home_find_room(struct home *home, json_object *message, size_t length, struct osiris_error *error)
{
    if (home == NULL || strcmp(type_of(message), "file_data") != 0) {
        osiris_error_set_violation(error, "a message has a body that must not have one");
        return NULL;
    }
    body_free(home->body);
    home->body = body_new(NULL, length);
    if (home->body == NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot receive");
    return home->body;
}

/* Answers. */

static int take_opened(struct home_file *file, json_object *data, struct osiris_error *error)
{
    json_object *failure = json_member(data, "error");
    struct home *home = file->home;

    if (!file->asks || file->opened || file->error.category != 0)
        return osiris_error_set_violation(error, "a file is opened that nobody has asked for");
    file->asks = false;
    home->questions--;
    if (failure != NULL) {
        osiris_error_from_json(&file->error, failure);
        file->over = true;
    } else {
        file->opened = true;
        file->initial_size = json_member_integer(data, "initial_size", 0);
    }
    if (file->opened && file->is_input && !file->released) {
        json_object *credit = home_data(file);
        json_add_integer(credit, "bytes", window_open(&file->window, &home->budget));
        home_send(home, "file_credit", credit);
    }
    return 0;
}

static int take_finished(struct home_file *file, json_object *data, struct osiris_error *error)
{
    json_object *failure = json_member(data, "error");

    if (file->finish != FINISH_SENT)
        return osiris_error_set_violation(error, "a file is finished that nobody has asked for");
    file->finish = FINISH_NONE;
    file->asks = false;
    file->home->questions--;
    if (failure != NULL && file->error.category == 0)
        osiris_error_from_json(&file->error, failure);
    file->size = json_member_integer(data, "bytes", -1);
    return 0;
}

/* Outputs. */

static int take_credit(struct home_file *file, json_object *data, struct osiris_error *error)
{
    int64_t bytes = json_member_integer(data, "bytes", 0);

    if (file->is_input || bytes <= 0 || bytes > WINDOW_LARGEST - file->credit)
        return osiris_error_set_violation(error, bytes <= 0 ? "a credit is not a number of bytes"
                                                            : "a file has more credit than its window");
    file->credit += bytes;
    pace_credit(&file->pace, bytes);
    return 0;
}

/* What was written is lost: its step has failed, whatever its driver does. */
static int take_close(struct home_file *file, json_object *data, struct osiris_error *error)
{
    if (file->is_input)
        return osiris_error_set_violation(error, "an input is closed by who sends it");
    if (file->error.category != 0)
        return 0;
    osiris_error_from_json(&file->error, json_member(data, "error"));
    if (!file->released && !file->is_artifacts)
        reports_add_error(file->step, &file->error);
    file->over = true;
    return 0;
}

/* Inputs. */

static bool is_codec(const char *codec)
{
    return (strcmp(codec, "lz4") == 0 || strcmp(codec, "zstd") == 0) && wire_has_codec(codec);
}

/* The contents of the message, decompressed; taken from home->body. NULL with the error set. */
static struct home_bytes *take_body(struct home *home, json_object *data, size_t length, struct osiris_error *error)
{
    const char *codec = json_member_string(data, "codec", NULL);
    int64_t size = codec == NULL ? (int64_t)length : json_member_integer(data, "size", 0);
    void *body = steal_pointer(&home->body);

    if (length == 0 || size <= 0 || size > FRAME_MAXIMUM_BODY || (codec != NULL && !is_codec(codec)) ||
        (codec != NULL && (uint64_t)size > wire_decompressed_bound(codec, length))) {
        body_free(body);
        osiris_error_set_violation(error, "a part of a file is malformed");
        return NULL;
    }
    if (codec != NULL) {
        void *whole = body_new(NULL, (size_t)size);
        int result = whole == NULL ? osiris_error_set_errno(error, ENOMEM, "cannot receive")
                     : wire_decompress(codec, body, length, whole, (size_t)size) < 0
                         ? osiris_error_set_violation(error, "a part of a file cannot be decompressed")
                         : 0;
        body_free(body);
        body = whole;
        if (result < 0) {
            body_free(body);
            return NULL;
        }
    }
    struct home_bytes *bytes = calloc(1, sizeof *bytes);
    *bytes = (struct home_bytes){.body = body, .length = (size_t)size};
    return bytes;
}

static int take_data(struct home_file *file, json_object *data, size_t length, struct osiris_error *error)
{
    if (!file->is_input || file->ended || !file->opened)
        return osiris_error_set_violation(error, file->ended ? "a file continues after its end" : "contents arrive for a file that is not read");
    struct home_bytes *bytes = take_body(file->home, data, length, error);
    if (bytes == NULL)
        return -1;
    bool within = file->window.budget == NULL || window_take(&file->window, (int64_t)bytes->length);
    if (!within || file->over) {
        body_free(bytes->body);
        free(bytes);
        return within ? 0 : osiris_error_set_violation(error, "the contents of a file exceed its credit");
    }
    if (file->last == NULL)
        file->first = bytes;
    else
        file->last->next = bytes;
    file->last = bytes;
    return 0;
}

static int take_end(struct home_file *file, json_object *data, struct osiris_error *error)
{
    json_object *failure = json_member(data, "error");

    if (!file->is_input || file->ended || !file->opened)
        return osiris_error_set_violation(error, "a file ends that is not read");
    file->ended = true;
    if (failure != NULL)
        osiris_error_from_json(&file->error, failure);
    return 0;
}

/* All of them. */

static int take_locked(struct home *home, const char *type, json_object *data, size_t body_length, struct osiris_error *error)
{
    int64_t number = json_member_integer(data, "file", 0);

    if (number <= 0 || number > home->last_number)
        return osiris_error_set_violation(error, "a message names a file that never existed");
    struct home_file *file = home->files[number - 1];
    if (file == NULL)
        return 0;
    if (strcmp(type, "file_opened") == 0)
        return take_opened(file, data, error);
    if (strcmp(type, "file_finished") == 0)
        return take_finished(file, data, error);
    if (strcmp(type, "file_credit") == 0)
        return take_credit(file, data, error);
    if (strcmp(type, "file_close") == 0)
        return take_close(file, data, error);
    if (strcmp(type, "file_data") == 0)
        return take_data(file, data, body_length, error);
    return strcmp(type, "file_end") == 0 ? take_end(file, data, error) : 0;
}

int home_take_message(struct home *home, json_object *message, size_t body_length, struct osiris_error *error)
{
    if (home == NULL)
        return 0;
    pthread_mutex_lock(&home->lock);
    int result = take_locked(home, type_of(message), json_member(message, "data"), body_length, error);
    pthread_cond_broadcast(&home->answered);
    pthread_mutex_unlock(&home->lock);
    home_wake_pump(home);
    return result;
}
