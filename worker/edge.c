/* A step's streams, wherever their other ends are; see run.h. */
#include <stdlib.h>
#include <string.h>

#include "core/arrow/share.h"
#include "core/base/json-access.h"
#include "core/base/one-of.h"
#include "worker/run.h"

/* Producing. */

int edges_set_schema(struct step *step, const struct ArrowSchema *schema,
                     struct osiris_error *error)
{
    for (size_t i = 0; i < step->output_count; i++) {
        struct step_edge *edge = &step->outputs[i];
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

    for (size_t i = 0; i < step->output_count; i++)
        count += step->outputs[i].open;
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
        batch->release(batch);
        return 0;
    }
    if (readers > 1) {
        shared = views = calloc(readers, sizeof *shared);
        if (shared == NULL)
            batch->release(batch);
        if (shared == NULL || arrow_share(batch, shared, readers) < 0)
            return osiris_error_set_errno(error, ENOMEM, "cannot share a batch");
    }
    for (size_t i = 0; i < step->output_count; i++) {
        struct step_edge *edge = &step->outputs[i];
        if (!edge->open)
            continue;
        struct ArrowArray *view = &views[given++];
        if (result < 0) {
            view->release(view);
            continue;
        }
        switch (put(edge, schema, view, bytes, error)) {
        case QUEUE_CLOSED:
            edge->open = false;
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
    for (size_t i = 0; i < step->input_count; i++)
        close_input(&step->inputs[i]);
    for (size_t i = 0; i < step->output_count; i++) {
        struct step_edge *edge = &step->outputs[i];
        if (edge->link_output != NULL && success)
            link_output_finish(edge->link_output);
        else if (edge->link_output != NULL)
            continue; /* the orchestrator hears of the failure and tells the reader's place */
        else if (success)
            queue_finish(edge->queue);
        else
            queue_cancel(edge->queue);
    }
}

void edges_cancel(struct step *step)
{
    for (size_t i = 0; i < step->input_count; i++)
        queue_cancel(step->inputs[i].queue);
    for (size_t i = 0; i < step->output_count; i++) {
        if (step->outputs[i].link_output != NULL)
            link_output_cancel(step->outputs[i].link_output);
        else
            queue_cancel(step->outputs[i].queue);
    }
}

static void renew(struct step *step)
{
    for (size_t i = 0; i < step->input_count; i++) {
        queue_renew(step->inputs[i].queue);
        if (step->inputs[i].link_input != NULL)
            link_input_open(step->inputs[i].link_input, 0);
    }
    for (size_t i = 0; i < step->output_count; i++) {
        step->outputs[i].open = true;
        if (step->outputs[i].queue != NULL)
            queue_renew(step->outputs[i].queue);
    }
}

void edges_renew_old(struct run *run)
{
    pthread_mutex_lock(&run->steps_lock);
    bool any = run->edges_are_old;
    run->edges_are_old = false;
    for (size_t i = 0; any && i < run->step_count; i++) {
        if (run->steps[i].edges_are_old)
            renew(&run->steps[i]);
        run->steps[i].edges_are_old = false;
    }
    pthread_mutex_unlock(&run->steps_lock);
}

/* Opening. */

static int refuse(struct osiris_error *error, const char *what, const char *name)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: the %s \"%s\" %s", what,
                            name, "is not the plan's");
}

static int open_input(struct step_edge *edge, json_object *inputs, struct osiris_error *error)
{
    json_object *given = json_member(inputs, edge->name);
    int64_t stream = json_member_integer(given, "stream", 0);

    if (json_member_integer(given, "edge", -1) != (int64_t)edge->number ||
        (edge->link_input != NULL) != (stream > 0))
        return refuse(error, "input", edge->name);
    if (edge->link_input != NULL)
        link_input_open(edge->link_input, stream);
    return 0;
}

static int open_output(struct step_edge *edge, json_object *outputs, struct osiris_error *error)
{
    if (edge->link_output == NULL)
        return 0;
    for (size_t i = 0; i < json_array_count(outputs); i++) {
        json_object *given = json_object_array_get_idx(outputs, i);
        int64_t stream = json_member_integer(given, "stream", 0);
        if (json_member_integer(given, "edge", -1) != (int64_t)edge->number || stream <= 0)
            continue;
        link_output_open(edge->link_output, stream, json_member(given, "compression"));
        return 0;
    }
    return refuse(error, "output to", edge->name);
}

int edges_open(struct step *step, json_object *params, struct osiris_error *error)
{
    for (size_t i = 0; i < step->output_count; i++)
        if (open_output(&step->outputs[i], json_member(params, "outputs"), error) < 0)
            return -1;
    for (size_t i = 0; i < step->input_count; i++)
        if (open_input(&step->inputs[i], json_member(params, "inputs"), error) < 0)
            return -1;
    return 0;
}

/* What comes from other places. */

static bool was_named(const struct run *run, int64_t stream)
{
    for (size_t i = 0; i < run->stream_count; i++)
        if (run->streams[i] == stream)
            return true;
    return false;
}

static int violation(struct osiris_error *error, const char *what)
{
    return osiris_error_set_violation(error, "%s", what);
}

static int claim_stream(struct run *run, json_object *described, struct osiris_error *error)
{
    int64_t stream = json_member_integer(described, "stream", 0);

    if (stream <= 0)
        return 0; /* from a step of the same worker; or edges_open refuses it */
    if (was_named(run, stream))
        return violation(error, "a stream has a number that was used before");
    if (run->stream_count == run->stream_capacity) {
        size_t capacity = run->stream_capacity == 0 ? 16 : 2 * run->stream_capacity;
        void *grown = reallocarray(run->streams, capacity, sizeof *run->streams);
        if (grown == NULL)
            return osiris_error_set_errno(error, ENOMEM, "cannot open a stream");
        run->streams = grown;
        run->stream_capacity = capacity;
    }
    run->streams[run->stream_count++] = stream;
    return 0;
}

int run_claim_streams(struct run *run, json_object *params, struct osiris_error *error)
{
    json_object *inputs = json_member(params, "inputs"), *outputs = json_member(params, "outputs");

    for (size_t i = 0; i < json_array_count(outputs); i++)
        if (claim_stream(run, json_object_array_get_idx(outputs, i), error) < 0)
            return -1;
    if (!json_object_is_type(inputs, json_type_object))
        return 0;
    json_object_object_foreach(inputs, name, input)
    {
        (void)name;
        if (claim_stream(run, input, error) < 0)
            return -1;
    }
    return 0;
}

static struct link_input *find_input(struct run *run, int64_t stream)
{
    for (size_t i = 0; run != NULL && stream > 0 && i < run->step_count; i++)
        for (size_t j = 0; j < run->steps[i].input_count; j++) {
            struct link_input *input = run->steps[i].inputs[j].link_input;
            if (input != NULL && link_input_stream(input) == stream)
                return input;
        }
    return NULL;
}

static struct link_output *find_output(struct run *run, int64_t stream)
{
    for (size_t i = 0; run != NULL && stream > 0 && i < run->step_count; i++)
        for (size_t j = 0; j < run->steps[i].output_count; j++) {
            struct link_output *output = run->steps[i].outputs[j].link_output;
            if (output != NULL && link_output_stream(output) == stream)
                return output;
        }
    return NULL;
}

static const char *const with_body[] = {"batch", "more", NULL};
static const char *const to_reader[] = {"schema", "batch", "more", "end", NULL};
static const char *const to_producer[] = {"credit", "close", NULL};

static int64_t stream_of(json_object *message)
{
    return json_member_integer(json_member(message, "data"), "stream", 0);
}

void *run_stream_room(struct run *run, json_object *message, size_t length,
                      struct osiris_error *error)
{
    struct link_input *input = find_input(run, stream_of(message));

    if (run == NULL || !is_one_of(json_member_string(message, "type", ""), with_body)) {
        violation(error, "a body comes where none may");
        return NULL;
    }
    if (!was_named(run, stream_of(message))) {
        violation(error, "a message is of a stream that there never was");
        return NULL;
    }
    if (input != NULL)
        return link_input_room(input, message, length, error);
    if (run->discarded == NULL)
        run->discarded = malloc(FRAME_MAXIMUM_BODY);
    if (run->discarded == NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot receive");
    return run->discarded;
}

void run_wake_reader(struct run *run)
{
    if (run != NULL && run->quiet_input != NULL)
        link_input_wake(run->quiet_input);
}

int run_take_stream_message(struct run *run, json_object *message, size_t body_length,
                            struct osiris_error *error)
{
    const char *type = json_member_string(message, "type", "");
    json_object *data = json_member(message, "data");

    if (!is_one_of(type, to_reader) && !is_one_of(type, to_producer))
        return 0;
    if (run != NULL && !was_named(run, stream_of(message)))
        return violation(error, "a message is of a stream that there never was");
    if (is_one_of(type, to_reader)) {
        struct link_input *input = find_input(run, stream_of(message));
        if (run != NULL && input != run->quiet_input) {
            run_wake_reader(run);
            run->quiet_input = input;
        }
        if (input != NULL && link_input_take(input, type, data, body_length, error) < 0)
            return -1;
        return 1;
    }
    struct link_output *output = find_output(run, stream_of(message));
    if (output != NULL && strcmp(type, "close") == 0)
        link_output_close(output);
    else if (output != NULL &&
             link_output_credit(output, json_member_integer(data, "bytes", 0), error) < 0)
        return -1;
    return 1;
}
