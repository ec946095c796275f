/* The host table of a step; see include/osiris/host.h. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/output/artifacts.h"
#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
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

struct step *host_enter(const struct osiris_host *host, const char *function, const void *given, const char *what)
{
    struct hosting *hosting = (struct hosting *)host_values_of(host, function);

    if (hosting == NULL || !host_values_has(&hosting->values, given, function, what))
        return NULL;
    return hosting_enter(hosting);
}

static struct step *enter_with_nothing(const struct osiris_host *host, const char *function)
{
    return host_enter(host, function, host, "the host");
}

static void say(struct step *step, const char *level, const char *message)
{
    _cleanup_free_ char *clean = host_clean_text(step, message);
    json_object *data = step_data(step);

    json_add_string(data, "level", level);
    json_add_string(data, "message", clean == NULL ? "" : clean);
    tell(step, "log", data);
}

void host_say(struct step *step, const char *level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = memory_vformat(format, arguments);
    va_end(arguments);
    say(step, level, text);
}

static void host_log(const struct osiris_host *host, int32_t level, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct step *step = host_enter(host, "log", message, "the message");

    if (step == NULL)
        return;
    say(step, names[level >= OSIRIS_DEBUG && level <= OSIRIS_ERROR ? level : OSIRIS_INFO], message);
    hosting_leave(step);
}

static void add_fields(const struct step *step, json_object *data, const char *json)
{
    size_t length = json == NULL ? 0 : strlen(json);
    _cleanup_json_ json_object *fields =
        json == NULL || length > REDACT_EVENT_MAXIMUM ? NULL : json_parse(json, NULL);

    if (length > REDACT_EVENT_MAXIMUM)
        json_add_integer(data, "omitted_bytes", (int64_t)length);
    add_time(data);
    if (!json_object_is_type(fields, json_type_object))
        return;
    _cleanup_json_ json_object *clean = redactor_event(step->run->redactor, fields);
    json_object_object_foreach(clean, key, value)
    {
        if (json_member(data, key) == NULL)
            json_add(data, key, json_object_get(value));
    }
}

static void host_event(const struct osiris_host *host, const char *name, const char *json)
{
    struct step *step = host_enter(host, "event", name, "the name");

    if (step == NULL)
        return;
    _cleanup_free_ char *clean_name = host_clean_text(step, name);
    json_object *data = step_data(step);
    json_add_string(data, "event", clean_name == NULL ? "" : clean_name);
    add_fields(step, data, json);
    tell(step, "event", data);
    hosting_leave(step);
}

static void host_metric(const struct osiris_host *host, const char *name, double value,
                        const char *unit)
{
    struct step *step = host_enter(host, "metric", name, "the name");

    if (step == NULL)
        return;
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
    hosting_leave(step);
}

/* Errors. */

static void clean_in_place(const struct step *step, char **text)
{
    char *clean = *text == NULL ? NULL : host_clean_text(step, *text);

    free(*text);
    *text = clean;
}

/* The first one stays. */
static void report(struct step *step, const struct osiris_error_report *report)
{
    struct osiris_error *error = &step->reported;

    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    if (error->category == 0) {
        osiris_error_from_report(error, report);
        clean_in_place(step, &error->native_state);
        clean_in_place(step, &error->message);
        clean_in_place(step, &error->hint);
        clean_in_place(step, &error->option);
        if (error->message == NULL)
            error->message = strdup("what was reported is too long for the memory that there is");
    }
    pthread_mutex_unlock(&step->report_lock);
}

void host_report(struct step *step, const struct osiris_error *error)
{
    report(step, &(struct osiris_error_report){.struct_size = sizeof(struct osiris_error_report),
                                               .category = error->category,
                                               .retryable = error->retryable,
                                               .native_code = error->native_code,
                                               .message = error->message,
                                               .hint = error->hint});
}

static void host_error(const struct osiris_host *host, const struct osiris_error_report *given)
{
    struct step *step = host_enter(host, "error", given, "the report");

    if (step == NULL)
        return;
    report(step, given);
    hosting_leave(step);
}

static int32_t host_cancelled(const struct osiris_host *host)
{
    struct step *step = enter_with_nothing(host, "cancelled");

    /* Whoever asks behind the step's end is to stop. */
    if (step == NULL)
        return 1;
    signs_give(step);
    int32_t cancelled = atomic_load_explicit(&step->cancelled, memory_order_relaxed);
    hosting_leave(step);
    return cancelled;
}

bool host_has_report(struct step *step)
{
    pthread_mutex_lock(&step->report_lock);
    bool has = step->reported.category != 0;
    pthread_mutex_unlock(&step->report_lock);
    return has;
}

static void take_report(struct step *step, struct osiris_error *error)
{
    pthread_mutex_lock(&step->report_lock);
    osiris_error_move(error, &step->reported);
    pthread_mutex_unlock(&step->report_lock);
}

/* Many return an errno where -1 is meant, with the report forgotten: it tells more than nothing. */
static int no_reason(const char *verb, int result, struct osiris_error *error)
{
    char words[128];

    if (result == -1 || result == INT_MIN)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s failed and gave no reason; this is a fault of the driver",
                                verb);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                     "%s failed and gave no reason but %d (as an errno: %s); this is a fault of the driver", verb, result,
                     strerror_r(result < 0 ? -result : result, words, sizeof words));
    error->native_code = result;
    return -1;
}

int host_end_verb(struct step *step, const char *verb, int result, struct osiris_error *error)
{
    if (host_has_report(step)) {
        take_report(step, error);
        return -1;
    }
    return result == 0 ? 0 : no_reason(verb, result, error);
}

void host_warn_of_report(struct step *step, const char *function)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    take_report(step, &error);
    if (error.category != 0)
        host_say(step, "warning", "%s: %s", function, error.message);
}

void host_forget_report(struct step *step)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    take_report(step, &error);
}

/* Folders. */

/* <root>/<step>, made on the first call and remembered in *folder. */
static const char *step_folder(struct step *step, const char *root, char **folder)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    const char *known = *folder;
    pthread_mutex_unlock(&step->report_lock);
    if (known != NULL)
        return known;
    char *path = memory_format("%s/%s", root, step->id);
    if (make_directories(path, 0755, &error) < 0) {
        host_report(step, &error);
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
    struct step *step = enter_with_nothing(host, "artifacts_dir");

    if (step == NULL)
        return NULL;
    const char *folder = step_folder(step, step->run->artifacts_dir, &step->artifacts_dir);
    hosting_leave(step);
    return folder;
}

static const char *host_temp_dir(const struct osiris_host *host)
{
    struct step *step = enter_with_nothing(host, "temp_dir");

    if (step == NULL)
        return NULL;
    const char *folder = step_folder(step, step->run->temp_dir, &step->temp_dir);
    hosting_leave(step);
    return folder;
}

void host_remove_temp_dir(struct step *step)
{
    if (step->temp_dir != NULL)
        remove_tree(step->temp_dir);
}

static void warn(void *context, const char *text)
{
    host_say(context, "warning", "%s", text);
}

void host_sweep_artifacts(struct step *step)
{
    if (step->artifacts_dir != NULL)
        artifacts_sweep(step->artifacts_dir, warn, step);
}

void host_renew_artifacts(struct step *step)
{
    _cleanup_free_ char *asked_for = step->artifacts_dir;
    _cleanup_free_ char *path = memory_format("%s/%s", step->run->artifacts_dir, step->id);

    step->artifacts_dir = NULL;
    /* Who has not asked for the folder has left nothing in it. */
    if (step->artifacts != NULL && asked_for == NULL)
        return;
    if (step->artifacts != NULL)
        remove_new_entries(path, step->artifacts);
    else
        step->artifacts = folder_entries(path);
}

/* The last one counts. Text that is no object leaves none, which the caller blames on the driver. */
static void host_result(const struct osiris_host *host, const char *json)
{
    struct step *step = host_enter(host, "result", json, "the answer");

    if (step == NULL)
        return;
    _cleanup_json_ json_object *given = json_parse(json, NULL);
    json_object *clean = json_object_is_type(given, json_type_object)
                             ? redactor_answer(step->run->redactor, given)
                             : NULL;
    signs_give(step);
    pthread_mutex_lock(&step->report_lock);
    json_object_put(step->result);
    step->result = clean;
    pthread_mutex_unlock(&step->report_lock);
    hosting_leave(step);
}

void host_init(struct step *step)
{
    struct osiris_host *table = &step->hosting->table;

    step->shelf = -1;
    *table = (struct osiris_host){
        .abi_version = OSIRIS_ABI_VERSION,
        .struct_size = sizeof(struct osiris_host),
        .context = step->hosting,
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
        .open_input = files_open_input,
        .open_output = files_open_output,
        .finish_output = files_finish_output,
        .verb = step->verb,
        .result = host_result,
    };
    host_values_fill(table);
}
