/* A step; see step.h. */
#include "worker/step.h"

#include <stdlib.h>
#include <string.h>

bool step_is_run(const struct step *step)
{
    return strcmp(step->request.verb, "run") == 0;
}

void step_init(struct step *step, struct run *run)
{
    step->run = run;
    atomic_init(&step->progress.cancelled, false);
    atomic_init(&step->progress.rows, 0);
    atomic_init(&step->progress.bytes, 0);
    atomic_init(&step->progress.touched, false);
    atomic_init(&step->reports.has_error, false);
    atomic_init(&step->signs.function, NULL);
    atomic_init(&step->signs.count, 0);
    atomic_init(&step->signs.host_waits, 0);
    sem_init(&step->request.called, 0, 0);
    pthread_cond_init(&step->fate.decided, NULL);
    atomic_init(&step->opening.signs.function, NULL);
    atomic_init(&step->opening.signs.count, 0);
    atomic_init(&step->opening.signs.host_waits, 0);
    pthread_mutex_init(&step->opening.lock, NULL);
    pthread_cond_init(&step->opening.returned, NULL);
    pthread_mutex_init(&step->reports.lock, NULL);
    pthread_mutex_init(&step->files.lock, NULL);
    pthread_mutex_init(&step->folders.lock, NULL);
    step->files.shelf = -1;
}

void step_clear(struct step *step)
{
    step_plan_clear(&step->plan);
    free(step->own.open_outputs);
    free(step->request.id);
    free(step->request.verb);
    json_object_put(step->reports.answer);
    free(step->fate.stopped_by);
    free(step->folders.artifacts);
    free(step->folders.temp);
    if (step->request.hosting != NULL)
        host_values_empty(&step->request.hosting->values);
    json_object_put(step->main.artifacts_before);
    reports_discard(step);
    sem_destroy(&step->request.called);
    pthread_cond_destroy(&step->fate.decided);
    pthread_cond_destroy(&step->opening.returned);
    pthread_mutex_destroy(&step->opening.lock);
    pthread_mutex_destroy(&step->reports.lock);
    pthread_mutex_destroy(&step->files.lock);
    pthread_mutex_destroy(&step->folders.lock);
}

void step_renew(struct step *step)
{
    free(step->request.id);
    free(step->request.verb);
    json_object_put(step->reports.answer);
    free(step->folders.temp);
    /* There is none if it was aborted before its first attempt, or if its last request was refused. */
    if (step->request.hosting != NULL)
        host_values_empty(&step->request.hosting->values);
    step->request.id = step->folders.temp = NULL;
    step->request.verb = NULL;
    step->reports.answer = NULL;
    step->request.hosting = NULL;
    reports_discard(step);
    atomic_store(&step->progress.rows, 0);
    atomic_store(&step->progress.bytes, 0);
    atomic_store(&step->progress.touched, false);
    step->own.batches = 0;
    step->own.committed = false;
    step->fate.succeeded = step->files.complete = false;
    step->fate.stage = DECIDE_NOTHING;
    step->own.state = NULL;
}
