/* Commit and abort requests; see decide.h. */
#include "worker/decide.h"

#include <string.h>
#include <time.h>

#include "core/base/json-build.h"
#include "worker/answer.h"
#include "worker/cancel.h"
#include "worker/run.h"

static void free_decision(struct decision *decision)
{
    free(decision->request_id);
    free(decision->steps);
    json_object_put(decision->published);
    free(decision->kept_message);
    osiris_error_clear(&decision->error);
    free(decision);
}

/* Step threads read it after the request is freed, so it keeps the steps, not their ids. */
static struct decision *new_decision(struct run *run, const char *request_id,
                                        const struct steps_request *request, enum decision_stage stage)
{
    struct decision *decision = calloc(1, sizeof *decision);

    decision->stage = stage;
    decision->request_id = strdup(request_id);
    decision->step_count = request->count;
    decision->steps = calloc(decision->step_count + 1, sizeof *decision->steps);
    decision->published = stage == DECIDE_ABORT ? NULL : json_object_new_array();
    if (decision->steps == NULL) {
        free_decision(decision);
        return NULL;
    }
    for (size_t i = 0; i < decision->step_count; i++)
        decision->steps[i] = run_find_step(run, request->ids[i]);
    return decision;
}

static void assign_step_locked(struct step *step, struct decision *decision)
{
    step->fate.stage = decision->stage;
    step->fate.decision = decision;
    step->fate.acting = true;
    decision->waiting++;
    pthread_cond_signal(&step->fate.decided);
}

/* A step that belongs to a decision is left to it. */
static void stop_step_locked(struct step *step)
{
    if (step->fate.decision != NULL || (step->fate.phase != STEP_RUNNING && step->fate.phase != STEP_DECIDABLE))
        return;
    step->fate.stage = DECIDE_ABORT;
    pthread_cond_signal(&step->fate.decided);
}

/* Its steps are free for the next one, if there is still to be one. */
static void release_locked(struct run *run, const struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        struct step *step = decision->steps[i];
        if (step == NULL || step->fate.decision != decision)
            continue;
        step->fate.decision = NULL;
        if (run->stopping)
            stop_step_locked(step);
    }
}

/* All of the steps are closed and may be requested again. */
static void reset_locked(struct run *run, const struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        struct step *step = decision->steps[i];
        if (step == NULL || step->fate.committed)
            continue;
        step->fate.edges_are_old = run->edges_are_old = true;
        step->fate.prepared = false;
        /* Not only when it is requested again: a neighbour that is requested first may have failed by then. */
        atomic_store(&step->progress.cancelled, false);
        free(step->fate.stopped_by);
        step->fate.stopped_by = NULL;
    }
}

/* The last of its steps has acted. */
static void settle_locked(struct run *run, const struct decision *decision)
{
    release_locked(run, decision);
    if (decision->error.category != 0)
        return;
    if (decision->stage == DECIDE_ABORT)
        reset_locked(run, decision);
    for (size_t i = 0; decision->commit_only && i < decision->step_count; i++)
        decision->steps[i]->fate.prepared = true;
}

/* The decision is done: answers and frees it. */
static void answer(struct run *run, struct decision *decision)
{
    if (decision->error.category != 0) {
        if (decision->kept > 0)
            osiris_error_hint(&decision->error, "%zu file%s of the group stay%s published; %s", decision->kept,
                              decision->kept == 1 ? "" : "s", decision->kept == 1 ? "s" : "", decision->kept_message);
        answer_error(run->channel, decision->request_id, &decision->error);
    } else {
        json_object *result = json_object_new_object();
        if (!decision->commit_only && decision->stage != DECIDE_ABORT)
            json_add(result, "published", json_object_get(decision->published));
        answer_result(run->channel, decision->request_id, result);
    }
    free_decision(decision);
}

/* Assigns the next stage to every step of the decision that still has a driver. True if there is no step to wait for. */
static bool assign_locked(struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        struct step *step = decision->steps[i];
        if (step == NULL || step->fate.phase == STEP_CLOSED)
            continue;
        if (step->fate.phase == STEP_IDLE)
            step->fate.phase = STEP_CLOSED;
        else
            assign_step_locked(step, decision);
    }
    return decision->waiting == 0;
}

static const char stopping[] = "commit: the worker is stopping";

/* All steps have completed the stage. True if it was the last one. */
static bool advance_locked(struct run *run, struct decision *decision)
{
    switch (decision->stage) {
    case DECIDE_COMMIT:
        if (decision->commit_only || decision->error.category != 0)
            return true;
        if (run->stopping) {
            osiris_error_set(&decision->error, OSIRIS_ERROR_CANCELLED, "%s", stopping);
            return true;
        }
        decision->stage = DECIDE_PUBLISH;
        break;
    case DECIDE_PUBLISH:
        decision->stage = decision->error.category == 0 ? DECIDE_CLOSE : DECIDE_RETRACT;
        if (decision->stage == DECIDE_CLOSE)
            answer_published(run->channel, decision->request_id, json_object_get(decision->published));
        break;
    case DECIDE_RETRACT:
        decision->stage = DECIDE_CLOSE;
        break;
    default:
        return true;
    }
    return assign_locked(decision);
}

enum decision_stage decide_wait(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    while (step->fate.stage == DECIDE_NOTHING)
        pthread_cond_wait(&step->fate.decided, &step->run->steps_lock);
    enum decision_stage decision = step->fate.stage;
    step->fate.stage = DECIDE_NOTHING;
    pthread_mutex_unlock(&step->run->steps_lock);
    return decision;
}

void decide_note_publishing(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    step->fate.committed = true;
    pthread_mutex_unlock(&step->run->steps_lock);
}

void decide_note_kept(struct step *step, const char *message)
{
    struct decision *decision;

    pthread_mutex_lock(&step->run->steps_lock);
    decision = step->fate.decision;
    if (decision != NULL && decision->kept++ == 0)
        decision->kept_message = strdup(message);
    pthread_mutex_unlock(&step->run->steps_lock);
}

void decide_note_published(struct step *step, json_object *entry)
{
    pthread_mutex_lock(&step->run->steps_lock);
    if (step->fate.decision != NULL)
        json_append(step->fate.decision->published, entry);
    else
        json_object_put(entry);
    pthread_mutex_unlock(&step->run->steps_lock);
}

/* True: the decision that the step was part of is done. */
static bool note_done_locked(struct run *run, struct step *step, struct decision *decision, struct osiris_error *error)
{
    bool acted = step->fate.acting;

    step->fate.acting = false;
    if (!acted)
        return false;
    if (error->category != 0 && decision->error.category == 0)
        osiris_error_move(&decision->error, error);
    if (--decision->waiting > 0 || !advance_locked(run, decision))
        return false;
    settle_locked(run, decision);
    return true;
}

void decide_done(struct step *step, struct osiris_error *error)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    struct decision *decision = step->fate.decision;
    bool done = note_done_locked(run, step, decision, error);
    pthread_mutex_unlock(&run->steps_lock);
    osiris_error_clear(error);
    if (done)
        answer(run, decision);
}

void decide_closed(struct step *step, struct osiris_error *error)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    struct decision *decision = step->fate.decision;
    step->fate.phase = STEP_CLOSED;
    step->fate.busy = false;
    run->busy_threads--;
    bool done = note_done_locked(run, step, decision, error);
    pthread_cond_broadcast(&run->work_ended);
    pthread_mutex_unlock(&run->steps_lock);
    osiris_error_clear(error);
    if (done)
        answer(run, decision);
}

void decide_note_thread_end(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    step->fate.thread_ended = true;
    pthread_mutex_unlock(&step->run->steps_lock);
}

void decide_note_thread_left(struct step *step)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    step->fate.thread_left = true;
    pthread_cond_broadcast(&run->work_ended);
    pthread_mutex_unlock(&run->steps_lock);
}

void decide_wait_for_thread(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    while (!step->fate.thread_left)
        pthread_cond_wait(&step->run->work_ended, &step->run->steps_lock);
    pthread_mutex_unlock(&step->run->steps_lock);
}

static bool all_have_run_locked(const struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        const struct step *step = decision->steps[i];
        if (step == NULL || step->fate.phase != STEP_DECIDABLE || !step->fate.succeeded || step->fate.decision != NULL)
            return false;
    }
    return true;
}

/* Whether this request of a two-phase commit may come now. */
static bool phase_is_next_locked(const struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++)
        if (decision->steps[i]->fate.prepared != (decision->stage == DECIDE_PUBLISH))
            return false;
    return true;
}

static void refuse(struct run *run, const char *request_id, const char *why)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "%s", why);
    answer_error(run->channel, request_id, &error);
}

void decide_commit(struct run *run, const char *request_id, const struct steps_request *request)
{
    struct decision *decision = new_decision(run, request_id, request,
                                             request->phase == COMMIT_PUBLISH ? DECIDE_PUBLISH : DECIDE_COMMIT);
    bool stops = false, ready = false, is_next = false, done = false;

    if (decision == NULL) {
        refuse(run, request_id, "commit: out of memory");
        return;
    }
    decision->commit_only = request->phase == COMMIT_ONLY;
    pthread_mutex_lock(&run->steps_lock);
    stops = run->stopping;
    ready = all_have_run_locked(decision);
    is_next = !stops && ready && phase_is_next_locked(decision);
    if (is_next)
        done = assign_locked(decision);
    if (done)
        settle_locked(run, decision);
    pthread_mutex_unlock(&run->steps_lock);
    if (!is_next) {
        refuse(run, request_id, stops   ? stopping
                                : ready ? "commit: each phase must be requested once, and in order"
                                        : "commit: not all of the steps have run");
        free_decision(decision);
    } else if (done) {
        answer(run, decision);
    }
}

static void stop_steps(struct run *run)
{
    pthread_mutex_lock(&run->steps_lock);
    run->stopping = true;
    for (size_t i = 0; i < run->step_count; i++)
        stop_step_locked(&run->steps[i]);
    pthread_mutex_unlock(&run->steps_lock);
}

bool decide_stop_all(struct run *run, int timeout_ms)
{
    struct timespec deadline;

    /* First: a commit that is interrupted may succeed. */
    stop_steps(run);
    cancel_group(run, -1, NULL);
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    pthread_mutex_lock(&run->steps_lock);
    int waited = 0;
    while (run->busy_threads > 0 && waited == 0)
        waited = pthread_cond_timedwait(&run->work_ended, &run->steps_lock, &deadline);
    bool ended = run->busy_threads == 0;
    pthread_mutex_unlock(&run->steps_lock);
    return ended;
}

static bool any_is_busy_locked(const struct decision *decision)
{
    for (size_t i = 0; i < decision->step_count; i++) {
        const struct step *step = decision->steps[i];
        if (step != NULL && step->fate.decision != NULL)
            return true;
    }
    return false;
}

void decide_abort(struct run *run, const char *request_id, const struct steps_request *request)
{
    struct decision *decision = new_decision(run, request_id, request, DECIDE_ABORT);
    const char *because = request->because;

    if (decision == NULL) {
        refuse(run, request_id, "abort: out of memory");
        return;
    }
    /* As in cancel_group: all flags before anyone wakes. */
    for (size_t i = 0; i < decision->step_count; i++) {
        struct step *step = decision->steps[i];
        if (step == NULL)
            continue;
        pthread_mutex_lock(&run->steps_lock);
        if (because != NULL && step->fate.stopped_by == NULL && !atomic_load(&step->progress.cancelled))
            step->fate.stopped_by = strdup(because);
        atomic_store(&step->progress.cancelled, true);
        pthread_mutex_unlock(&run->steps_lock);
    }
    for (size_t i = 0; i < decision->step_count; i++) {
        struct step *step = decision->steps[i];
        if (step != NULL)
            cancel_step(step);
    }
    pthread_mutex_lock(&run->steps_lock);
    bool busy = any_is_busy_locked(decision);
    bool done = !busy && assign_locked(decision);
    if (done)
        settle_locked(run, decision);
    pthread_mutex_unlock(&run->steps_lock);
    if (busy) {
        refuse(run, request_id, "abort: a step is being committed or aborted already");
        free_decision(decision);
    } else if (done) {
        answer(run, decision);
    }
}
