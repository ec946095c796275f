/* Both halves of a stream between places (worker/link-input.h, link-output.h) with the threads that a worker has: the
 * producer's, the reader's, and the main one between them. */
#include "unit.h"

#include <osiris/kit.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/wire/channel.h"
#include "core/base/json-access.h"
#include "worker/queue.h"
#include "worker/link-input.h"
#include "worker/link-output.h"

enum { BATCHES = 300, ROWS = 2000, WINDOW = 64 << 10, CREDIT = 16, PAUSE_EVERY = 30 };

static const struct osiris_field fields[] = {{.name = "id", .type = OSIRIS_TYPE_INT64}};

struct ends {
    struct channel *sender, *receiver;
    struct queue *queue;
    struct link_output *output;
    struct link_input *input;
    int64_t sum; /* of what was read; the reader's until it has ended */
    atomic_bool read;
};

static void *room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct ends *ends = context;

    return link_input_room(ends->input, message, length, error);
}

static void open_ends(struct ends *ends)
{
    json_object *codecs = json_tokener_parse("[\"lz4\", \"zstd\"]");
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    *ends = (struct ends){.sender = channel_new(sockets[0], NULL),
                          .receiver = channel_new(sockets[1], NULL),
                          .queue = queue_new(UINT64_MAX, false, NULL)};
    ends->output = link_output_new(ends->sender, WINDOW, NULL);
    ends->input = link_input_new(ends->receiver, ends->queue, WINDOW, false);
    channel_set_destination(ends->receiver, room, ends);
    link_output_open(ends->output, 1, 0, codecs);
    link_input_open(ends->input, 1, 0);
    json_object_put(codecs);
}

static void close_ends(struct ends *ends)
{
    link_output_free(ends->output);
    link_input_free(ends->input);
    queue_free(ends->queue);
    channel_free(ends->sender);
    channel_free(ends->receiver);
}

static void *produce(void *context)
{
    struct ends *ends = context;
    struct osiris_builder *builder = osiris_builder_new(fields, 1, ROWS);
    struct ArrowSchema schema;

    ck_assert_int_eq(osiris_builder_schema(builder, &schema), 0);
    ck_assert_int_eq(link_output_set_schema(ends->output, &schema, NULL), 0);
    for (int i = 0; i < BATCHES; i++) {
        struct ArrowArray batch;
        for (int row = 0; row < ROWS; row++) {
            osiris_append_int64(osiris_builder_column(builder, 0), i);
            osiris_builder_end_row(builder);
        }
        ck_assert_int_eq(osiris_builder_finish(builder, &batch), 0);
        ck_assert_int_eq(link_output_put(ends->output, &schema, &batch, NULL), QUEUE_OK);
    }
    link_output_finish(ends->output);
    schema.release(&schema);
    osiris_builder_free(builder);
    return NULL;
}

static void *read_all(void *context)
{
    /* The producer waits for so long that the link looks slow. */
    static const struct timespec pause = {.tv_nsec = 30000000};
    struct ends *ends = context;
    struct ArrowArray batch;
    uint64_t bytes;

    for (int i = 0; queue_get(ends->queue, &batch, &bytes, NULL) == QUEUE_OK; i++) {
        if (i % PAUSE_EVERY == 0)
            (void)nanosleep(&pause, NULL);
        const int64_t *ids = batch.children[0]->buffers[1];
        for (int64_t row = 0; row < batch.length; row++)
            ends->sum += ids[row];
        batch.release(&batch);
        link_input_taken(ends->input, bytes);
    }
    atomic_store(&ends->read, true);
    return NULL;
}

static void take_credits(struct ends *ends)
{
    json_object *message;
    bool end;

    ck_assert_int_ge(channel_pump(ends->sender, &end, NULL), 0);
    while ((message = channel_receive(ends->sender, NULL)) != NULL) {
        int64_t bytes = json_member_integer(json_member(message, "data"), "bytes", 0);
        /* In small pieces: there is always one that comes while the producer is at work. */
        for (int64_t left = bytes; left > 0; left -= CREDIT)
            ck_assert_int_eq(link_output_credit(ends->output, left < CREDIT ? left : CREDIT, NULL), 0);
        json_object_put(message);
    }
}

static void take_batches(struct ends *ends)
{
    json_object *message;
    size_t length;
    bool end;

    ck_assert_int_ge(channel_pump(ends->receiver, &end, NULL), 0);
    while ((message = channel_receive_body(ends->receiver, &length, NULL)) != NULL) {
        ck_assert_int_eq(link_input_take(ends->input, json_member_string(message, "type", ""),
                                         json_member(message, "data"), length, NULL),
                         0);
        json_object_put(message);
    }
    /* Nothing more is there for now. */
    link_input_wake(ends->input);
}

START_TEST(test_credits_come_while_batches_go)
{
    struct ends ends;
    pthread_t producer, reader;

    open_ends(&ends);
    pthread_create(&producer, NULL, produce, &ends);
    pthread_create(&reader, NULL, read_all, &ends);
    while (!atomic_load(&ends.read)) {
        take_credits(&ends);
        take_batches(&ends);
    }
    pthread_join(producer, NULL);
    pthread_join(reader, NULL);
    ck_assert_int_eq(ends.sum, (int64_t)ROWS * BATCHES * (BATCHES - 1) / 2);
    close_ends(&ends);
}
END_TEST

START_TEST(test_credit_beyond_the_window_is_refused)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ends ends;

    open_ends(&ends);
    ck_assert_int_eq(link_output_credit(ends.output, WINDOW - 1, NULL), 0);
    ck_assert_int_eq(link_output_credit(ends.output, 1, NULL), 0);
    ck_assert_int_eq(link_output_credit(ends.output, 1, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "more credit than room in its queue"));
    ck_assert_int_eq(link_output_credit(ends.output, INT64_MAX, NULL), -1);
    ck_assert_int_eq(link_output_credit(ends.output, 0, NULL), -1);
    osiris_error_clear(&error);
    close_ends(&ends);
}
END_TEST

UNIT_MAIN("link", test_credits_come_while_batches_go, test_credit_beyond_the_window_is_refused)
