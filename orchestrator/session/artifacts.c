/* The steps' folders of artifacts; see artifacts.h. */
#include "orchestrator/session/artifacts.h"

#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/artifacts.h"
#include "orchestrator/session/notes.h"

char *session_artifacts_path(const struct session *session, const struct session_step *step)
{
    return memory_format("%s/%s", rundir_artifacts_path(session->options->rundir), step->id);
}

void session_note_artifacts(struct session *session)
{
    session->artifacts = folder_entries(rundir_artifacts_path(session->options->rundir));
    for (size_t i = 0; i < session->plan->step_count; i++) {
        struct session_step *step = &session->steps[i];
        if (!session->groups[step->plan->group].may_repeat)
            continue;
        _cleanup_free_ char *path = session_artifacts_path(session, step);
        step->artifacts = folder_entries(path);
    }
}

void session_remove_new_artifacts(const struct session *session, const struct session_step *step)
{
    _cleanup_free_ char *path = session_artifacts_path(session, step);

    remove_new_entries(path, step->artifacts);
}

struct sweeping {
    struct session *session;
    const struct session_step *step;
};

static void warn_of_artifact(void *context, const char *text)
{
    const struct sweeping *sweeping = context;

    session_log(sweeping->session, OSIRIS_WARNING, sweeping->step == NULL ? "adapter" : sweeping->step->id, text);
}

/* A worker that has died has not checked its artifacts, and an adapter may have collected anything. */
void session_sweep_artifacts(struct session *session)
{
    for (size_t i = 0; i < session->plan->step_count; i++) {
        struct sweeping sweeping = {session, &session->steps[i]};
        _cleanup_free_ char *path = session_artifacts_path(session, sweeping.step);
        artifacts_sweep(path, warn_of_artifact, &sweeping);
    }
    struct sweeping rest = {session, NULL};
    artifacts_sweep_new(rundir_artifacts_path(session->options->rundir), session->artifacts, warn_of_artifact, &rest);
}
