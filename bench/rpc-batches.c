/*
 * Batches from one process to another: through the two halves of a stream (worker/link-input.h, link-output.h) and a
 * channel, with the threads that a worker has, beside writev and read of the same bytes over a socket of the same kind.
 * See rpc.h.
 *
 * All pairs of processes live through a whole measurement, and take turns of some milliseconds. A turn ends when its receiver
 * has had the last batch, and the sender knows.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/rpc.h"
#include "core/wire/channel.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/wire/batch.h"
#include "worker/link-input.h"
#include "worker/link-output.h"

#define WINDOW (2u << 20) /* queue_bytes of a run */
#define BYTES_A_TURN (64u << 20)
#define TURNS_A_ROUND 6
#define BODIES_A_POLL 8 /* as in a worker */
#define AIM 0.85

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

/* The raw limit. */

struct raw {
    pid_t pid;
    int fd;
    struct wire_batch batch;
};

/* Into so many blocks by turns: one stays in the cache of its core; a stream has as many as its window lets come. */
static void receive_raw(int fd, size_t bytes, size_t blocks, int count)
{
    char *memory = NULL;
    size_t room = (bytes + WIRE_ALIGNMENT - 1) / WIRE_ALIGNMENT * WIRE_ALIGNMENT, block = 0;

    check(posix_memalign((void **)&memory, WIRE_ALIGNMENT, blocks * room) == 0, "out of memory");
    for (;;) {
        for (int i = 0; i < count; i++, block = (block + 1) % blocks) {
            ssize_t got = read(fd, memory + block * room, bytes);
            if (got <= 0)
                _exit(0);
            read_exactly(fd, memory + block * room + got, bytes - (size_t)got);
        }
        check(write(fd, "", 1) == 1, "the sender is gone");
    }
}

static void start_raw(struct raw *raw, enum where where, const struct shape *shape, size_t blocks, int count)
{
    int sockets[2];

    check(wire_batch_encode(shape->schema, shape->array, &raw->batch, NULL) == 0, "cannot encode");
    make_sockets(sockets);
    raw->pid = fork();
    check(raw->pid >= 0, "cannot fork");
    if (raw->pid == 0) {
        (void)close(sockets[0]);
        sit_on(where, 1);
        receive_raw(sockets[1], raw->batch.length, blocks, count);
    }
    (void)close(sockets[1]);
    raw->fd = sockets[0];
}

static void stop_raw(struct raw *raw)
{
    (void)shutdown(raw->fd, SHUT_RDWR); /* processes that began later have it, too */
    (void)close(raw->fd);
    (void)waitpid(raw->pid, NULL, 0);
    wire_batch_clear(&raw->batch);
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
static double time_raw(const struct raw *raw, int count)
{
    char end;
    int64_t began = clock_monotonic_ns();

    for (int i = 0; i < count; i++)
        write_pieces(raw->fd, raw->batch.pieces, raw->batch.piece_count);
    read_exactly(raw->fd, &end, 1);
    return (double)(clock_monotonic_ns() - began) / 1e9;
}

/* A channel's loop, in the thread that receives. */

struct side {
    struct channel *channel;
    atomic_bool over;
    /* The receiver's. */
    struct queue *queue;
    struct link_input *input;
    int count, turn_fd; /* so many batches make a turn, which is said there */
    /* The sender's. */
    struct link_output *output;
    pid_t pid;
    int turned_fd, report_fd;
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
    int pumped = channel_pump_ready(side->channel, ready[0].revents, &end, NULL);
    for (int bodies = 1;; pumped = channel_pump_ready(side->channel, POLLIN, &end, NULL)) {
        check(pumped >= 0, "the channel is broken");
        if (end)
            atomic_store(&side->over, true);
        while ((message = channel_receive_body(side->channel, &length, NULL)) != NULL) {
            take(side, message, length);
            json_object_put(message);
        }
        if (pumped == 0 || end || bodies++ == BODIES_A_POLL || !channel_goes_on(side->channel)) {
            if (side->input != NULL)
                link_input_wake(side->input);
            return;
        }
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

    for (int i = 1; queue_get(side->queue, &array, &bytes, NULL) == QUEUE_OK; i++) {
        array.release(&array);
        link_input_taken(side->input, bytes);
        if (i % side->count == 0)
            check(write(side->turn_fd, "", 1) == 1, "the sender is gone");
    }
    link_input_close(side->input);
    return NULL;
}

static struct report make_report(struct channel *channel, uint64_t allocations, uint64_t copied)
{
    struct channel_counts counts;

    channel_get_counts(channel, &counts);
    return (struct report){.allocations = counted_allocations() - allocations,
                           .copied_bytes = counted_copied_bytes() - copied,
                           .receive_calls = counts.receive_calls,
                           .send_calls = counts.send_calls};
}

static void receive_batches(int fd, int turn_fd, int report_fd, int count)
{
    struct side side = {.channel = channel_new(fd, NULL),
                        .queue = queue_new(UINT64_MAX, false, NULL),
                        .count = count,
                        .turn_fd = turn_fd};
    pthread_t reader;

    side.input = link_input_new(side.channel, side.queue, WINDOW, false);
    channel_set_destination(side.channel, room, &side);
    uint64_t allocations = counted_allocations(), copied = counted_copied_bytes();
    link_input_open(side.input, 1, 0);
    check(pthread_create(&reader, NULL, read_batches, &side) == 0, "no thread");
    while (!atomic_load(&side.over))
        turn(&side, take_in);
    pthread_join(reader, NULL);
    const struct report report = make_report(side.channel, allocations, copied);
    check(write(report_fd, &report, sizeof report) == sizeof report, "the sender is gone");
    _exit(0);
}

/* The sender. */

static void take_credit(struct side *side, json_object *message, size_t length)
{
    (void)length;
    if (strcmp(json_member_string(message, "type", ""), "credit") == 0)
        check(link_output_credit(side->output,
                                 json_member_integer(json_member(message, "data"), "bytes", 0),
                                 NULL) == 0, "a credit is refused");
    else
        atomic_store(&side->over, true); /* close: it has all */
}

static void *send_what_waits(void *context)
{
    struct side *side = context;

    while (!atomic_load(&side->over))
        turn(side, take_credit);
    return NULL;
}

static pthread_t start_stream(struct side *side, enum where where, const struct shape *shape, int count)
{
    int sockets[2], turns[2], reports[2];
    pthread_t loop;

    make_sockets(sockets);
    check(pipe(turns) == 0 && pipe(reports) == 0, "no pipe");
    side->pid = fork();
    check(side->pid >= 0, "cannot fork");
    if (side->pid == 0) {
        (void)close(sockets[0]);
        sit_on(where, 1);
        receive_batches(sockets[1], turns[1], reports[1], count);
    }
    (void)close(sockets[1]);
    (void)close(turns[1]);
    (void)close(reports[1]);
    side->turned_fd = turns[0];
    side->report_fd = reports[0];
    side->channel = channel_new(sockets[0], NULL);
    side->output = link_output_new(side->channel, WINDOW, NULL);
    link_output_open(side->output, 1, 0, NULL);
    sit_on(where, 0);
    check(link_output_set_schema(side->output, shape->schema, NULL) == 0, "no schema");
    check(pthread_create(&loop, NULL, send_what_waits, side) == 0, "no thread");
    return loop;
}

/* Seconds. */
static double time_stream(const struct side *side, const struct shape *shape, int count)
{
    char end;
    int64_t began = clock_monotonic_ns();

    for (int i = 0; i < count; i++) {
        struct ArrowArray array = view_of(shape);
        check(link_output_put(side->output, shape->schema, &array, NULL) == QUEUE_OK,
              "a batch cannot be sent");
    }
    read_exactly(side->turned_fd, &end, 1);
    return (double)(clock_monotonic_ns() - began) / 1e9;
}

static void stop_stream(struct side *side, pthread_t loop, struct report *received)
{
    link_output_finish(side->output);
    pthread_join(loop, NULL);
    channel_free(side->channel);
    link_output_free(side->output);
    read_exactly(side->report_fd, received, sizeof *received);
    (void)close(side->turned_fd);
    (void)close(side->report_fd);
    (void)waitpid(side->pid, NULL, 0);
}

/* Turns. */

struct times {
    double *raw, *hot, *stream, *of_raw, *of_hot;
    size_t turns;
};

static void take_turns(struct times *times, enum where where, const struct shape *shape, int count,
                       struct report *sent, struct report *received)
{
    size_t blocks = WINDOW / shape->bytes + 2; /* one beyond the window may begin, and one is being read */
    struct side side = {0};
    struct raw raw, hot;

    start_raw(&raw, where, shape, blocks, count);
    start_raw(&hot, where, shape, 1, count);
    uint64_t allocations = counted_allocations(), copied = counted_copied_bytes();
    pthread_t loop = start_stream(&side, where, shape, count);
    /* The first turn is for the pages of processes that have just begun. */
    for (size_t i = 0; i < times->turns + 1; i++) {
        size_t at = i == 0 ? 0 : i - 1;
        times->raw[at] = time_raw(&raw, count);
        times->stream[at] = time_stream(&side, shape, count);
        times->hot[at] = time_raw(&hot, count);
        times->of_raw[at] = times->raw[at] / times->stream[at];
        times->of_hot[at] = times->hot[at] / times->stream[at];
    }
    *sent = make_report(side.channel, allocations, copied);
    stop_stream(&side, loop, received);
    stop_raw(&raw);
    stop_raw(&hot);
}

static void measure(const struct bench_options *options, enum where where, int number, size_t bytes)
{
    const struct shape shape = make_shape(number, bytes);
    int count = (int)(BYTES_A_TURN / shape.bytes);
    size_t turns = (size_t)options->rounds * TURNS_A_ROUND;
    double *all = calloc(5 * turns, sizeof *all);
    struct times times = {.raw = all, .hot = all + turns, .stream = all + 2 * turns,
                          .of_raw = all + 3 * turns, .of_hot = all + 4 * turns, .turns = turns};
    struct report sent = {0}, received = {0};
    double total = (double)shape.bytes * count / 1e9, batches = (double)count * (double)(turns + 1);

    check(all != NULL, "out of memory");
    take_turns(&times, where, &shape, count, &sent, &received);
    double ratio = percentile(times.of_raw, turns, 0.5);
    printf("  %-7s %5zu KiB  %6.2f  %6.2f  %6.2f  %4.0f (%3.0f-%3.0f) %s  %4.0f  %5.1f %5.1f  %5.1f %5.1f  %6.0f %6.0f\n",
           shape_names[number], bytes >> 10, total / percentile(times.hot, turns, 0.5),
           total / percentile(times.raw, turns, 0.5), total / percentile(times.stream, turns, 0.5),
           100 * ratio, 100 * percentile(times.of_raw, turns, 0.25),
           100 * percentile(times.of_raw, turns, 0.75), verdict(ratio >= AIM),
           100 * percentile(times.of_hot, turns, 0.5),
           (double)sent.allocations / batches, (double)received.allocations / batches,
           (double)(sent.send_calls + sent.receive_calls) / batches,
           (double)(received.send_calls + received.receive_calls) / batches,
           (double)sent.copied_bytes / batches, (double)received.copied_bytes / batches);
    free(all);
}

void bench_batches(const struct bench_options *options)
{
    static const size_t sizes[] = {64 << 10, 1 << 20, 4 << 20};
    cpu_set_t before;

    check(sched_getaffinity(0, sizeof before, &before) == 0, "cannot see the cores");
    printf("batches from one process to another: GB/s of writev and read, into one block (hot) and into as many as a\n"
           "window (raw), and of ours; ours in %% of raw (quartiles; aim: %.0f) and of hot; what a batch costs (sender, receiver)\n"
           "                        hot     raw    ours   %% of raw               hot  allocations  socket calls  bytes copied\n",
           100 * AIM);
    for (int where = 0; where < PLACES; where++) {
        if (!is_wanted(options->where, place_names[where]))
            continue;
        printf(" %s\n", place_titles[where]);
        for (int number = 0; number < SHAPES; number++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                (void)sched_setaffinity(0, sizeof before, &before);
                if (is_wanted(options->shape, shape_names[number]) &&
                    (options->kib == 0 || options->kib == sizes[i] >> 10))
                    measure(options, (enum where)where, number, sizes[i]);
            }
        (void)sched_setaffinity(0, sizeof before, &before);
    }
}
