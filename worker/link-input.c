/* The reader's side of a stream from another place; see link-input.h. */
#include "worker/link-input.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/arrow/check.h"
#include "core/wire/body.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/batch.h"

/* Memory that a header alone can claim, before the body arrives. */
#define FIRST_ROOM (4u << 20)
/* A reader is woken when so many bytes have arrived for it, or when nothing more is there. */
#define WAKE_BYTES (256u << 10)
/* Bodies of batches that were read, kept for reuse. */
#define KEPT_BYTES (8u << 20)

struct link_input {
    struct channel *channel;
    struct queue *queue;
    int64_t usual_window, window;
    bool elastic;
    atomic_int_fast64_t stream; /* 0: none */
    atomic_int_fast64_t taken;  /* what the reader has taken but not granted credit for */
    atomic_bool closed;
    /* The main thread's. */
    int64_t credit; /* what the producer may still begin */
    atomic_int_fast64_t given; /* by the reader's thread, not counted in `credit` yet */
    bool has_schema, ended;
    struct ArrowSchema schema;
    struct body_pool *pool;
    uint64_t quiet_bytes; /* put into the queue without waking the reader */
    json_object *header; /* of the batch that is coming in, or NULL */
    int64_t weight;      /* of that batch */
    uint8_t *body;
    size_t filled, length;
};

struct link_input *link_input_new(struct channel *channel, struct queue *queue, uint64_t window,
                                  bool elastic)
{
    struct link_input *input = calloc(1, sizeof *input);

    input->pool = body_pool_new(KEPT_BYTES);
    input->channel = channel;
    input->queue = queue;
    input->usual_window = input->window = (int64_t)window;
    input->elastic = elastic;
    return input;
}

static void discard_batch(struct link_input *input)
{
    json_object_put(input->header);
    input->header = NULL;
    body_free(input->body);
    input->body = NULL;
    input->filled = input->length = 0;
}

static void discard_attempt(struct link_input *input)
{
    discard_batch(input);
    if (input->has_schema)
        input->schema.release(&input->schema);
    input->has_schema = input->ended = false;
    input->credit = 0;
    atomic_store(&input->given, 0);
    atomic_store(&input->taken, 0);
    atomic_store(&input->closed, false);
}

void link_input_free(struct link_input *input)
{
    if (input == NULL)
        return;
    discard_attempt(input);
    body_pool_free(input->pool);
    free(input);
}

static void send_about(struct link_input *input, const char *type, int64_t bytes)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();

    json_add_string(message, "type", type);
    json_add_integer(data, "stream", atomic_load(&input->stream));
    if (bytes > 0)
        json_add_integer(data, "bytes", bytes);
    json_add(message, "data", data);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    if (channel_send_owed(input->channel, message, &error) < 0)
        channel_fail(input->channel, type, &error);
}

/* Counted before it is sent: the answer may arrive before the call returns. */
static void grant_credit(struct link_input *input, int64_t bytes)
{
    atomic_fetch_add(&input->given, bytes);
    send_about(input, "credit", bytes);
}

void link_input_open(struct link_input *input, int64_t stream, int64_t window)
{
    discard_attempt(input);
    input->window = window == 0 ? input->usual_window : window;
    atomic_store(&input->stream, stream);
    if (stream != 0)
        grant_credit(input, input->window);
}

int64_t link_input_stream(const struct link_input *input)
{
    return atomic_load(&((struct link_input *)input)->stream);
}

/* The first part of a batch: checks whether it is allowed, and finds the length of the whole. */
static int begin_batch(struct link_input *input, json_object *data, struct osiris_error *error)
{
    const char *wrong = wire_batch_weigh(data, &input->weight);

    input->credit += atomic_exchange(&input->given, 0);
    if (!input->has_schema || input->ended)
        return osiris_error_set_violation(error, "%s", input->ended ? "a stream continues after its end"
                                             : "a stream starts without its schema");
    if (input->header != NULL)
        return osiris_error_set_violation(error, "a batch starts inside another");
    if (input->credit <= 0)
        return osiris_error_set_violation(error, "a batch starts without credit");
    if (wrong != NULL)
        return osiris_error_set_violation(error, "%s", wrong);
    input->credit -= input->weight;
    input->header = json_object_get(data);
    input->length = (size_t)json_member_integer(data, "body", 0);
    return 0;
}

/* Makes room for `wanted` bytes in total. Grows with what has arrived. */
static int make_room(struct link_input *input, size_t wanted, struct osiris_error *error)
{
    size_t room = input->length < FIRST_ROOM ? input->length : FIRST_ROOM;

    if (input->body == NULL)
        input->body = body_new(input->pool, room);
    if (input->body != NULL && wanted <= body_room(input->body))
        return 0;
    while (room < wanted)
        room = room > input->length / 2 ? input->length : 2 * room;
    void *grown = input->body == NULL ? NULL : body_grow(input->body, room);
    if (grown == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot receive a batch");
    input->body = grown;
    return 0;
}

void *link_input_room(struct link_input *input, json_object *message, size_t length,
                      struct osiris_error *error)
{
    json_object *data = json_member(message, "data");
    bool first = strcmp(json_member_string(message, "type", ""), "batch") == 0;

    wire_strip(message);
    /* After a lost link the same message arrives again. */
    if (first && input->filled == 0 && input->header != NULL &&
        json_object_equal(input->header, data))
        first = false;
    if (first && begin_batch(input, data, error) < 0)
        return NULL;
    const char *wrong =
        input->header == NULL
            ? "a part of a batch has no batch"
            : wire_part_is_wrong((int64_t)(input->length - input->filled), length);
    if (wrong != NULL) {
        osiris_error_set_violation(error, "%s", wrong);
        return NULL;
    }
    if (make_room(input, input->filled + length, error) < 0)
        return NULL;
    return input->body + input->filled;
}

/* The batch is complete and goes to the step. */
static int finish_batch(struct link_input *input, struct osiris_error *error)
{
    struct ArrowArray array;
    _cleanup_json_ json_object *header = input->header;
    uint8_t *body = input->body;
    size_t length = input->length;

    input->header = NULL;
    input->body = NULL;
    input->filled = input->length = 0;
    if (wire_batch_decode(&input->schema, header, body, length, &array, error) < 0)
        return -1;
    struct osiris_error problem = OSIRIS_ERROR_INIT;
    enum queue_result result = queue_put_quietly(input->queue, &array, (uint64_t)input->weight, &problem);
    input->quiet_bytes += (uint64_t)input->weight;
    if (input->quiet_bytes >= WAKE_BYTES)
        link_input_wake(input);
    if (result == QUEUE_ERROR)
        queue_fail(input->queue, &problem);
    osiris_error_clear(&problem);
    /* An elastic edge's producer is never held up. */
    if (result == QUEUE_OK && input->elastic)
        grant_credit(input, input->weight);
    return 0;
}

static int take_schema(struct link_input *input, json_object *data, struct osiris_error *error)
{
    if (input->has_schema)
        return osiris_error_set_violation(error, "%s", input->ended ? "a stream continues after its end"
                                             : "a stream has two schemas");
    if (wire_schema_decode(json_member(data, "schema"), &input->schema, error) < 0)
        return -1;
    input->has_schema = true;
    if (queue_set_schema(input->queue, &input->schema) < 0)
        return osiris_error_set_errno(error, ENOMEM, "cannot receive a schema");
    return 0;
}

int link_input_take(struct link_input *input, const char *type, json_object *data,
                    size_t body_length, struct osiris_error *error)
{
    if (strcmp(type, "schema") == 0)
        return take_schema(input, data, error);
    if (strcmp(type, "end") == 0) {
        if (input->header != NULL || !input->has_schema || input->ended)
            return osiris_error_set_violation(error, "a stream ends inside a batch or without a schema");
        input->ended = true;
        queue_finish(input->queue);
        return 0;
    }
    /* Without a body, link_input_room was not called. */
    if (body_length == 0 && (strcmp(type, "more") == 0 || begin_batch(input, data, error) < 0 ||
                             input->length > 0))
        return error->category != 0
                   ? -1
                   : osiris_error_set_violation(error, "the parts of a batch do not add up to its length");
    input->filled += body_length;
    return input->filled == input->length ? finish_batch(input, error) : 0;
}

uint64_t link_input_bytes(const struct link_input *input, const struct ArrowArray *array)
{
    return arrow_array_bytes(&input->schema, array);
}

void link_input_wake(struct link_input *input)
{
    if (input->quiet_bytes > 0)
        queue_wake(input->queue);
    input->quiet_bytes = 0;
}

void link_input_taken(struct link_input *input, uint64_t weight)
{
    if (input->elastic || atomic_load(&input->closed))
        return;
    int64_t taken = atomic_fetch_add(&input->taken, (int_fast64_t)weight) + (int64_t)weight;
    /* Not sent for every batch, but before half of the producer's window is used up. */
    if (taken < input->window / 4)
        return;
    grant_credit(input, atomic_exchange(&input->taken, 0));
}

void link_input_close(struct link_input *input)
{
    if (!atomic_exchange(&input->closed, true))
        send_about(input, "close", 0);
}
