/* What the files at home have in common; see home-state.h. */
#include "worker/home-state.h"

#include <sys/eventfd.h>

#include "core/base/json-build.h"
#include "worker/run.h"

void home_wake_pump(struct home *home)
{
    (void)eventfd_write(home->wake_fd, 1);
}

json_object *home_data(const struct home_file *file)
{
    json_object *data = json_object_new_object();

    json_add_integer(data, "file", file->number);
    return data;
}

json_object *home_message(const char *type, json_object *data)
{
    json_object *message = json_object_new_object();

    json_add_string(message, "type", type);
    json_add(message, "data", data);
    return message;
}

void home_send(struct home *home, const char *type, json_object *data)
{
    _cleanup_json_ json_object *message = home_message(type, data);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (channel_send_owed(home->channel, message, &error) < 0)
        channel_fail(home->channel, type, &error);
}

bool home_is_cancelled(const struct home_file *file)
{
    return file->home->is_cut || (!file->is_artifacts && atomic_load(&file->step->progress.cancelled));
}
