/* The folders of a step; see folders.h. */
#include "worker/folders.h"

#include "core/base/atomic-file.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/artifacts.h"
#include "worker/home-artifacts.h"
#include "worker/run.h"
#include "worker/step-messages.h"

/* <root>/<step>, made on the first call and remembered in *folder. */
static const char *step_folder(struct step *step, const char *root, char **folder)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    signs_note(&step->signs);
    pthread_mutex_lock(&step->folders.lock);
    const char *known = *folder;
    pthread_mutex_unlock(&step->folders.lock);
    if (known != NULL)
        return known;
    char *path = memory_format("%s/%s", root, step->plan.id);
    if (make_directories(path, 0755, &error) < 0) {
        reports_add_error(step, &error);
        free(path);
        return NULL;
    }
    pthread_mutex_lock(&step->folders.lock);
    if (*folder == NULL)
        *folder = path;
    else
        free(path);
    known = *folder;
    pthread_mutex_unlock(&step->folders.lock);
    return known;
}

const char *folders_artifacts_dir(const struct osiris_host *host)
{
    struct step *step = hosting_enter_call(host, "artifacts_dir", host, "the host");

    if (step == NULL)
        return NULL;
    const char *folder = step_folder(step, step->run->artifacts_dir, &step->folders.artifacts);
    hosting_leave(step);
    return folder;
}

const char *folders_temp_dir(const struct osiris_host *host)
{
    struct step *step = hosting_enter_call(host, "temp_dir", host, "the host");

    if (step == NULL)
        return NULL;
    const char *folder = step_folder(step, step->run->temp_dir, &step->folders.temp);
    hosting_leave(step);
    return folder;
}

static void warn(void *context, const char *text)
{
    step_log_text(context, "warning", text);
}

void folders_end(struct step *step)
{
    if (step->folders.temp != NULL)
        remove_tree(step->folders.temp);
    if (step->folders.artifacts != NULL)
        artifacts_sweep(step->folders.artifacts, warn, step);
    if (step->folders.artifacts != NULL && step->run->home != NULL)
        home_send_artifacts(step, step->folders.artifacts);
}

void folders_renew(struct step *step)
{
    _cleanup_free_ char *asked_for = step->folders.artifacts;

    step->folders.artifacts = NULL;
    /* A driver that has not asked for the folder has left nothing in it. */
    if (step->main.artifacts_before != NULL && asked_for == NULL)
        return;
    _cleanup_free_ char *path = memory_format("%s/%s", step->run->artifacts_dir, step->plan.id);
    if (step->main.artifacts_before != NULL)
        remove_new_entries(path, step->main.artifacts_before);
    else
        step->main.artifacts_before = folder_entries(path);
}
