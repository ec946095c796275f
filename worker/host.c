/* The host table of a step; see host.h. */
#include "worker/host.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "worker/run.h"
#include "worker/step-messages.h"

static void add_time(json_object *data)
{
    char now[CLOCK_TIMESTAMP_SIZE];

    clock_timestamp(now);
    json_add_string(data, "ts", now);
}

static void host_log(const struct osiris_host *host, int32_t level, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct step *step = hosting_enter_call(host, "log", message, "the message");

    if (step == NULL)
        return;
    step_log_text(step, names[level >= OSIRIS_DEBUG && level <= OSIRIS_ERROR ? level : OSIRIS_INFO], message);
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
    struct step *step = hosting_enter_call(host, "event", name, "the name");

    if (step == NULL)
        return;
    _cleanup_free_ char *clean_name = step_clean_text(step, name);
    json_object *data = step_message_data(step);
    json_add_string(data, "event", clean_name == NULL ? "" : clean_name);
    add_fields(step, data, json);
    step_send(step, "event", data);
    hosting_leave(step);
}

static void host_metric(const struct osiris_host *host, const char *name, double value,
                        const char *unit)
{
    struct step *step = hosting_enter_call(host, "metric", name, "the name");

    if (step == NULL)
        return;
    json_object *data = json_object_new_object();
    json_object *tags = json_object_new_object();
    _cleanup_free_ char *clean_name = step_clean_text(step, name);
    _cleanup_free_ char *clean_unit = unit == NULL ? NULL : step_clean_text(step, unit);
    json_add_string(data, "metric", clean_name == NULL ? "" : clean_name);
    json_add_number(data, "value", value);
    json_add_string(data, "unit", clean_unit);
    json_add_string(tags, "step", step->plan.id);
    json_add(data, "tags", tags);
    add_time(data);
    step_send(step, "metric", data);
    hosting_leave(step);
}

static void host_error(const struct osiris_host *host, const struct osiris_error_report *given)
{
    struct step *step = hosting_enter_call(host, "error", given, "the report");

    if (step == NULL)
        return;
    reports_add(step, given);
    hosting_leave(step);
}

static int32_t host_cancelled(const struct osiris_host *host)
{
    struct step *step = hosting_enter_call(host, "cancelled", host, "the host");

    /* After the step's end, a thread that asks is to stop. */
    if (step == NULL)
        return 1;
    signs_note(&step->signs);
    int32_t cancelled = progress_is_cancelled(&step->progress);
    hosting_leave(step);
    return cancelled;
}

/* The last one counts. A text that is not an object leaves no answer, which the caller blames on the driver. */
static void host_result(const struct osiris_host *host, const char *json)
{
    struct step *step = hosting_enter_call(host, "result", json, "the answer");

    if (step == NULL)
        return;
    _cleanup_json_ json_object *given = json_parse(json, NULL);
    json_object *clean = json_object_is_type(given, json_type_object)
                             ? redactor_json(step->run->redactor, given)
                             : NULL;
    reports_set_answer(step, clean);
    hosting_leave(step);
}

void host_init(struct step *step)
{
    struct osiris_host *table = &step->request.hosting->table;

    *table = (struct osiris_host){
        .abi_version = OSIRIS_ABI_VERSION,
        .struct_size = sizeof(struct osiris_host),
        .context = step->request.hosting,
        .run_id = step->run->run_id,
        .step_id = step->plan.id,
        .component = step->plan.component,
        .log = host_log,
        .event = host_event,
        .metric = host_metric,
        .error = host_error,
        .cancelled = host_cancelled,
        .artifacts_dir = folders_artifacts_dir,
        .temp_dir = folders_temp_dir,
        .open_input = files_open_input,
        .open_output = files_open_output,
        .finish_output = files_finish_output,
        .verb = step->request.verb,
        .result = host_result,
    };
    host_values_fill(table);
}
