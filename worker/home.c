/* Files at home, for the steps; see home.h. */
#include "worker/home.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/base/json-build.h"
#include "core/base/utf8.h"
#include "core/wire/body.h"
#include "worker/home-pump.h"
#include "worker/home-state.h"
#include "worker/run.h"

#define PIPE_BYTES (256 << 10)

struct home *home_new(struct channel *channel, json_object *codecs, struct osiris_error *error)
{
    struct home *home = calloc(1, sizeof *home);

    home->channel = channel;
    pace_init(&home->pace, codecs);
    pthread_mutex_init(&home->lock, NULL);
    pthread_cond_init(&home->answered, NULL);
    home->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = home->wake_fd < 0 ? errno : pthread_create(&home->pump, NULL, home_pump_run, home);
    if (result == 0)
        return home;
    osiris_error_set_errno(error, result, "cannot use the files at home");
    cleanup_close_value(&home->wake_fd);
    pthread_cond_destroy(&home->answered);
    pthread_mutex_destroy(&home->lock);
    free(home);
    return NULL;
}

void home_free(struct home *home)
{
    if (home == NULL)
        return;
    pthread_mutex_lock(&home->lock);
    home->stops = true;
    pthread_mutex_unlock(&home->lock);
    home_wake_pump(home);
    (void)pthread_join(home->pump, NULL);
    body_free(home->body);
    cleanup_close_value(&home->wake_fd);
    pthread_cond_destroy(&home->answered);
    pthread_mutex_destroy(&home->lock);
    free(home->files);
    free(home);
}

static int set_cancelled(struct osiris_error *error)
{
    return osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "cancelled");
}

/* Opening. */

static void free_file(struct home_file *file)
{
    cleanup_close_value(&file->driver_end);
    cleanup_close_value(&file->pump_end);
    free(file->path);
    free(file);
}

/* The pump's end never waits, the driver's does. */
static int make_pipe(struct home_file *file, int *other, struct osiris_error *error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return osiris_error_set_errno(error, errno, "cannot open \"%s\"", file->path);
    /* Only larger writes at a time. */
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    file->pump_end = ends[file->is_input ? 1 : 0];
    *other = ends[file->is_input ? 0 : 1];
    if (fcntl(file->pump_end, F_SETFL, O_NONBLOCK) < 0)
        return osiris_error_set_errno(error, errno, "cannot open \"%s\"", file->path);
    return 0;
}

static int make_room_locked(struct home *home, struct osiris_error *error)
{
    if ((size_t)home->last_number < home->capacity)
        return 0;
    size_t capacity = home->capacity == 0 ? 64 : 2 * home->capacity;
    void *grown = reallocarray(home->files, capacity, sizeof(struct home_file *));
    if (grown == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot open a file");
    home->files = grown;
    home->capacity = capacity;
    return 0;
}

static json_object *describe(const struct home_file *file, const struct osiris_output_options *options)
{
    json_object *data = home_data(file);
    uint32_t flags = options == NULL ? 0 : options->flags;

    json_add_string(data, "step_id", file->step->plan.id);
    json_add_string(data, "path", file->path);
    json_add_string(data, "kind", file->is_input ? "input" : file->is_artifacts ? "artifacts" : "output");
    if (options != NULL && options->mode != 0)
        json_add_integer(data, "mode", options->mode & 0777);
    if ((flags & OSIRIS_OUTPUT_CREATE_DIRECTORIES) != 0)
        json_add_boolean(data, "create_directories", true);
    if ((flags & OSIRIS_OUTPUT_APPEND) != 0)
        json_add_boolean(data, "append", true);
    if ((flags & OSIRIS_OUTPUT_NO_SYNC) != 0)
        json_add_boolean(data, "no_sync", true);
    return data;
}

/* Asks home. Numbers are sent in their order. */
static int ask_locked(struct home_file *file, const struct osiris_output_options *options, struct osiris_error *error)
{
    struct home *home = file->home;

    while (home->questions >= HOME_QUESTIONS && !home_is_cancelled(file))
        pthread_cond_wait(&home->answered, &home->lock);
    if (home_is_cancelled(file))
        return set_cancelled(error);
    if (make_room_locked(home, error) < 0)
        return -1;
    file->number = home->last_number + 1;
    _cleanup_json_ json_object *message = home_message("file_open", describe(file, options));
    if (channel_send_owed(home->channel, message, error) < 0)
        return osiris_error_prefix(error, "cannot open \"%s\"", file->path);
    home->files[home->last_number++] = file;
    home->questions++;
    file->asks = true;
    file->next = home->first;
    home->first = file;
    return 0;
}

static int take_answer_locked(struct home_file *file, struct osiris_error *error)
{
    struct home *home = file->home;

    while (file->asks && !home_is_cancelled(file))
        pthread_cond_wait(&home->answered, &home->lock);
    if (home_is_cancelled(file))
        return set_cancelled(error);
    if (file->error.category == 0)
        return 0;
    osiris_error_copy(error, &file->error);
    return -1;
}

/* The pump frees it. */
static void release_locked(struct home_file *file)
{
    file->released = true;
    home_wake_pump(file->home);
}

static struct home_file *new_file(struct home *home, struct step *step, const char *path, bool is_input)
{
    struct home_file *file = calloc(1, sizeof *file);

    file->home = home;
    file->step = step;
    file->path = strdup(path);
    file->is_input = is_input;
    file->driver_end = file->pump_end = -1;
    file->pace = home->pace;
    file->size = -1;
    return file;
}

/* What cannot be asked. Texts of the protocol are UTF-8. */
static int check_path(const struct home_file *file, struct osiris_error *error)
{
    const char *verb = file->is_input ? "read" : "write";

    if (strlen(file->path) >= PATH_MAX)
        return osiris_error_set_errno(error, ENAMETOOLONG, "cannot %s \"%s\"", verb, file->path);
    if (utf8_is_valid(file->path, strlen(file->path)))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "cannot %s a file whose path is not UTF-8 from this place", verb);
}

/* NULL with the error set. *other is the driver's end. */
static struct home_file *open_file(struct home_file *file, const struct osiris_output_options *options, int *other,
                                   struct osiris_error *error)
{
    struct home *home = file->home;

    if (check_path(file, error) < 0 || make_pipe(file, other, error) < 0) {
        free_file(file);
        return NULL;
    }
    pthread_mutex_lock(&home->lock);
    bool asked = ask_locked(file, options, error) == 0, opened = asked && take_answer_locked(file, error) == 0;
    if (asked && !opened)
        release_locked(file);
    pthread_mutex_unlock(&home->lock);
    if (opened) {
        home_wake_pump(home);
        return file;
    }
    if (!asked)
        free_file(file);
    cleanup_close_value(other);
    return NULL;
}

struct home_file *home_open_output(struct home *home, struct step *step, const char *path,
                                   const struct osiris_output_options *options, struct osiris_error *error)
{
    int end = -1;
    struct home_file *file = open_file(new_file(home, step, path, false), options, &end, error);

    if (file != NULL)
        file->driver_end = end;
    return file;
}

struct home_file *home_open_artifacts(struct home *home, struct step *step, struct osiris_error *error)
{
    int end = -1;
    struct home_file *file = new_file(home, step, "artifacts", false);

    file->is_artifacts = true;
    file = open_file(file, NULL, &end, error);
    if (file != NULL)
        file->driver_end = end;
    return file;
}

int home_open_input(struct home *home, struct step *step, const char *path, int *fd, struct osiris_error *error)
{
    int end = -1;

    if (open_file(new_file(home, step, path, true), NULL, &end, error) == NULL)
        return -1;
    *fd = end;
    return 0;
}

/* Outputs. */

int home_file_fd(const struct home_file *file)
{
    pthread_mutex_lock(&file->home->lock);
    int fd = file->driver_end;
    pthread_mutex_unlock(&file->home->lock);
    return fd;
}

const char *home_file_path(const struct home_file *file)
{
    return file->path;
}

int64_t home_file_initial_size(const struct home_file *file)
{
    return file->initial_size;
}

int64_t home_file_size(const struct home_file *file)
{
    return file->size;
}

void home_begin_finish(struct home_file *file, enum home_end end)
{
    struct home *home = file->home;

    pthread_mutex_lock(&home->lock);
    while (home->questions >= HOME_QUESTIONS && !home_is_cancelled(file))
        pthread_cond_wait(&home->answered, &home->lock);
    if (!home_is_cancelled(file) && file->error.category == 0 && file->driver_end >= 0) {
        home->questions++;
        file->asks = true;
        file->finish = FINISH_WANTED;
        file->end = end;
    }
    pthread_mutex_unlock(&home->lock);
    home_wake_pump(home);
}

int home_end_finish(struct home_file *file, struct osiris_error *error)
{
    struct home *home = file->home;

    pthread_mutex_lock(&home->lock);
    int result = take_answer_locked(file, error);
    bool closes = result == 0 && file->end == HOME_ASIDE && file->driver_end >= 0;
    int driver_end = closes ? file->driver_end : -1;
    if (closes) {
        file->driver_end = -1;
        file->over = true;
    }
    pthread_mutex_unlock(&home->lock);
    cleanup_close_value(&driver_end);
    return result;
}

/* The end. */

void home_close_output(struct home_file *file)
{
    struct home *home = file->home;

    cleanup_close_value(&file->driver_end);
    file->driver_end = -1;
    pthread_mutex_lock(&home->lock);
    release_locked(file);
    pthread_mutex_unlock(&home->lock);
}

void home_close_inputs(struct home *home, const struct step *step)
{
    pthread_mutex_lock(&home->lock);
    for (struct home_file *file = home->first; file != NULL; file = file->next)
        if (file->is_input && file->step == step && !file->released)
            release_locked(file);
    pthread_mutex_unlock(&home->lock);
}

void home_cut(struct home *home)
{
    if (home == NULL)
        return;
    pthread_mutex_lock(&home->lock);
    home->is_cut = true;
    pthread_mutex_unlock(&home->lock);
    home_cancel(home);
}

void home_cancel(struct home *home)
{
    if (home == NULL)
        return;
    pthread_mutex_lock(&home->lock);
    pthread_cond_broadcast(&home->answered);
    pthread_mutex_unlock(&home->lock);
    home_wake_pump(home);
}
