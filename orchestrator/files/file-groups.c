/* Publishing the outputs of a group together; see file-groups.h. */
#include "orchestrator/files/file-groups.h"

#include <string.h>

#include "core/base/json-build.h"
#include "orchestrator/files/file-events.h"

static bool is_publishable(const struct file *file)
{
    return file->output != NULL && !output_is_stream(file->output);
}

static json_object *describe(const struct file *file)
{
    json_object *entry = json_object_new_object();
    int64_t size = output_size(file->output);

    json_add_string(entry, "step_id", file->step_id);
    json_add_string(entry, "path", file->path);
    json_add_integer(entry, "bytes", size < 0 ? 0 : size);
    return entry;
}

/* The folder of what was set aside is synced once, after the last output of the step. */
static int sync_after(const struct work *work, size_t index, struct osiris_error *error)
{
    const struct file *file = work->list[index];
    bool is_last = index + 1 == work->count || work->list[index + 1]->shelf != file->shelf;

    return is_last ? output_sync_folder(file->output, error) : 0;
}

static int publish(const struct work *work, json_object *published, struct osiris_error *error)
{
    for (size_t i = 0; i < work->count; i++) {
        struct file *file = work->list[i];
        if (!is_publishable(file))
            continue;
        if (output_publish(file->output, error) < 0 || sync_after(work, i, error) < 0) {
            error->step_id = strdup(file->step_id);
            return -1;
        }
        json_append(published, describe(file));
    }
    return 0;
}

/* Returns how many stay, and why the first one does. */
static size_t retract(const struct work *work, struct osiris_error *error)
{
    size_t kept = 0;

    for (size_t i = 0; i < work->count; i++) {
        _cleanup_error_ struct osiris_error failure = OSIRIS_ERROR_INIT;
        struct file *file = work->list[i];
        if (!is_publishable(file))
            continue;
        if (output_retract(file->output, &failure) < 0 && kept++ == 0)
            osiris_error_move(error, &failure);
        (void)sync_after(work, i, NULL);
    }
    return kept;
}

void file_groups_publish(struct files *files, const struct work *work)
{
    struct file_event event = {.kind = FILES_PUBLISHED, .owner = work->owner, .published = json_object_new_array()};
    _cleanup_error_ struct osiris_error failure = OSIRIS_ERROR_INIT;

    if (publish(work, event.published, &event.error) < 0) {
        size_t kept = retract(work, &failure);
        if (kept > 0)
            osiris_error_hint(&event.error, "%zu file%s of the group stay%s published; %s", kept, kept == 1 ? "" : "s",
                              kept == 1 ? "s" : "", failure.message);
    }
    file_events_add(files, &event, NULL);
}

void file_groups_retract(struct files *files, const struct work *work)
{
    struct file_event event = {.kind = FILES_RETRACTED, .owner = work->owner};

    event.kept = retract(work, &event.error);
    file_events_add(files, &event, NULL);
}
