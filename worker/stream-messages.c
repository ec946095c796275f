/* Messages of streams from other places; see stream-messages.h. */
#include "worker/stream-messages.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire/frame.h"
#include "worker/run.h"

/* Opening. */

/* The entry of the request for the edge, or NULL. */
static const struct requested_stream *find_requested(const struct execute_request *request, const struct step_edge *edge, bool input)
{
    for (size_t i = 0; i < request->stream_count; i++) {
        const struct requested_stream *stream = &request->streams[i];
        if (stream->edge == edge->number && (stream->input != NULL) == input &&
            (!input || strcmp(stream->input, edge->name) == 0))
            return stream;
    }
    return NULL;
}

static int refuse(struct osiris_error *error, const char *what, const char *name)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: the %s \"%s\" differs from the plan's", what, name);
}

static int open_input(struct step_edge *edge, const struct execute_request *request, struct osiris_error *error)
{
    const struct requested_stream *requested = find_requested(request, edge, true);

    if (requested == NULL || (edge->link_input != NULL) != (requested->stream > 0))
        return refuse(error, "input", edge->name);
    if (edge->link_input != NULL)
        link_input_open(edge->link_input, requested->stream, requested->queue_bytes);
    return 0;
}

static int open_output(struct step_edge *edge, const struct execute_request *request, struct osiris_error *error)
{
    if (edge->link_output == NULL)
        return 0;
    const struct requested_stream *requested = find_requested(request, edge, false);
    if (requested == NULL)
        return refuse(error, "output to", edge->other_id);
    link_output_open(edge->link_output, requested->stream, requested->queue_bytes, requested->codecs);
    return 0;
}

int streams_open(struct step *step, const struct execute_request *request, struct osiris_error *error)
{
    for (size_t i = 0; i < step->plan.output_count; i++)
        if (open_output(&step->plan.outputs[i], request, error) < 0)
            return -1;
    for (size_t i = 0; i < step->plan.input_count; i++)
        if (open_input(&step->plan.inputs[i], request, error) < 0)
            return -1;
    return 0;
}

/* Messages from other places. */

static bool was_named(const struct run *run, int64_t stream)
{
    for (size_t i = 0; i < run->streams.count; i++)
        if (run->streams.numbers[i] == stream)
            return true;
    return false;
}

static int claim_stream(struct run_streams *streams, int64_t stream, struct osiris_error *error)
{
    if (streams->count == streams->capacity) {
        size_t capacity = streams->capacity == 0 ? 16 : 2 * streams->capacity;
        void *grown = reallocarray(streams->numbers, capacity, sizeof *streams->numbers);
        if (grown == NULL)
            return osiris_error_set_errno(error, ENOMEM, "cannot open a stream");
        streams->numbers = grown;
        streams->capacity = capacity;
    }
    streams->numbers[streams->count++] = stream;
    return 0;
}

int streams_claim(struct run *run, const struct execute_request *request, struct osiris_error *error)
{
    for (size_t i = 0; i < request->stream_count; i++) {
        int64_t stream = request->streams[i].stream;
        if (stream == 0)
            continue; /* from a step of this worker; otherwise streams_open refuses it */
        if (was_named(run, stream))
            return osiris_error_set_violation(error, "a stream has a number that was used before");
        if (claim_stream(&run->streams, stream, error) < 0)
            return -1;
    }
    return 0;
}

static struct link_input *find_input(struct run *run, int64_t stream)
{
    for (size_t i = 0; run != NULL && stream > 0 && i < run->step_count; i++)
        for (size_t j = 0; j < run->steps[i].plan.input_count; j++) {
            struct link_input *input = run->steps[i].plan.inputs[j].link_input;
            if (input != NULL && link_input_stream(input) == stream)
                return input;
        }
    return NULL;
}

static struct link_output *find_output(struct run *run, int64_t stream)
{
    for (size_t i = 0; run != NULL && stream > 0 && i < run->step_count; i++)
        for (size_t j = 0; j < run->steps[i].plan.output_count; j++) {
            struct link_output *output = run->steps[i].plan.outputs[j].link_output;
            if (output != NULL && link_output_stream(output) == stream)
                return output;
        }
    return NULL;
}

void *streams_find_room(struct run *run, json_object *message, const struct stream_message *read, size_t length,
                        struct osiris_error *error)
{
    struct link_input *input = find_input(run, read->stream);

    if (run == NULL || (read->type != STREAM_BATCH && read->type != STREAM_MORE)) {
        osiris_error_set_violation(error, "a message has a body that must not have one");
        return NULL;
    }
    if (!was_named(run, read->stream)) {
        osiris_error_set_violation(error, "a message names a stream that never existed");
        return NULL;
    }
    if (input != NULL)
        return link_input_room(input, message, length, error);
    if (run->streams.discarded == NULL)
        run->streams.discarded = malloc(FRAME_MAXIMUM_BODY);
    if (run->streams.discarded == NULL)
        osiris_error_set_errno(error, ENOMEM, "cannot receive");
    return run->streams.discarded;
}

void streams_wake_reader(struct run *run)
{
    if (run != NULL && run->streams.quiet_input != NULL)
        link_input_wake(run->streams.quiet_input);
}

static int take_for_reader(struct run *run, const struct stream_message *message, size_t body_length, struct osiris_error *error)
{
    struct link_input *input = find_input(run, message->stream);

    if (input != run->streams.quiet_input) {
        streams_wake_reader(run);
        run->streams.quiet_input = input;
    }
    return input == NULL ? 0 : link_input_take(input, message->name, message->data, body_length, error);
}

static int take_for_producer(struct run *run, const struct stream_message *message, struct osiris_error *error)
{
    struct link_output *output = find_output(run, message->stream);

    if (output == NULL)
        return 0;
    if (message->type == STREAM_CREDIT)
        return link_output_credit(output, message->bytes, error);
    link_output_close(output);
    return 0;
}

int streams_take_message(struct run *run, const struct stream_message *message, size_t body_length, struct osiris_error *error)
{
    if (run == NULL || message->type == STREAM_NONE)
        return 0;
    if (!was_named(run, message->stream))
        return osiris_error_set_violation(error, "a message names a stream that never existed");
    if (message->type == STREAM_CREDIT || message->type == STREAM_CLOSE)
        return take_for_producer(run, message, error);
    return take_for_reader(run, message, body_length, error);
}
