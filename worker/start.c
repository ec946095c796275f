/* Starting and ending a step's thread; see start.h. */
#include "worker/start.h"

#include <stdio.h>
#include <string.h>

#include "worker/attempt.h"
#include "worker/edges.h"
#include "worker/host.h"
#include "worker/inquire.h"
#include "worker/lifecycle.h"
#include "worker/calls.h"
#include "worker/run.h"
#include "worker/stream-messages.h"

#define JOIN_S 2 /* for threads to end after their last attempt */

/* The thread. */

static enum step_call wait_for_call(struct step *step)
{
    while (sem_wait(&step->request.called) < 0)
        continue; /* a signal's handler has run */
    return step->request.call;
}

static void *step_thread(void *argument)
{
    struct step *step = argument;

    while (wait_for_call(step) == CALL_RUN)
        attempt_run(step);
    decide_note_thread_left(step);
    return NULL;
}

/* From the main thread. */

static void call_thread(struct step *step, enum step_call call)
{
    if (call == CALL_RUN) {
        pthread_mutex_lock(&step->run->steps_lock);
        step->fate.phase = STEP_RUNNING;
        step->fate.busy = true;
        step->run->busy_threads++;
        pthread_mutex_unlock(&step->run->steps_lock);
    }
    step->request.call = call;
    (void)sem_post(&step->request.called);
}

static bool has_ended(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    bool ended = step->fate.thread_ended;
    pthread_mutex_unlock(&step->run->steps_lock);
    return ended;
}

/* Once the thread has left our code, only its driver can keep it: destructors of thread-local data. */
static void join(struct step *step, const struct timespec *deadline)
{
    decide_wait_for_thread(step);
    if (pthread_timedjoin_np(step->main.thread, NULL, deadline) != 0) {
        fprintf(stderr, "osiris-worker: step \"%s\": the driver \"%s\" keeps its thread from ending; it is left behind\n",
                step->plan.id, step->plan.driver->name);
        (void)pthread_detach(step->main.thread);
    }
    step->main.has_thread = false;
}

/* Made once: creating a thread costs more than everything else in starting a step. */
static int make_thread(struct step *step, struct osiris_error *error)
{
    if (step->main.has_thread && has_ended(step)) {
        struct timespec deadline = start_join_deadline();
        join(step, &deadline);
    }
    if (!step->main.has_thread)
        step->fate.thread_ended = step->fate.thread_left = false;
    int reason = step->main.has_thread ? 0 : pthread_create(&step->main.thread, NULL, step_thread, step);
    step->main.has_thread = reason == 0;
    if (reason == 0)
        return 0;
    pthread_mutex_lock(&step->run->steps_lock);
    step->fate.phase = STEP_CLOSED;
    pthread_mutex_unlock(&step->run->steps_lock);
    return osiris_error_set_errno(error, reason, "cannot start the step's thread");
}

struct timespec start_join_deadline(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += JOIN_S;
    return deadline;
}

void step_end_thread(struct step *step, const struct timespec *deadline)
{
    if (!step->main.has_thread)
        return;
    call_thread(step, CALL_END);
    join(step, deadline);
}

/* Nothing of the last attempt may remain. While other steps run, it is unknown whose a process is, so all are left. */
static void end_processes(struct run *run)
{
    bool alone = true;

    pthread_mutex_lock(&run->steps_lock);
    for (size_t i = 0; i < run->step_count; i++)
        alone = alone && (run->steps[i].fate.phase == STEP_IDLE || run->steps[i].fate.phase == STEP_CLOSED);
    pthread_mutex_unlock(&run->steps_lock);
    if (!alone)
        return;
    calls_enter(NULL, "ending the processes that drivers have left");
    lifecycle_end_children();
    calls_leave();
}

int step_start(struct step *step, const struct execute_request *request, const char *request_id,
               struct osiris_error *error)
{
    const char *verb = request->verb;

    pthread_mutex_lock(&step->run->steps_lock);
    enum step_phase phase = step->fate.phase;
    bool decided = step->fate.committed || step->fate.decision != NULL, stopping = step->run->stopping;
    pthread_mutex_unlock(&step->run->steps_lock);
    if (stopping)
        return osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "execute_step: the worker is stopping");
    if ((phase != STEP_IDLE && phase != STEP_CLOSED) || decided)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "execute_step: the step \"%s\" was requested before", step->plan.id);
    if (phase == STEP_CLOSED) {
        step_renew(step);
        end_processes(step->run);
    }
    if (strcmp(verb, "run") != 0 && !inquire_is_verb(verb))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: unknown verb \"%s\"", verb);
    /* Includes those of its neighbours, before the first of them starts. */
    edges_renew_old(step->run);
    if (streams_open(step, request, error) < 0)
        return -1;
    step->request.verb = strdup(verb);
    step->request.id = strdup(request_id);
    step->request.hosting = hosting_new(step);
    step->request.hosting->values.config = json_object_get(request->config);
    step->request.hosting->values.connection = json_object_get(step->plan.connection);
    host_init(step);
    folders_renew(step);
    if (make_thread(step, error) < 0)
        return -1;
    call_thread(step, CALL_RUN);
    return 0;
}
