/* Cancelling steps; see cancel.h. */
#include "worker/cancel.h"

#include <string.h>

#include "worker/edges.h"
#include "worker/run.h"

/* A driver that only waits for a decision has nothing to interrupt. */
static bool may_be_called(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    bool called = step->fate.phase == STEP_RUNNING || step->fate.acting;
    pthread_mutex_unlock(&step->run->steps_lock);
    return called;
}

void cancel_step(struct step *step)
{
    atomic_store(&step->progress.cancelled, true);
    edges_cancel(step);
    home_cancel(step->run->home);
    if (may_be_called(step))
        interrupt_request(step);
}

static bool is_to_be_cancelled(const struct step *step, int group, const struct step *except)
{
    return step != except && (group < 0 || step->plan.group == group);
}

void cancel_group(struct run *run, int group, const struct step *except)
{
    /* All flags first: waking one step wakes its neighbours, which must already see why. */
    pthread_mutex_lock(&run->steps_lock);
    for (size_t i = 0; i < run->step_count; i++) {
        struct step *step = &run->steps[i];
        if (!is_to_be_cancelled(step, group, except))
            continue;
        if (except != NULL && step->fate.stopped_by == NULL && !atomic_load(&step->progress.cancelled) &&
            step->fate.phase != STEP_CLOSED)
            step->fate.stopped_by = strdup(except->plan.id);
        atomic_store(&step->progress.cancelled, true);
    }
    pthread_mutex_unlock(&run->steps_lock);
    for (size_t i = 0; i < run->step_count; i++)
        if (is_to_be_cancelled(&run->steps[i], group, except))
            cancel_step(&run->steps[i]);
}
