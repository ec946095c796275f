/* The producer's side of a stream to another place; see link-output.h. */
#include "worker/link-output.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/arrow/share.h"
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"
#include "core/wire/pace.h"

struct link_output {
    struct channel *channel;
    const struct driver_name *maker;
    int64_t window;
    /* Set before the producer's thread starts. */
    int64_t stream;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int64_t credit;
    bool closed, cancelled;
    struct pace pace;
};

struct link_output *link_output_new(struct channel *channel, uint64_t window, const struct driver_name *maker)
{
    struct link_output *output = calloc(1, sizeof *output);

    output->channel = channel;
    output->maker = maker;
    output->window = (int64_t)window;
    pthread_mutex_init(&output->lock, NULL);
    pthread_cond_init(&output->changed, NULL);
    return output;
}

void link_output_free(struct link_output *output)
{
    if (output == NULL)
        return;
    pthread_cond_destroy(&output->changed);
    pthread_mutex_destroy(&output->lock);
    free(output);
}

void link_output_open(struct link_output *output, int64_t stream, json_object *codecs)
{
    pthread_mutex_lock(&output->lock);
    output->stream = stream;
    output->credit = 0;
    output->closed = output->cancelled = false;
    pace_init(&output->pace, codecs);
    pthread_mutex_unlock(&output->lock);
}

int64_t link_output_stream(const struct link_output *output)
{
    return output->stream;
}

int link_output_credit(struct link_output *output, int64_t bytes, struct osiris_error *error)
{
    if (bytes <= 0)
        return osiris_error_set_violation(error, "a credit is not a number of bytes");
    pthread_mutex_lock(&output->lock);
    bool too_much = bytes > output->window - output->credit;
    if (!too_much) {
        output->credit += bytes;
        pace_credit(&output->pace, bytes);
        pthread_cond_broadcast(&output->changed);
    }
    pthread_mutex_unlock(&output->lock);
    return too_much ? osiris_error_set_violation(error, "a stream has more credit than room in its queue")
                    : 0;
}

void link_output_close(struct link_output *output)
{
    pthread_mutex_lock(&output->lock);
    output->closed = true;
    pthread_cond_broadcast(&output->changed);
    pthread_mutex_unlock(&output->lock);
}

void link_output_cancel(struct link_output *output)
{
    pthread_mutex_lock(&output->lock);
    output->cancelled = true;
    pthread_cond_broadcast(&output->changed);
    pthread_mutex_unlock(&output->lock);
}

/* {type, data: {stream, …}}; takes `data`. */
static json_object *make_message(const struct link_output *output, const char *type,
                                 json_object *data)
{
    json_object *message = json_object_new_object();

    json_add_string(message, "type", type);
    json_add_integer(data, "stream", output->stream);
    json_add(message, "data", data);
    return message;
}

int link_output_set_schema(struct link_output *output, const struct ArrowSchema *schema,
                           struct osiris_error *error)
{
    json_object *encoded = wire_schema_encode(schema, error);
    json_object *data = json_object_new_object();

    if (encoded == NULL) {
        json_object_put(data);
        return -1;
    }
    json_add(data, "schema", encoded);
    _cleanup_json_ json_object *message = make_message(output, "schema", data);
    return channel_send_body(output->channel, message, NULL, error);
}

/* Waits until a batch may be started. The credit that arrives while the producer waits shows how fast the link is. */
static enum queue_result wait_for_credit(struct link_output *output)
{
    enum queue_result result = QUEUE_OK;

    pthread_mutex_lock(&output->lock);
    if (output->credit <= 0 && !output->closed && !output->cancelled) {
        pace_wait(&output->pace, clock_monotonic_ns());
        while (output->credit <= 0 && !output->closed && !output->cancelled)
            pthread_cond_wait(&output->changed, &output->lock);
    }
    pace_go_on(&output->pace, clock_monotonic_ns());
    if (output->cancelled)
        result = QUEUE_CANCELLED;
    else if (output->closed)
        result = QUEUE_CLOSED;
    pthread_mutex_unlock(&output->lock);
    return result;
}

static const char *choose_codec(struct link_output *output)
{
    pthread_mutex_lock(&output->lock);
    const char *codec = pace_codec(&output->pace);
    pthread_mutex_unlock(&output->lock);
    return codec;
}

/* A batch on its way: what its pieces point into. */
struct shipment {
    struct wire_batch batch;
    struct ArrowArray array;
    const struct driver_name *maker;
};

static void free_shipment(void *owner)
{
    struct shipment *shipment = owner;

    wire_batch_clear(&shipment->batch);
    calls_enter(shipment->maker, "release");
    shipment->array.release(&shipment->array);
    calls_leave();
    free(shipment);
}

static int send_batch(struct link_output *output, struct shipment *shipment,
                      struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer message = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE);
    int64_t weight = 0;
    const struct channel_body body = {.pieces = shipment->batch.pieces,
                                      .piece_count = shipment->batch.piece_count,
                                      .length = shipment->batch.length,
                                      .release = free_shipment,
                                      .owner = shipment};

    const char *wrong = wire_batch_weigh_encoded(&shipment->batch, &weight);
    if (wrong != NULL) {
        free_shipment(shipment);
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "it cannot travel between places: %s", wrong);
    }
    if (wire_batch_write(&shipment->batch, output->stream, &message, error) < 0) {
        free_shipment(shipment);
        return -1;
    }
    pthread_mutex_lock(&output->lock);
    output->credit -= weight;
    pthread_mutex_unlock(&output->lock);
    if (body.length > 0)
        return channel_send_encoded(output->channel, &message, output->stream, &body, error);
    int result = channel_send_encoded(output->channel, &message, output->stream, NULL, error);
    free_shipment(shipment);
    return result;
}

enum queue_result link_output_put(struct link_output *output, const struct ArrowSchema *schema,
                                  struct ArrowArray *array, struct osiris_error *error)
{
    enum queue_result result = wait_for_credit(output);

    if (result != QUEUE_OK) {
        array->release(array);
        return result;
    }
    struct shipment *shipment = calloc(1, sizeof *shipment);
    const char *codec = choose_codec(output);
    shipment->array = *array;
    shipment->maker = output->maker;
    array->release = NULL;
    if (wire_batch_encode(schema, &shipment->array, &shipment->batch, error) < 0 ||
        (codec != NULL && wire_batch_compress(&shipment->batch, codec, error) < 0)) {
        free_shipment(shipment);
        return QUEUE_ERROR;
    }
    return send_batch(output, shipment, error) < 0 ? QUEUE_ERROR : QUEUE_OK;
}

void link_output_finish(struct link_output *output)
{
    _cleanup_json_ json_object *message = make_message(output, "end", json_object_new_object());
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (channel_send_body(output->channel, message, NULL, &error) < 0)
        channel_fail(output->channel, "the end of a stream", &error);
}
