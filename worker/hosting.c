/* The part of the host that a driver holds; see hosting.h. */
#include "worker/hosting.h"

#include <stdio.h>

#include "worker/run.h"

/* The list of all hostings: they are never freed. Less than a kilobyte for each attempt. */
static struct hosting *_Atomic all;
static void on_misuse(struct host_values *values, const char *function, const char *what)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct step *step = hosting_enter((struct hosting *)values);

    if (step == NULL)
        return;
    host_values_blame(&error, function, what, "driver", step->plan.driver->name);
    reports_add_error(step, &error);
    hosting_leave(step);
}

struct hosting *hosting_new(struct step *step)
{
    struct hosting *hosting = calloc(1, sizeof *hosting);

    host_values_init(&hosting->values);
    hosting->values.misused = on_misuse;
    hosting->step = step;
    hosting->driver = step->plan.driver->name;
    pthread_mutex_init(&hosting->lock, NULL);
    pthread_cond_init(&hosting->left, NULL);
    hosting->next = atomic_exchange(&all, hosting);
    return hosting;
}

struct step *hosting_enter(struct hosting *hosting)
{
    pthread_mutex_lock(&hosting->lock);
    struct step *step = hosting->step;
    bool first = step == NULL && !hosting->reported;
    hosting->callers += step != NULL;
    hosting->reported = hosting->reported || first;
    pthread_mutex_unlock(&hosting->lock);
    /* Not sent to the orchestrator: it no longer belongs to a step. */
    if (first)
        fprintf(stderr, "osiris-worker: a thread of the driver \"%s\" called its host after the step was closed; the call is "
                "ignored\n", hosting->driver);
    return step;
}

void hosting_leave(struct step *step)
{
    struct hosting *hosting = step->request.hosting;

    pthread_mutex_lock(&hosting->lock);
    if (--hosting->callers == 0)
        pthread_cond_broadcast(&hosting->left);
    pthread_mutex_unlock(&hosting->lock);
}

struct step *hosting_enter_call(const struct osiris_host *host, const char *function, const void *given, const char *what)
{
    struct hosting *hosting = (struct hosting *)host_values_of(host, function);

    if (hosting == NULL || !host_values_has(&hosting->values, given, function, what))
        return NULL;
    return hosting_enter(hosting);
}

void hosting_end(struct hosting *hosting)
{
    pthread_mutex_lock(&hosting->lock);
    hosting->step = NULL;
    while (hosting->callers > 0)
        pthread_cond_wait(&hosting->left, &hosting->lock);
    pthread_mutex_unlock(&hosting->lock);
}
