/* Sending a step's artifacts home; see home-artifacts.h. */
#include "worker/home-artifacts.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/remove-tree.h"
#include "core/output/artifacts-stream.h"
#include "worker/run.h"
#include "worker/step-messages.h"

static int write_all(void *context, const void *bytes, size_t length)
{
    int fd = home_file_fd(context);

    for (const char *at = bytes; length > 0;) {
        ssize_t count = write(fd, at, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        at += count;
        length -= (size_t)count;
    }
    return 0;
}

static void warn(void *context, const char *text)
{
    step_log_text(context, "warning", text);
}

static bool is_empty(const char *folder, json_object *known)
{
    _cleanup_json_ json_object *entries = folder_entries(folder);
    size_t fresh = 0;

    if (entries == NULL)
        return false;
    json_object_object_foreach(entries, name, nothing)
    {
        (void)nothing;
        fresh += !json_object_object_get_ex(known, name, NULL);
    }
    return fresh == 0;
}

void home_send_artifacts(struct step *step, const char *folder)
{
    json_object *known = step->main.artifacts_before;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (is_empty(folder, known)) {
        (void)rmdir(folder);
        return;
    }
    struct home_file *file = home_open_artifacts(step->run->home, step, &error);
    if (file == NULL) {
        step_log(step, "warning", "its artifacts do not come home: %s", error.message);
        return;
    }
    const struct artifacts_sink sink = {.write = write_all, .context = file};
    int packed = artifacts_pack(folder, known, &sink, warn, step);
    home_begin_finish(file, HOME_END);
    bool arrived = home_end_finish(file, &error) == 0 && packed == 0;
    home_close_output(file);
    if (!arrived)
        return;
    remove_new_entries(folder, known);
    (void)rmdir(folder);
}
