/* Commit and abort requests; see decide.h. */
#include "worker/decide.h"

#include <string.h>

#include "core/base/json-build.h"
#include "worker/answer.h"
#include "worker/cancel.h"
#include "worker/run.h"

static void free_batch(struct decision_batch *batch)
{
    free(batch->request_id);
    free(batch->steps);
    json_object_put(batch->published);
    free(batch->kept_message);
    osiris_error_clear(&batch->error);
    free(batch);
}

/* Step threads read it when the request is gone: it keeps the steps, not their ids. */
static struct decision_batch *new_batch(struct run *run, const char *request_id,
                                        const struct steps_request *request, enum step_decision stage)
{
    struct decision_batch *batch = calloc(1, sizeof *batch);

    batch->stage = stage;
    batch->request_id = strdup(request_id);
    batch->step_count = request->count;
    batch->steps = calloc(batch->step_count + 1, sizeof *batch->steps);
    batch->published = json_object_new_array();
    if (batch->steps == NULL) {
        free_batch(batch);
        return NULL;
    }
    for (size_t i = 0; i < batch->step_count; i++)
        batch->steps[i] = run_find_step(run, request->ids[i]);
    return batch;
}

static void decide_locked(struct step *step, struct decision_batch *batch)
{
    step->fate.decision = batch->stage;
    step->fate.batch = batch;
    batch->waiting++;
    pthread_cond_signal(&step->fate.decided);
}

/* All of the steps are closed, and may be asked for again. */
static void reset_locked(struct run *run, const struct decision_batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++) {
        struct step *step = batch->steps[i];
        if (step == NULL || step->fate.committed)
            continue;
        step->fate.edges_are_old = run->edges_are_old = true;
        step->fate.prepared = false;
        /* Not when it is requested again: a neighbour that was requested before may have failed by then. */
        atomic_store(&step->progress.cancelled, false);
        free(step->fate.stopped_by);
        step->fate.stopped_by = NULL;
    }
}

/* The last of its steps has acted. */
static void settle_locked(struct run *run, const struct decision_batch *batch)
{
    if (batch->error.category != 0)
        return;
    if (batch->stage == DECIDE_ABORT)
        reset_locked(run, batch);
    for (size_t i = 0; batch->commit_only && i < batch->step_count; i++)
        batch->steps[i]->fate.prepared = true;
}

/* The batch is done: answers and frees it. */
static void answer(struct run *run, struct decision_batch *batch)
{
    if (batch->error.category != 0) {
        if (batch->kept > 0)
            osiris_error_hint(&batch->error, "%zu file%s of the group stay%s published; %s", batch->kept,
                              batch->kept == 1 ? "" : "s", batch->kept == 1 ? "s" : "", batch->kept_message);
        answer_error(run->channel, batch->request_id, &batch->error);
    } else {
        json_object *result = json_object_new_object();
        if (!batch->commit_only && batch->stage != DECIDE_ABORT)
            json_add(result, "published", json_object_get(batch->published));
        answer_result(run->channel, batch->request_id, result);
    }
    free_batch(batch);
}

/* Tells every step of the batch that still has a driver what to do. True if there is nobody to wait for. */
static bool tell_steps_locked(struct decision_batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++) {
        struct step *step = batch->steps[i];
        if (step == NULL || step->fate.phase == STEP_CLOSED)
            continue;
        if (step->fate.phase == STEP_IDLE)
            step->fate.phase = STEP_CLOSED;
        else
            decide_locked(step, batch);
    }
    return batch->waiting == 0;
}

/* All steps have acted on the last stage. True if there is none left. */
static bool advance_locked(struct run *run, struct decision_batch *batch)
{
    switch (batch->stage) {
    case DECIDE_COMMIT:
        if (batch->commit_only || batch->error.category != 0)
            return true;
        batch->stage = DECIDE_PUBLISH;
        break;
    case DECIDE_PUBLISH:
        batch->stage = batch->error.category == 0 ? DECIDE_CLOSE : DECIDE_RETRACT;
        if (batch->stage == DECIDE_CLOSE)
            answer_published(run->channel, batch->request_id, json_object_get(batch->published));
        break;
    case DECIDE_RETRACT:
        batch->stage = DECIDE_CLOSE;
        break;
    default:
        return true;
    }
    return tell_steps_locked(batch);
}

enum step_decision decide_wait(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    while (step->fate.decision == DECIDE_NOTHING)
        pthread_cond_wait(&step->fate.decided, &step->run->steps_lock);
    enum step_decision decision = step->fate.decision;
    step->fate.decision = DECIDE_NOTHING;
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
    struct decision_batch *batch;

    pthread_mutex_lock(&step->run->steps_lock);
    batch = step->fate.batch;
    if (batch != NULL && batch->kept++ == 0)
        batch->kept_message = strdup(message);
    pthread_mutex_unlock(&step->run->steps_lock);
}

void decide_note_published(struct step *step, json_object *entry)
{
    pthread_mutex_lock(&step->run->steps_lock);
    if (step->fate.batch != NULL)
        json_append(step->fate.batch->published, entry);
    else
        json_object_put(entry);
    pthread_mutex_unlock(&step->run->steps_lock);
}

/* True: the batch, which the step was part of, is done. */
static bool note_done_locked(struct run *run, struct step *step, struct decision_batch *batch, struct osiris_error *error)
{
    step->fate.batch = NULL;
    if (batch == NULL)
        return false;
    if (error->category != 0 && batch->error.category == 0)
        osiris_error_move(&batch->error, error);
    if (--batch->waiting > 0 || !advance_locked(run, batch))
        return false;
    settle_locked(run, batch);
    return true;
}

void decide_done(struct step *step, struct osiris_error *error)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    struct decision_batch *batch = step->fate.batch;
    bool done = note_done_locked(run, step, batch, error);
    pthread_mutex_unlock(&run->steps_lock);
    osiris_error_clear(error);
    if (done)
        answer(run, batch);
}

void decide_closed(struct step *step, struct osiris_error *error)
{
    struct run *run = step->run;

    pthread_mutex_lock(&run->steps_lock);
    struct decision_batch *batch = step->fate.batch;
    step->fate.phase = STEP_CLOSED;
    step->fate.busy = false;
    run->busy_threads--;
    bool done = note_done_locked(run, step, batch, error);
    pthread_cond_broadcast(&run->work_ended);
    pthread_mutex_unlock(&run->steps_lock);
    osiris_error_clear(error);
    if (done)
        answer(run, batch);
}

void decide_note_thread_end(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    step->fate.thread_ended = true;
    pthread_mutex_unlock(&step->run->steps_lock);
}

static bool all_have_run_locked(const struct decision_batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++) {
        const struct step *step = batch->steps[i];
        if (step == NULL || step->fate.phase != STEP_DECIDABLE || !step->fate.succeeded || step->fate.batch != NULL)
            return false;
    }
    return true;
}

/* Of a commit in two requests, this one is next. */
static bool phase_is_next_locked(const struct decision_batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++)
        if (batch->steps[i]->fate.prepared != (batch->stage == DECIDE_PUBLISH))
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
    struct decision_batch *batch = new_batch(run, request_id, request,
                                             request->phase == COMMIT_PUBLISH ? DECIDE_PUBLISH : DECIDE_COMMIT);
    bool ready = false, is_next = false, done = false;

    if (batch == NULL) {
        refuse(run, request_id, "commit: out of memory");
        return;
    }
    batch->commit_only = request->phase == COMMIT_ONLY;
    pthread_mutex_lock(&run->steps_lock);
    ready = all_have_run_locked(batch);
    is_next = ready && phase_is_next_locked(batch);
    if (is_next)
        done = tell_steps_locked(batch);
    if (done)
        settle_locked(run, batch);
    pthread_mutex_unlock(&run->steps_lock);
    if (!is_next) {
        refuse(run, request_id, ready ? "commit: its phases come one after the other, and once"
                                      : "commit: not all of the steps have run");
        free_batch(batch);
    } else if (done) {
        answer(run, batch);
    }
}

static bool any_is_busy_locked(const struct decision_batch *batch)
{
    for (size_t i = 0; i < batch->step_count; i++) {
        const struct step *step = batch->steps[i];
        if (step != NULL && step->fate.batch != NULL)
            return true;
    }
    return false;
}

void decide_abort(struct run *run, const char *request_id, const struct steps_request *request)
{
    struct decision_batch *batch = new_batch(run, request_id, request, DECIDE_ABORT);
    const char *because = request->because;

    if (batch == NULL) {
        refuse(run, request_id, "abort: out of memory");
        return;
    }
    /* As in cancel_group: all flags before anyone wakes. */
    for (size_t i = 0; i < batch->step_count; i++) {
        struct step *step = batch->steps[i];
        if (step == NULL)
            continue;
        pthread_mutex_lock(&run->steps_lock);
        if (because != NULL && step->fate.stopped_by == NULL && !atomic_load(&step->progress.cancelled))
            step->fate.stopped_by = strdup(because);
        atomic_store(&step->progress.cancelled, true);
        pthread_mutex_unlock(&run->steps_lock);
    }
    for (size_t i = 0; i < batch->step_count; i++) {
        struct step *step = batch->steps[i];
        if (step != NULL)
            cancel_step(step);
    }
    pthread_mutex_lock(&run->steps_lock);
    bool busy = any_is_busy_locked(batch);
    bool done = !busy && tell_steps_locked(batch);
    if (done)
        settle_locked(run, batch);
    pthread_mutex_unlock(&run->steps_lock);
    if (busy) {
        refuse(run, request_id, "abort: a step is being committed or aborted already");
        free_batch(batch);
    } else if (done) {
        answer(run, batch);
    }
}
