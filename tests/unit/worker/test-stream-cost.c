/* What a batch costs on its way from one half of a stream to the other (worker/link-input.h, link-output.h): counted,
 * not timed. */
#include "unit.h"

#include <string.h>
#include <sys/socket.h>

#include "bench/rpc.h"
#include "core/wire/channel.h"
#include "core/base/json-access.h"
#include "worker/queue.h"
#include "worker/link-input.h"
#include "worker/link-output.h"

enum { BATCHES = 50, BATCH_BYTES = 1 << 20, MOST_ALLOCATIONS = 170 };

struct ends {
    struct channel *sender, *receiver;
    struct queue *queue;
    struct link_output *output;
    struct link_input *input;
};

void give_up(const char *what)
{
    ck_abort_msg("%s", what);
}

void check(bool condition, const char *what)
{
    ck_assert_msg(condition, "%s", what);
}

static void *room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct ends *ends = context;

    return link_input_room(ends->input, message, length, error);
}

static void open_ends(struct ends *ends)
{
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    ends->sender = channel_new(sockets[0], NULL);
    ends->receiver = channel_new(sockets[1], NULL);
    ends->queue = queue_new(UINT64_MAX, false, NULL);
    ends->output = link_output_new(ends->sender, 4 << 20, NULL);
    ends->input = link_input_new(ends->receiver, ends->queue, 4 << 20, false);
    channel_set_destination(ends->receiver, room, ends);
    link_output_open(ends->output, 1, 0, NULL);
    link_input_open(ends->input, 1, 0);
}

/* Until the batch, and the credit for it, are where they belong. */
static void carry(struct ends *ends)
{
    struct ArrowArray array = {0};
    uint64_t bytes;

    for (bool arrived = false; !arrived;) {
        json_object *message;
        size_t length;
        bool end;
        ck_assert_int_ge(channel_pump(ends->sender, &end, NULL), 0);
        while ((message = channel_receive(ends->sender, NULL)) != NULL) {
            ck_assert_int_eq(link_output_credit(ends->output, json_member_integer(json_member(message, "data"), "bytes", 0), NULL), 0);
            json_object_put(message);
        }
        ck_assert_int_ge(channel_pump(ends->receiver, &end, NULL), 0);
        while ((message = channel_receive_body(ends->receiver, &length, NULL)) != NULL) {
            const char *type = json_member_string(message, "type", "");
            arrived = strcmp(type, "schema") != 0;
            ck_assert_int_eq(link_input_take(ends->input, type, json_member(message, "data"), length, NULL), 0);
            json_object_put(message);
        }
    }
    ck_assert_int_eq(queue_get(ends->queue, &array, &bytes, NULL), QUEUE_OK);
    array.release(&array);
    link_input_taken(ends->input, bytes);
}

static void send_one(struct ends *ends, const struct shape *shape)
{
    struct ArrowArray array = view_of(shape);

    /* A batch below a frame's length arrives in one part. */
    ck_assert_int_eq(link_output_put(ends->output, shape->schema, &array, NULL), QUEUE_OK);
    carry(ends);
}

START_TEST(test_no_column_is_copied_and_allocations_are_few)
{
    struct ends ends;

    for (int number = 0; number < SHAPES; number++) {
        const struct shape shape = make_shape(number, BATCH_BYTES / 2);
        struct channel_counts counts;
        bool end;
        open_ends(&ends);
        /* The first credit, and what is made once. */
        ck_assert_int_ge(channel_pump(ends.sender, &end, NULL), 0);
        json_object *credit = channel_receive(ends.sender, NULL);
        ck_assert_int_eq(link_output_credit(ends.output, json_member_integer(json_member(credit, "data"), "bytes", 0), NULL), 0);
        json_object_put(credit);
        ck_assert_int_eq(link_output_set_schema(ends.output, shape.schema, NULL), 0);
        send_one(&ends, &shape);
        uint64_t allocations = counted_allocations(), copied = counted_copied_bytes();
        for (int i = 0; i < BATCHES; i++)
            send_one(&ends, &shape);
        allocations = counted_allocations() - allocations;
        copied = counted_copied_bytes() - copied;
        channel_get_counts(ends.receiver, &counts);
        ck_assert_uint_gt(counts.body_bytes_received, BATCHES * (uint64_t)shape.bytes);
        ck_assert_uint_le(counts.copied_body_bytes, CHANNEL_READ_AHEAD);
        ck_assert_msg(copied < BATCHES * (uint64_t)CHANNEL_READ_AHEAD, "%s: %llu bytes copied", shape_names[number],
                      (unsigned long long)copied);
        ck_assert_msg(allocations > 0 && allocations < BATCHES * MOST_ALLOCATIONS, "%s: %llu allocations",
                      shape_names[number], (unsigned long long)allocations);
        link_output_free(ends.output);
        link_input_free(ends.input);
        queue_free(ends.queue);
        channel_free(ends.sender);
        channel_free(ends.receiver);
    }
}
END_TEST

UNIT_MAIN("stream-cost", test_no_column_is_copied_and_allocations_are_few)
