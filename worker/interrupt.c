/* Interrupting a driver; see interrupt.h. */
#include "worker/interrupt.h"

#include "worker/run.h"

void interrupt_allow(struct step *step)
{
    pthread_mutex_lock(&step->opening.lock);
    step->opening.driver_open = true;
    pthread_mutex_unlock(&step->opening.lock);
}

bool interrupt_forbid(struct step *step)
{
    pthread_mutex_lock(&step->opening.lock);
    bool open = step->opening.driver_open;
    step->opening.driver_open = false;
    pthread_mutex_unlock(&step->opening.lock);
    return open;
}

void interrupt_call(struct step *step)
{
    pthread_mutex_lock(&step->opening.lock);
    if (step->opening.driver_open && step->plan.driver->interrupt != NULL)
        step->plan.driver->interrupt(step->own.state);
    pthread_mutex_unlock(&step->opening.lock);
}
