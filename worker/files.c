/*
 * The files of a step; see files.h. Paths are relative to the worker's initial working directory, and its initial umask applies, even if
 * a driver has changed them.
 */
#include "worker/files.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/json-build.h"
#include "core/output/claims.h"
#include "core/output/input.h"
#include "core/output/litter.h"
#include "worker/run.h"

/* Inputs. */

static int open_input(struct step *step, const char *path, int *fd, struct osiris_error *error)
{
    if (step->run->home != NULL)
        return home_open_input(step->run->home, step, path, fd, error);
    *fd = input_open(&step->run->origin->output, path, true, error);
    return *fd < 0 ? -1 : 0;
}

/* The step, if neither argument is NULL. */
static struct step *enter(const struct osiris_host *host, const char *function, const char *path, int *fd)
{
    struct step *step = hosting_enter_call(host, function, path, "the path");

    if (step == NULL || host_values_has(&step->request.hosting->values, fd, function, "the descriptor"))
        return step;
    hosting_leave(step);
    return NULL;
}

int files_open_input(const struct osiris_host *host, const char *path, int *fd)
{
    struct step *step = enter(host, "open_input", path, fd);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (step == NULL)
        return -1;
    signs_begin_wait(&step->signs);
    int result = open_input(step, path, fd, &error);
    signs_end_wait(&step->signs);
    if (result < 0)
        reports_add_error(step, &error);
    hosting_leave(step);
    return result;
}

/* Outputs. */

/* False: another step has it. */
static bool take_stdout(struct run_outputs *outputs)
{
    pthread_mutex_lock(&outputs->lock);
    bool is_free = !outputs->stdout_taken;
    outputs->stdout_taken = true;
    pthread_mutex_unlock(&outputs->lock);
    return is_free;
}

static void release_stdout(struct run_outputs *outputs)
{
    pthread_mutex_lock(&outputs->lock);
    outputs->stdout_taken = false;
    pthread_mutex_unlock(&outputs->lock);
}

/* "-" is the command's standard output, for one step of a run. */
static int open_stdout(struct step *step, const struct output_options *options,
                       struct output **output, struct osiris_error *error)
{
    if (step->run->outputs.stdout_fd < 0) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no standard output to write to here");
        osiris_error_hint(error, "run the step where osiris runs: run_on: local");
        return -1;
    }
    if (options->append || options->mode != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "standard output can be neither appended to nor given a mode");
    if (!take_stdout(&step->run->outputs)) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "another step writes to standard output");
        osiris_error_hint(error, "write to \"-\" in one step of the run only");
        return -1;
    }
    return output_open_stream(options->path, step->run->outputs.stdout_fd, output, error);
}

/* If this process is killed, osiris finds the hidden files there. */
static void note_folder(void *context, int folder)
{
    struct run *run = context;
    struct run_outputs *outputs = &run->outputs;
    struct stat status;

    if (fstat(folder, &status) < 0)
        return;
    pthread_mutex_lock(&outputs->lock);
    bool known = outputs->hidden_device == status.st_dev && outputs->hidden_folder == status.st_ino;
    outputs->hidden_device = status.st_dev;
    outputs->hidden_folder = status.st_ino;
    pthread_mutex_unlock(&outputs->lock);
    if (!known)
        litter_note_hidden(run->temp_dir, folder);
}

static void note_made(void *context, int folder)
{
    const struct run *run = context;

    litter_note_made(run->temp_dir, folder);
}

/* An output that is opened after the step's outputs are complete, or in a verb without outputs, would never be published. */
static bool may_not_open(struct step *step, struct osiris_error *error)
{
    pthread_mutex_lock(&step->files.lock);
    bool complete = step->files.complete;
    pthread_mutex_unlock(&step->files.lock);

    if (!step_is_run(step))
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "there are no outputs in %s; this is a fault of the driver \"%s\"",
                         step->request.verb, step->plan.driver->name);
    else if (complete)
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "an output was opened after the commit; this is a fault of the driver \"%s\"", step->plan.driver->name);
    return complete || !step_is_run(step);
}

static struct claims claims_of(const struct run *run)
{
    return (struct claims){.temp_root = run->temp_root, .run_id = run->run_id};
}

static int claim(struct step *step, struct step_output_file *file, struct osiris_error *error)
{
    const struct claims claims = claims_of(step->run);
    int known = output_identity(file->output, file->identity, error);

    if (known != 0)
        return known < 0 ? -1 : 0;
    for (const struct step_output_file *other = step->files.first; other != NULL; other = other->next)
        if (strcmp(other->identity, file->identity) == 0)
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is already being written", output_path(file->output));
    if (claims_take(&claims, file->output, file->identity, step->plan.id, error) < 0)
        return -1;
    file->claimed = true;
    return 0;
}

static int open_here(struct step *step, struct step_output_file *file, const char *path,
                     const struct osiris_output_options *options, struct osiris_error *error)
{
    uint32_t flags = options == NULL ? 0 : options->flags;
    const struct output_options output_options = {
        .path = path,
        .origin = &step->run->origin->output,
        .run_id = step->run->run_id,
        .mode = options == NULL ? 0 : (mode_t)options->mode,
        .create_directories = (flags & OSIRIS_OUTPUT_CREATE_DIRECTORIES) != 0,
        .append = (flags & OSIRIS_OUTPUT_APPEND) != 0,
        .no_sync = (flags & OSIRIS_OUTPUT_NO_SYNC) != 0,
        .hides_in = note_folder,
        .made = note_made,
        .context = step->run,
    };

    int opened = strcmp(path, "-") == 0 ? open_stdout(step, &output_options, &file->output, error)
                                        : output_open(&output_options, &file->output, error);
    if (opened == 0 && claim(step, file, error) < 0) {
        output_close(file->output);
        opened = -1;
    }
    return opened;
}

static int file_fd(const struct step_output_file *file)
{
    return file->home != NULL ? home_file_fd(file->home) : output_fd(file->output);
}

static int open_file(struct step *step, const char *path,
                     const struct osiris_output_options *options, int *fd,
                     struct osiris_error *error)
{
    struct step_output_file *file = calloc(1, sizeof *file);
    int opened = -1;

    if (may_not_open(step, error)) {
        free(file);
        return -1;
    }
    if (step->run->home != NULL) {
        file->home = home_open_output(step->run->home, step, path, options, error);
        opened = file->home == NULL ? -1 : 0;
    } else {
        opened = open_here(step, file, path, options, error);
    }
    if (opened < 0) {
        free(file);
        return -1;
    }
    *fd = file_fd(file);
    if (options != NULL && OSIRIS_HAS(options, initial_size) && options->initial_size != NULL)
        *options->initial_size = file->home != NULL ? home_file_initial_size(file->home) : output_initial_size(file->output);
    pthread_mutex_lock(&step->files.lock);
    struct step_output_file **end = &step->files.first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = file;
    pthread_mutex_unlock(&step->files.lock);
    return 0;
}

int files_open_output(const struct osiris_host *host, const char *path,
                      const struct osiris_output_options *options, int *fd)
{
    struct step *step = enter(host, "open_output", path, fd);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (step == NULL)
        return -1;
    signs_begin_wait(&step->signs);
    int result = open_file(step, path, options, fd, &error);
    signs_end_wait(&step->signs);
    if (result < 0)
        reports_add_error(step, &error);
    hosting_leave(step);
    return result;
}

static struct step_output_file *find_file(struct step *step, int fd)
{
    struct step_output_file *found = NULL;

    pthread_mutex_lock(&step->files.lock);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        if (file_fd(file) == fd)
            found = file;
    pthread_mutex_unlock(&step->files.lock);
    return found;
}

static int finish_output(struct step *step, int fd, struct osiris_error *error)
{
    struct step_output_file *file = fd < 0 ? NULL : find_file(step, fd);

    if (file == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "finish_output: there is no such output");
    if (file->home != NULL) {
        home_begin_finish(file->home, HOME_ASIDE);
        return home_end_finish(file->home, error);
    }
    return output_finish(file->output, error) < 0 ? -1 : output_set_aside(file->output, &step->files.shelf, error);
}

int files_finish_output(const struct osiris_host *host, int fd)
{
    struct step *step = hosting_enter_call(host, "finish_output", host, "the host");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (step == NULL)
        return -1;
    signs_begin_wait(&step->signs);
    int result = finish_output(step, fd, &error);
    signs_end_wait(&step->signs);
    if (result < 0)
        reports_add_error(step, &error);
    hosting_leave(step);
    return result;
}

void files_write_back(struct step *step)
{
    pthread_mutex_lock(&step->files.lock);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        if (file->output != NULL)
            output_write_back(file->output);
    pthread_mutex_unlock(&step->files.lock);
}

/* All at once: each takes a round trip. */
static int finish_at_home(struct step *step, enum home_end end, struct osiris_error *error)
{
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        home_begin_finish(file->home, end);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        if (home_end_finish(file->home, error) < 0)
            return -1;
    return 0;
}

int files_finish_all(struct step *step, struct osiris_error *error)
{
    if (step->run->home != NULL)
        return finish_at_home(step, HOME_END, error);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        if (output_finish(file->output, error) < 0)
            return -1;
    return 0;
}

int files_make_ready(struct step *step, struct osiris_error *error)
{
    /* Nothing else can have been written after files_finish_all. */
    bool may_have_written = step->plan.driver->commit != NULL;

    pthread_mutex_lock(&step->files.lock);
    step->files.complete = true;
    pthread_mutex_unlock(&step->files.lock);
    if (step->run->home != NULL)
        return finish_at_home(step, HOME_READY, error);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next)
        if ((may_have_written && output_finish(file->output, error) < 0) || output_make_ready(file->output, error) < 0)
            return -1;
    return 0;
}

static json_object *describe(const struct step *step, const struct output *output)
{
    json_object *entry = json_object_new_object();
    int64_t size = output_size(output);

    json_add_string(entry, "step_id", step->plan.id);
    json_add_string(entry, "path", output_path(output));
    json_add_integer(entry, "bytes", size < 0 ? 0 : size);
    return entry;
}

int files_publish(struct step *step, struct osiris_error *error)
{
    struct output *last = NULL;

    decide_note_publishing(step);
    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next) {
        if (file->home != NULL || output_is_stream(file->output))
            continue;
        last = file->output;
        if (output_publish(file->output, error) < 0)
            return -1;
        decide_note_published(step, describe(step, file->output));
    }
    return last == NULL ? 0 : output_sync_folder(last, error);
}

void files_retract(struct step *step)
{
    struct output *last = NULL;

    for (struct step_output_file *file = step->files.first; file != NULL; file = file->next) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        if (file->home != NULL)
            continue;
        last = output_is_published(file->output) ? file->output : last;
        if (output_retract(file->output, &error) < 0)
            decide_note_kept(step, error.message);
    }
    if (last != NULL)
        (void)output_sync_folder(last, NULL);
}

int64_t files_size(const struct step *step)
{
    int64_t total = 0;

    if (step->files.first == NULL)
        return -1;
    for (const struct step_output_file *file = step->files.first; file != NULL; file = file->next) {
        int64_t size = file->home != NULL ? home_file_size(file->home) : output_size(file->output);
        /* The size of a stream is unknown. */
        total += size >= 0 ? size : atomic_load(&step->progress.bytes);
    }
    return total;
}

static void close_file(struct step *step, struct step_output_file *file)
{
    const struct claims claims = claims_of(step->run);

    if (file->home != NULL) {
        home_close_output(file->home);
    } else {
        if (output_is_stream(file->output))
            release_stdout(&step->run->outputs);
        if (file->claimed && !output_is_published(file->output))
            claims_drop(&claims, file->identity);
        output_close(file->output);
    }
    free(file);
}

void files_close_all(struct step *step)
{
    struct step_output_file *reversed = NULL;

    if (step->run->home != NULL)
        home_close_inputs(step->run->home, step);

    while (step->files.first != NULL) {
        struct step_output_file *file = step->files.first;
        step->files.first = file->next;
        file->next = reversed;
        reversed = file;
    }
    while (reversed != NULL) {
        struct step_output_file *file = reversed;
        reversed = file->next;
        close_file(step, file);
    }
    if (step->files.shelf >= 0)
        (void)close(step->files.shelf);
    step->files.shelf = -1;
}
