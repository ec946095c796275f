/* Records of the steps before they run; see records.h. */
#include "orchestrator/session/records.h"

#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "orchestrator/base/canonical-json.h"
#include "core/base/fingerprint.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/one-of.h"
#include "orchestrator/session/notes.h"

#define TEXT_LIMIT (128u << 20)

/* Keys of a config that are for osiris, not for the driver. */
static const char *const meta_keys[] = {"component", "connection", NULL};

json_object *session_step_config(const struct session_step *step)
{
    json_object *own = json_object_new_object();

    if (step->config == NULL)
        return own;
    json_object_object_foreach(step->config, key, value)
    {
        if (!is_one_of(key, meta_keys))
            json_add(own, key, json_object_get(value));
    }
    return own;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(json_object_get_string(*(json_object *const *)left),
                  json_object_get_string(*(json_object *const *)right));
}

static json_object *step_fields(const struct session_step *step)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "step_id", step->id);
    return fields;
}

static int out_of_memory(const struct session_step *step, struct osiris_error *error)
{
    return osiris_error_set_errno(error, ENOMEM, "cannot record the config of \"%s\"", step->id);
}

static void record_inputs(struct session *session, const struct session_step *step)
{
    for (size_t i = 0; i < step->plan->input_count; i++) {
        json_object *fields = step_fields(step);
        json_add_string(fields, "from_step", step->plan->inputs[i].from);
        json_add_string(fields, "key", step->plan->inputs[i].name);
        json_add_boolean(fields, "from_memory", true);
        session_event(session, EVENT_INPUTS_RESOLVED, fields);
    }
}

/* The event cfg_opened: identifies the config's file in the build by the hash of its bytes. */
static int record_config(struct session *session, const struct session_step *step,
                         struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(TEXT_LIMIT);
    _cleanup_free_ char *path = memory_format("cfg/%s.json", step->id);
    json_object *config = step->config;
    json_object *keys = json_object_new_array();
    json_object *fields = step_fields(step);
    char sha256[FINGERPRINT_SIZE];

    canonical_json(config, &text);
    buffer_append_char(&text, '\n');
    if (text.failed) {
        json_object_put(keys);
        json_object_put(fields);
        return out_of_memory(step, error);
    }
    fingerprint(text.data, text.length, sha256);
    if (config != NULL) {
        json_object_object_foreach(config, key, value)
        {
            (void)value;
            json_append(keys, json_string(key));
        }
    }
    json_object_array_sort(keys, by_name);
    json_add_string(fields, "path", path);
    json_add_string(fields, "sha256", sha256);
    json_add(fields, "keys", keys);
    session_event(session, EVENT_CFG_OPENED, fields);
    return 0;
}

static void record_stripped(struct session *session, const struct session_step *step)
{
    json_object *removed = json_object_new_array();

    for (size_t i = 0; meta_keys[i] != NULL; i++)
        if (json_member(step->config, meta_keys[i]) != NULL)
            json_append(removed, json_string(meta_keys[i]));
    if (json_array_count(removed) == 0) {
        json_object_put(removed);
        return;
    }
    json_object *fields = step_fields(step);
    json_add(fields, "keys_removed", removed);
    json_add_boolean(fields, "config_meta_stripped", true);
    session_event(session, EVENT_CONFIG_META_STRIPPED, fields);
}

static int make_artifacts_dir(struct session *session, const struct session_step *step,
                              char **folder, struct osiris_error *error)
{
    *folder = memory_format("%s/%s", rundir_artifacts_path(session->options->rundir), step->id);
    if (make_directories(*folder, 0755, error) < 0)
        return -1;
    _cleanup_free_ char *shown = rundir_shown(session->options->rundir, *folder);
    json_object *fields = step_fields(step);
    json_add_string(fields, "path", shown);
    session_event(session, EVENT_ARTIFACTS_DIR_CREATED, fields);
    return 0;
}

/* Writes artifacts/<step>/cleaned_config.json: the config of the step with its secrets masked. */
static int write_config(struct session *session, const struct session_step *step,
                        const char *folder, struct osiris_error *error)
{
    _cleanup_free_ char *path = memory_format("%s/cleaned_config.json", folder);
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(TEXT_LIMIT);
    _cleanup_json_ json_object *config = session_step_config(step);
    _cleanup_json_ json_object *clean = redactor_json(session->options->redactor, config);

    canonical_json(clean, &text);
    buffer_append_char(&text, '\n');
    if (text.failed)
        return out_of_memory(step, error);
    if (atomic_file_write(path, text.data, text.length, 0644, error) < 0)
        return -1;
    _cleanup_free_ char *shown = rundir_shown(session->options->rundir, path);
    json_object *fields = step_fields(step);
    json_add_string(fields, "artifact_type", "cleaned_config");
    json_add_string(fields, "path", shown);
    session_event(session, EVENT_ARTIFACT_CREATED, fields);
    return 0;
}

static int record_step(struct session *session, size_t index, struct osiris_error *error)
{
    const struct session_step *step = &session->steps[index];
    _cleanup_free_ char *folder = NULL;

    record_inputs(session, step);
    if (record_config(session, step, error) < 0 ||
        make_artifacts_dir(session, step, &folder, error) < 0)
        return -1;
    record_stripped(session, step);
    return write_config(session, step, folder, error);
}

int session_record_steps(struct session *session, struct osiris_error *error)
{
    for (size_t i = 0; i < session->plan->step_count; i++)
        if (record_step(session, i, error) < 0) {
            redactor_error(session->options->redactor, error);
            return -1;
        }
    return 0;
}
