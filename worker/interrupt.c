/* Interrupting a driver; see interrupt.h. */
#include "worker/interrupt.h"

#include <stdio.h>
#include <string.h>

#include "worker/lifecycle.h"
#include "worker/run.h"

void interrupt_allow(struct step *step)
{
    pthread_mutex_lock(&step->opening.lock);
    step->opening.driver_open = true;
    pthread_mutex_unlock(&step->opening.lock);
}

bool interrupt_forbid(struct step *step)
{
    struct step_opening *opening = &step->opening;

    pthread_mutex_lock(&opening->lock);
    bool open = opening->driver_open;
    opening->driver_open = opening->again = false;
    while (opening->calling)
        pthread_cond_wait(&opening->returned, &opening->lock);
    pthread_mutex_unlock(&opening->lock);
    return open;
}

/* The driver has ended the thread. The step may be freed as soon as the lock is released. */
static void end_call(void *context)
{
    struct step_opening *opening = context;

    signs_leave(&opening->signs);
    host_values_serve(NULL);
    pthread_mutex_lock(&opening->lock);
    opening->calling = false;
    pthread_cond_broadcast(&opening->returned);
    pthread_mutex_unlock(&opening->lock);
}

/* True: it was requested once more meanwhile. False: the call is over, as with end_call. */
static bool begin_again(struct step_opening *opening)
{
    pthread_mutex_lock(&opening->lock);
    bool again = opening->again;
    opening->again = false;
    opening->calling = again;
    if (!again) {
        host_values_serve(NULL);
        pthread_cond_broadcast(&opening->returned);
    }
    pthread_mutex_unlock(&opening->lock);
    return again;
}

static void *interrupt_thread(void *context)
{
    struct step *step = context;
    struct step_opening *opening = &step->opening;

    lifecycle_name_thread(step->plan.id, step->plan.component);
    host_values_serve(&step->request.hosting->values);
    pthread_cleanup_push(end_call, opening);
    do {
        signs_enter(&opening->signs, "interrupt");
        step->plan.driver->interrupt(step->own.state);
        signs_leave(&opening->signs);
    } while (begin_again(opening));
    pthread_cleanup_pop(0);
    return NULL;
}

/* Without a thread the driver is not interrupted. Its time to stop is limited in any case. */
static bool start_thread(struct step *step)
{
    pthread_attr_t detached;
    pthread_t thread;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int reason = pthread_create(&thread, &detached, interrupt_thread, step);
    pthread_attr_destroy(&detached);
    if (reason != 0)
        fprintf(stderr, "osiris-worker: step \"%s\" cannot be interrupted: %s\n", step->plan.id, strerror(reason));
    return reason == 0;
}

void interrupt_request(struct step *step)
{
    struct step_opening *opening = &step->opening;

    if (step->plan.driver->interrupt == NULL)
        return;
    pthread_mutex_lock(&opening->lock);
    if (opening->driver_open && opening->calling)
        opening->again = true;
    else if (opening->driver_open)
        opening->calling = start_thread(step);
    pthread_mutex_unlock(&opening->lock);
}
