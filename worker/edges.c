/* A step's streams, wherever their other ends are; see edges.h. */
#include "worker/edges.h"

#include <stdlib.h>
#include <string.h>

#include "core/arrow/share.h"
#include "worker/run.h"

/* Producing. */

int edges_set_schema(struct step *step, const struct ArrowSchema *schema,
                     struct osiris_error *error)
{
    for (size_t i = 0; i < step->plan.output_count; i++) {
        struct step_edge *edge = &step->plan.outputs[i];
        if (edge->link_output != NULL) {
            if (link_output_set_schema(edge->link_output, schema, error) < 0)
                return -1;
        } else if (queue_set_schema(edge->queue, schema) < 0) {
            return osiris_error_set_errno(error, ENOMEM, "cannot pass the schema on");
        }
    }
    return 0;
}

size_t edges_open_readers(const struct step *step)
{
    size_t count = 0;

    for (size_t i = 0; i < step->plan.output_count; i++)
        count += step->own.open_outputs[i];
    return count;
}

static enum queue_result put(struct step_edge *edge, const struct ArrowSchema *schema,
                             struct ArrowArray *batch, uint64_t bytes, struct osiris_error *error)
{
    if (edge->link_output != NULL)
        return link_output_put(edge->link_output, schema, batch, error);
    return queue_put(edge->queue, batch, bytes, error);
}

/* Hands `batch` to every reader that still wants it: moved to one, views for several. */
int edges_hand_out(struct step *step, const struct ArrowSchema *schema, struct ArrowArray *batch,
                   uint64_t bytes, struct osiris_error *error)
{
    size_t readers = edges_open_readers(step), given = 0;
    struct ArrowArray *views = batch;
    _cleanup_free_ struct ArrowArray *shared = NULL;
    int result = 0;

    if (readers == 0) {
        calls_enter(step->plan.name, "release");
        batch->release(batch);
        calls_leave();
        return 0;
    }
    if (readers > 1) {
        shared = views = calloc(readers, sizeof *shared);
        if (shared == NULL)
            batch->release(batch);
        if (shared == NULL || arrow_share(batch, shared, readers) < 0)
            return osiris_error_set_errno(error, ENOMEM, "cannot share a batch");
    }
    for (size_t i = 0; i < step->plan.output_count; i++) {
        struct step_edge *edge = &step->plan.outputs[i];
        if (!step->own.open_outputs[i])
            continue;
        struct ArrowArray *view = &views[given++];
        if (result < 0) {
            view->release(view);
            continue;
        }
        switch (put(edge, schema, view, bytes, error)) {
        case QUEUE_CLOSED:
            step->own.open_outputs[i] = false;
            break;
        case QUEUE_CANCELLED:
            result = osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped");
            break;
        case QUEUE_ERROR:
            result = -1;
            break;
        default:
            break;
        }
    }
    return result;
}

/* Ending. */

static void close_input(struct step_edge *edge)
{
    queue_close(edge->queue);
    if (edge->link_input != NULL)
        link_input_close(edge->link_input);
}

void edges_end(struct step *step, bool success)
{
    /* Batches that were not read are released, which calls the drivers that made them. */
    calls_enter(step->plan.name, "release");
    for (size_t i = 0; i < step->plan.input_count; i++)
        close_input(&step->plan.inputs[i]);
    calls_leave();
    for (size_t i = 0; i < step->plan.output_count; i++) {
        struct step_edge *edge = &step->plan.outputs[i];
        if (edge->link_output != NULL && success)
            link_output_finish(edge->link_output);
        else if (edge->link_output != NULL)
            continue; /* the orchestrator is informed of the failure, and informs the reader's worker */
        else if (success)
            queue_finish(edge->queue);
        else
            queue_cancel(edge->queue);
    }
}

void edges_cancel(struct step *step)
{
    for (size_t i = 0; i < step->plan.input_count; i++)
        queue_cancel(step->plan.inputs[i].queue);
    for (size_t i = 0; i < step->plan.output_count; i++) {
        if (step->plan.outputs[i].link_output != NULL)
            link_output_cancel(step->plan.outputs[i].link_output);
        else
            queue_cancel(step->plan.outputs[i].queue);
    }
}

/* None of its neighbours runs either. Calls drivers, so the lock is not held: a release may hang, and so would every step. */
static void renew(struct step *step)
{
    for (size_t i = 0; i < step->plan.input_count; i++) {
        calls_enter(step->plan.inputs[i].maker, "release");
        queue_renew(step->plan.inputs[i].queue);
        calls_leave();
        if (step->plan.inputs[i].link_input != NULL)
            link_input_open(step->plan.inputs[i].link_input, 0, 0);
    }
    for (size_t i = 0; i < step->plan.output_count; i++) {
        step->own.open_outputs[i] = true;
        if (step->plan.outputs[i].queue != NULL)
            queue_renew(step->plan.outputs[i].queue);
    }
}

static bool take_old(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    bool old = step->fate.edges_are_old;
    step->fate.edges_are_old = false;
    pthread_mutex_unlock(&step->run->steps_lock);
    return old;
}

void edges_renew_old(struct run *run)
{
    pthread_mutex_lock(&run->steps_lock);
    bool any = run->edges_are_old;
    run->edges_are_old = false;
    pthread_mutex_unlock(&run->steps_lock);
    for (size_t i = 0; any && i < run->step_count; i++)
        if (take_old(&run->steps[i]))
            renew(&run->steps[i]);
}
