/* Messages of streams from other places; see stream-messages.h. */
#include "worker/stream-messages.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/one-of.h"
#include "core/wire/frame.h"
#include "worker/run.h"

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

int streams_open(struct step *step, json_object *params, struct osiris_error *error)
{
    for (size_t i = 0; i < step->plan.output_count; i++)
        if (open_output(&step->plan.outputs[i], json_member(params, "outputs"), error) < 0)
            return -1;
    for (size_t i = 0; i < step->plan.input_count; i++)
        if (open_input(&step->plan.inputs[i], json_member(params, "inputs"), error) < 0)
            return -1;
    return 0;
}

/* What comes from other places. */

static bool was_named(const struct run *run, int64_t stream)
{
    for (size_t i = 0; i < run->streams.count; i++)
        if (run->streams.numbers[i] == stream)
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
    if (run->streams.count == run->streams.capacity) {
        size_t capacity = run->streams.capacity == 0 ? 16 : 2 * run->streams.capacity;
        void *grown = reallocarray(run->streams.numbers, capacity, sizeof *run->streams.numbers);
        if (grown == NULL)
            return osiris_error_set_errno(error, ENOMEM, "cannot open a stream");
        run->streams.numbers = grown;
        run->streams.capacity = capacity;
    }
    run->streams.numbers[run->streams.count++] = stream;
    return 0;
}

int streams_claim(struct run *run, json_object *params, struct osiris_error *error)
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

static const char *const with_body[] = {"batch", "more", NULL};
static const char *const to_reader[] = {"schema", "batch", "more", "end", NULL};
static const char *const to_producer[] = {"credit", "close", NULL};

static int64_t stream_of(json_object *message)
{
    return json_member_integer(json_member(message, "data"), "stream", 0);
}

void *streams_find_room(struct run *run, json_object *message, size_t length,
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

int streams_take_message(struct run *run, json_object *message, size_t body_length,
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
        if (run != NULL && input != run->streams.quiet_input) {
            streams_wake_reader(run);
            run->streams.quiet_input = input;
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
