/* The host table of a step; see include/osiris/host.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/atomic-file.h"
#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"
#include "core/litter.h"
#include "core/remove-tree.h"
#include "worker/run.h"

/* Reports. */

char *host_clean_text(const struct step *step, const char *text)
{
    return redactor_short_text(step->run->redactor, text);
}

static json_object *step_data(const struct step *step)
{
    json_object *data = json_object_new_object();

    json_add_string(data, "step_id", step->id);
    return data;
}

static void add_time(json_object *data)
{
    char now[CLOCK_TIMESTAMP_SIZE];

    clock_timestamp(now);
    json_add_string(data, "ts", now);
}

/* It may wait for a slow orchestrator. */
static void tell(struct step *step, const char *type, json_object *data)
{
    signs_begin_wait(step);
    answer_message(step->run->channel, type, data, true);
    signs_end_wait(step);
}

static void host_log(const struct osiris_host *host, int32_t level, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct step *step = host->context;
    _cleanup_free_ char *clean = host_clean_text(step, message);
    json_object *data = step_data(step);

    json_add_string(data, "level",
                    names[level >= OSIRIS_DEBUG && level <= OSIRIS_ERROR ? level : OSIRIS_INFO]);
    json_add_string(data, "message", clean == NULL ? "" : clean);
    tell(step, "log", data);
}

static void host_event(const struct osiris_host *host, const char *name, const char *json)
{
    struct step *step = host->context;
    size_t length = json == NULL ? 0 : strlen(json);
    _cleanup_json_ json_object *fields =
        json == NULL || length > REDACT_EVENT_MAXIMUM ? NULL : json_tokener_parse(json);
    _cleanup_free_ char *clean_name = host_clean_text(step, name);
    json_object *data = step_data(step);

    json_add_string(data, "event", clean_name == NULL ? "" : clean_name);
    if (length > REDACT_EVENT_MAXIMUM)
        json_add_integer(data, "omitted_bytes", (int64_t)length);
    add_time(data);
    if (json_object_is_type(fields, json_type_object)) {
        _cleanup_json_ json_object *clean = redactor_json(step->run->redactor, fields);
        json_object_object_foreach(clean, key, value)
        {
            if (json_member(data, key) == NULL)
                json_add(data, key, json_object_get(value));
        }
    }
    tell(step, "event", data);
}

static void host_metric(const struct osiris_host *host, const char *name, double value,
                        const char *unit)
{
    struct step *step = host->context;
    json_object *data = json_object_new_object();
    json_object *tags = json_object_new_object();
    _cleanup_free_ char *clean_name = host_clean_text(step, name);
    _cleanup_free_ char *clean_unit = unit == NULL ? NULL : host_clean_text(step, unit);

    json_add_string(data, "metric", clean_name == NULL ? "" : clean_name);
    json_add_number(data, "value", value);
    json_add_string(data, "unit", clean_unit);
    json_add_string(tags, "step", step->id);
    json_add(data, "tags", tags);
    add_time(data);
    tell(step, "metric", data);
}

static void clean_in_place(const struct step *step, char **text)
{
    char *clean = *text == NULL ? NULL : host_clean_text(step, *text);

    free(*text);
    *text = clean;
}

static void host_error(const struct osiris_host *host, const struct osiris_error_report *report)
{
    struct step *step = host->context;
    struct osiris_error *error = &step->reported;

    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    if (error->category == 0) {
        osiris_error_from_report(error, report);
        clean_in_place(step, &error->native_state);
        clean_in_place(step, &error->message);
        clean_in_place(step, &error->hint);
        clean_in_place(step, &error->option);
    }
    pthread_mutex_unlock(&step->report_lock);
}

static int32_t host_cancelled(const struct osiris_host *host)
{
    struct step *step = host->context;

    signs_give(step);
    return atomic_load_explicit(&step->cancelled, memory_order_relaxed);
}

void host_take_error(struct step *step, const char *verb, struct osiris_error *error)
{
    pthread_mutex_lock(&step->report_lock);
    if (step->reported.category == 0)
        osiris_error_set(&step->reported, OSIRIS_ERROR_INTERNAL,
                         "%s failed and gave no reason; this is a fault of the driver", verb);
    osiris_error_move(error, &step->reported);
    pthread_mutex_unlock(&step->report_lock);
}

/* Folders. */

static void report_error(const struct osiris_host *host, const struct osiris_error *error)
{
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = error->category,
        .retryable = error->retryable,
        .native_code = error->native_code,
        .message = error->message,
        .hint = error->hint,
    };

    host_error(host, &report);
}

/* <root>/<step>, made on the first call and remembered in *folder. */
static const char *step_folder(const struct osiris_host *host, const char *root, char **folder)
{
    struct step *step = host->context;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    char *path = NULL;

    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    const char *known = *folder;
    pthread_mutex_unlock(&step->report_lock);
    if (known != NULL)
        return known;
    if (asprintf(&path, "%s/%s", root, step->id) < 0)
        path = NULL;
    if (path == NULL || make_directories(path, 0755, &error) < 0) {
        if (path == NULL)
            osiris_error_set_errno(&error, ENOMEM, "cannot make the step's folder");
        report_error(host, &error);
        free(path);
        return NULL;
    }
    pthread_mutex_lock(&step->report_lock);
    if (*folder == NULL)
        *folder = path;
    else
        free(path);
    known = *folder;
    pthread_mutex_unlock(&step->report_lock);
    return known;
}

static const char *host_artifacts_dir(const struct osiris_host *host)
{
    struct step *step = host->context;

    return step_folder(host, step->run->artifacts_dir, &step->artifacts_dir);
}

static const char *host_temp_dir(const struct osiris_host *host)
{
    struct step *step = host->context;

    return step_folder(host, step->run->temp_dir, &step->temp_dir);
}

void host_remove_temp_dir(struct step *step)
{
    if (step->temp_dir != NULL)
        remove_tree(step->temp_dir);
}

void host_renew_artifacts(struct step *step)
{
    _cleanup_free_ char *asked_for = step->artifacts_dir, *path = NULL;

    step->artifacts_dir = NULL;
    /* Who has not asked for the folder has left nothing in it. */
    if (step->artifacts != NULL && asked_for == NULL)
        return;
    if (asprintf(&path, "%s/%s", step->run->artifacts_dir, step->id) < 0)
        path = NULL;
    if (path != NULL && step->artifacts != NULL)
        remove_new_entries(path, step->artifacts);
    else if (path != NULL)
        step->artifacts = folder_entries(path);
}

/* Files. */

static int host_open_input(const struct osiris_host *host, const char *path, int *fd)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct stat status;

    signs_begin_wait(host->context);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    signs_end_wait(host->context);
    if (*fd >= 0 && fstat(*fd, &status) == 0 && !S_ISDIR(status.st_mode))
        return 0;
    int reason = *fd >= 0 ? EISDIR : errno;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    osiris_error_set_errno(&error, reason, "cannot read \"%s\"", path);
    report_error(host, &error);
    return -1;
}

/* "-" is the command's standard output, for one step of a run. */
static int open_stdout(struct step *step, const struct output_options *options,
                       struct output **output, struct osiris_error *error)
{
    if (step->run->stdout_fd < 0) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no standard output to write to here");
        osiris_error_hint(error, "let the step run where osiris does: run_on: local");
        return -1;
    }
    if (options->append || options->mode != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "standard output can be neither appended to nor given a mode");
    if (atomic_exchange(&step->run->stdout_taken, true)) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "another step writes to standard output");
        osiris_error_hint(error, "let one step of the run write to \"-\"");
        return -1;
    }
    return output_open_stream(options->path, step->run->stdout_fd, output, error);
}

/* Should this process be killed, osiris finds what is hidden. */
static void note_folder(void *context, int folder)
{
    struct run *run = context;
    struct stat status;

    if (fstat(folder, &status) < 0)
        return;
    pthread_mutex_lock(&run->steps_lock);
    bool known = run->hidden_device == status.st_dev && run->hidden_folder == status.st_ino;
    run->hidden_device = status.st_dev;
    run->hidden_folder = status.st_ino;
    pthread_mutex_unlock(&run->steps_lock);
    if (!known)
        litter_note(run->temp_dir, folder);
}

static int open_file(struct step *step, const char *path,
                     const struct osiris_output_options *options, int *fd,
                     struct osiris_error *error)
{
    struct step_output_file *file = calloc(1, sizeof *file);
    uint32_t flags = options == NULL ? 0 : options->flags;
    const struct output_options output_options = {
        .path = path,
        .run_id = step->run->run_id,
        .mode = options == NULL ? 0 : (mode_t)options->mode,
        .create_directories = (flags & OSIRIS_OUTPUT_CREATE_DIRECTORIES) != 0,
        .append = (flags & OSIRIS_OUTPUT_APPEND) != 0,
        .no_sync = (flags & OSIRIS_OUTPUT_NO_SYNC) != 0,
        .hides_in = note_folder,
        .context = step->run,
    };

    if (file == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot write \"%s\"", path);
    int opened = strcmp(path, "-") == 0 ? open_stdout(step, &output_options, &file->output, error)
                                        : output_open(&output_options, &file->output, error);
    if (opened == 0 && claims_take(step, file, error) < 0) {
        output_close(file->output);
        opened = -1;
    }
    if (opened < 0) {
        free(file);
        return -1;
    }
    *fd = output_fd(file->output);
    if (options != NULL && OSIRIS_HAS(options, initial_size) && options->initial_size != NULL)
        *options->initial_size = output_initial_size(file->output);
    pthread_mutex_lock(&step->report_lock);
    struct step_output_file **end = &step->files;
    while (*end != NULL)
        end = &(*end)->next;
    *end = file;
    pthread_mutex_unlock(&step->report_lock);
    return 0;
}

static int host_open_output(const struct osiris_host *host, const char *path,
                            const struct osiris_output_options *options, int *fd)
{
    struct step *step = host->context;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    signs_begin_wait(step);
    int result = open_file(step, path, options, fd, &error);
    signs_end_wait(step);
    if (result < 0)
        report_error(host, &error);
    return result;
}

static struct output *find_output(struct step *step, int fd)
{
    struct output *found = NULL;

    pthread_mutex_lock(&step->report_lock);
    for (struct step_output_file *file = step->files; file != NULL; file = file->next)
        if (output_fd(file->output) == fd)
            found = file->output;
    pthread_mutex_unlock(&step->report_lock);
    return found;
}

static int host_finish_output(const struct osiris_host *host, int fd)
{
    struct step *step = host->context;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct output *output = fd < 0 ? NULL : find_output(step, fd);
    int result = -1;

    signs_begin_wait(step);
    if (output == NULL)
        osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "finish_output: there is no such output");
    else if (output_finish(output, &error) == 0)
        result = output_set_aside(output, &step->shelf, &error);
    signs_end_wait(step);
    if (result < 0)
        report_error(host, &error);
    return result;
}

void host_close_outputs(struct step *step)
{
    struct step_output_file *reversed = NULL;

    while (step->files != NULL) {
        struct step_output_file *file = step->files;
        step->files = file->next;
        file->next = reversed;
        reversed = file;
    }
    while (reversed != NULL) {
        struct step_output_file *file = reversed;
        reversed = file->next;
        if (output_is_stream(file->output))
            atomic_store(&step->run->stdout_taken, false);
        if (!output_is_published(file->output))
            claims_drop(step->run, file);
        output_close(file->output);
        free(file);
    }
    if (step->shelf >= 0)
        (void)close(step->shelf);
    step->shelf = -1;
}

/* The last one counts. Text that is no object leaves none, which the caller blames on the driver. */
static void host_result(const struct osiris_host *host, const char *json)
{
    struct step *step = host->context;
    _cleanup_json_ json_object *given = json == NULL ? NULL : json_tokener_parse(json);
    json_object *clean = json_object_is_type(given, json_type_object)
                             ? redactor_json(step->run->redactor, given)
                             : NULL;

    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    json_object_put(step->result);
    step->result = clean;
    pthread_mutex_unlock(&step->report_lock);
}

void host_init(struct step *step)
{
    step->shelf = -1;
    step->host = (struct osiris_host){
        .abi_version = OSIRIS_ABI_VERSION,
        .struct_size = sizeof(struct osiris_host),
        .context = step,
        .run_id = step->run->run_id,
        .step_id = step->id,
        .component = step->component,
        .log = host_log,
        .event = host_event,
        .metric = host_metric,
        .error = host_error,
        .cancelled = host_cancelled,
        .artifacts_dir = host_artifacts_dir,
        .temp_dir = host_temp_dir,
        .open_input = host_open_input,
        .open_output = host_open_output,
        .finish_output = host_finish_output,
        .verb = step->verb,
        .result = host_result,
    };
    host_values_fill(&step->host);
}
