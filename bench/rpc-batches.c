/*
 * Batches from one process to another: through the two halves of a stream (worker/link.h) and a channel, with the threads
 * that a worker has, beside writev and read of the same bytes over a socket of the same kind. See rpc.h.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/rpc.h"
#include "core/channel.h"
#include "core/clock.h"
#include "core/json-access.h"
#include "core/wire-batch.h"
#include "worker/link.h"

#define WINDOW (2u << 20) /* queue_bytes of a run */
#define BYTES_A_ROUND (64u << 20)
#define TURNS_A_ROUND 5

/* What a receiving process says at the end. */
struct report {
    uint64_t allocations, copied_bytes, receive_calls, send_calls;
};

static void make_sockets(int sockets[2])
{
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "no socketpair");
}

static void read_exactly(int fd, void *memory, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, (char *)memory + done, length - done);
        check(got > 0, "the other process is gone");
        done += (size_t)got;
    }
}

/* The raw limit: into the same memory again and again. */

static void receive_raw(int fd, size_t bytes, int count)
{
    void *memory = NULL;

    check(posix_memalign(&memory, WIRE_ALIGNMENT, bytes) == 0, "out of memory");
    for (int i = 0; i < count; i++)
        read_exactly(fd, memory, bytes);
    check(write(fd, "", 1) == 1, "the sender is gone");
    _exit(0);
}

static void write_pieces(int fd, const struct iovec *pieces, size_t count)
{
    struct iovec left[64];
    struct iovec *at = left;

    check(count <= 64, "too many pieces");
    memcpy(left, pieces, count * sizeof *pieces);
    while (count > 0) {
        ssize_t sent = writev(fd, at, (int)count);
        check(sent > 0, "the receiver is gone");
        while (count > 0 && (size_t)sent >= at->iov_len) {
            sent -= (ssize_t)at->iov_len;
            at++;
            count--;
        }
        if (sent > 0) {
            at->iov_base = (char *)at->iov_base + sent;
            at->iov_len -= (size_t)sent;
        }
    }
}

/* Seconds. */
static double time_raw(const struct shape *shape, int count)
{
    struct wire_batch batch;
    int sockets[2];
    char end;

    check(wire_batch_encode(shape->schema, shape->array, &batch, NULL) == 0, "cannot encode");
    make_sockets(sockets);
    pid_t pid = fork();
    check(pid >= 0, "cannot fork");
    if (pid == 0)
        receive_raw(sockets[1], batch.length, count);
    (void)close(sockets[1]);
    int64_t began = clock_monotonic_ns();
    for (int i = 0; i < count; i++)
        write_pieces(sockets[0], batch.pieces, batch.piece_count);
    read_exactly(sockets[0], &end, 1);
    double seconds = (double)(clock_monotonic_ns() - began) / 1e9;
    (void)close(sockets[0]);
    (void)waitpid(pid, NULL, 0);
    wire_batch_clear(&batch);
    return seconds;
}

/* A channel's loop, in the thread that receives. */

struct side {
    struct channel *channel;
    atomic_bool over;
    /* The receiver's. */
    struct queue *queue;
    struct link_input *input;
    int count;
    /* The sender's. */
    struct link_output *output;
    const struct shape *shape;
};

static void turn(struct side *side, void (*take)(struct side *side, json_object *message, size_t length))
{
    struct pollfd ready[] = {
        {.fd = channel_fd(side->channel), .events = channel_poll_events(side->channel)},
        {.fd = channel_wake_fd(side->channel), .events = POLLIN}};
    bool end;
    size_t length;
    json_object *message;

    check(poll(ready, 2, 10000) > 0, "nothing comes any more");
    check(channel_pump_ready(side->channel, ready[0].revents, &end, NULL) >= 0, "the channel is broken");
    if (end)
        atomic_store(&side->over, true);
    while ((message = channel_receive_body(side->channel, &length, NULL)) != NULL) {
        take(side, message, length);
        json_object_put(message);
    }
}

/* The receiver. */

static void *room(void *context, json_object *message, size_t length, struct osiris_error *error)
{
    struct side *side = context;

    return link_input_room(side->input, message, length, error);
}

static void take_in(struct side *side, json_object *message, size_t length)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    check(link_input_take(side->input, json_member_string(message, "type", ""),
                          json_member(message, "data"), length, &error) == 0,
          "a batch is refused");
}

/* The step's thread: it wants the batches, and no more. */
static void *read_batches(void *context)
{
    struct side *side = context;
    struct ArrowArray array;
    uint64_t bytes;

    for (int i = 0; i < side->count; i++) {
        check(queue_get(side->queue, &array, &bytes, NULL) == QUEUE_OK, "a batch is missing");
        array.release(&array);
        link_input_taken(side->input, bytes);
    }
    link_input_close(side->input);
    return NULL;
}

static void receive_batches(int fd, int report_fd, int count)
{
    struct side side = {.channel = channel_new(fd, NULL), .queue = queue_new(UINT64_MAX, false, NULL), .count = count};
    struct channel_counts counts;
    pthread_t reader;

    side.input = link_input_new(side.channel, side.queue, WINDOW, false);
    channel_set_place(side.channel, room, &side);
    link_input_open(side.input, 1);
    check(pthread_create(&reader, NULL, read_batches, &side) == 0, "no thread");
    uint64_t allocations = counted_allocations(), copied = counted_copied_bytes();
    while (!atomic_load(&side.over))
        turn(&side, take_in);
    pthread_join(reader, NULL);
    channel_get_counts(side.channel, &counts);
    const struct report report = {.allocations = counted_allocations() - allocations,
                                  .copied_bytes = counted_copied_bytes() - copied,
                                  .receive_calls = counts.receive_calls,
                                  .send_calls = counts.send_calls};
    check(write(report_fd, &report, sizeof report) == sizeof report, "the sender is gone");
    _exit(0);
}

/* The sender. */

static void take_credit(struct side *side, json_object *message, size_t length)
{
    const char *type = json_member_string(message, "type", "");

    (void)length;
    if (strcmp(type, "credit") == 0)
        check(link_output_credit(side->output,
                                 json_member_integer(json_member(message, "data"), "bytes", 0),
                                 NULL) == 0, "a credit is refused");
    else
        atomic_store(&side->over, true); /* close: it has all */
}

static void *make_batches(void *context)
{
    struct side *side = context;

    check(link_output_set_schema(side->output, side->shape->schema, NULL) == 0, "no schema");
    for (int i = 0; i < side->count; i++) {
        struct ArrowArray array = view_of(side->shape);
        check(link_output_put(side->output, side->shape->schema, &array, NULL) == QUEUE_OK,
              "a batch cannot be sent");
    }
    return NULL;
}

static double time_stream(const struct shape *shape, int count, struct report *sent, struct report *received)
{
    struct side side = {.count = count, .shape = shape};
    struct channel_counts counts;
    int sockets[2], pipes[2];
    pthread_t producer;

    make_sockets(sockets);
    check(pipe(pipes) == 0, "no pipe");
    pid_t pid = fork();
    check(pid >= 0, "cannot fork");
    if (pid == 0) {
        (void)close(sockets[0]);
        receive_batches(sockets[1], pipes[1], count);
    }
    (void)close(sockets[1]);
    side.channel = channel_new(sockets[0], NULL);
    side.output = link_output_new(side.channel);
    link_output_open(side.output, 1, NULL);
    uint64_t allocations = counted_allocations(), copied = counted_copied_bytes();
    int64_t began = clock_monotonic_ns();
    check(pthread_create(&producer, NULL, make_batches, &side) == 0, "no thread");
    while (!atomic_load(&side.over))
        turn(&side, take_credit);
    double seconds = (double)(clock_monotonic_ns() - began) / 1e9;
    pthread_join(producer, NULL);
    channel_get_counts(side.channel, &counts);
    *sent = (struct report){.allocations = counted_allocations() - allocations,
                            .copied_bytes = counted_copied_bytes() - copied,
                            .receive_calls = counts.receive_calls,
                            .send_calls = counts.send_calls};
    channel_free(side.channel);
    link_output_free(side.output);
    read_exactly(pipes[0], received, sizeof *received);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)waitpid(pid, NULL, 0);
    return seconds;
}

static void measure(const struct bench_options *options, int number, size_t bytes)
{
    const struct shape shape = make_shape(number, bytes);
    int count = (int)(BYTES_A_ROUND / shape.bytes);
    size_t turns = (size_t)options->rounds * TURNS_A_ROUND;
    double *raw = calloc(turns, 3 * sizeof *raw), *stream = raw + turns, *ratio = stream + turns;
    struct report sent = {0}, received = {0};
    double total = (double)shape.bytes * count / 1e9;

    check(raw != NULL, "out of memory");
    for (size_t i = 0; i < turns; i++) {
        raw[i] = time_raw(&shape, count);
        stream[i] = time_stream(&shape, count, &sent, &received);
        ratio[i] = raw[i] / stream[i];
    }
    printf("  %-7s %5zu KiB  %6.2f  %6.2f  %5.0f %%  %5.1f %5.1f  %5.1f %5.1f  %8.0f %8.0f\n",
           shape_names[number], bytes >> 10, total / percentile(raw, turns, 0.5),
           total / percentile(stream, turns, 0.5), 100 * percentile(ratio, turns, 0.5),
           (double)sent.allocations / count, (double)received.allocations / count,
           (double)(sent.send_calls + sent.receive_calls) / count,
           (double)(received.send_calls + received.receive_calls) / count,
           (double)sent.copied_bytes / count, (double)received.copied_bytes / count);
    free(raw);
}

void bench_batches(const struct bench_options *options)
{
    static const size_t sizes[] = {64 << 10, 1 << 20, 4 << 20};

    puts("batches from one process to another: GB/s, and what a batch costs (sender, receiver)\n"
         "                        raw    ours  of raw  allocations  socket calls  bytes copied");
    for (int number = 0; number < SHAPES; number++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            measure(options, number, sizes[i]);
}
