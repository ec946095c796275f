/* Round trips with the real osiris-worker over a socketpair, beside a raw ping-pong on another; see rpc.h. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
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
#include "core/base/json-build.h"

enum { PINGS = 400, STEPS = 200, TURNS_A_ROUND = 4, MESSAGE = 64 };

static const double points[] = {0.5, 0.99, 0.999};
enum { POINTS = 3, RATED = 2 }; /* p99.9 of one turn says nothing */

/* The raw limit. */

static pid_t start_echo(enum where where, int *socket_out)
{
    int sockets[2];

    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "no socketpair");
    pid_t pid = fork();
    check(pid >= 0, "cannot fork");
    if (pid == 0) {
        char bytes[MESSAGE];
        sit_on(where, 1);
        (void)close(sockets[0]);
        while (read(sockets[1], bytes, sizeof bytes) == MESSAGE &&
               write(sockets[1], bytes, sizeof bytes) == MESSAGE)
            continue;
        _exit(0);
    }
    (void)close(sockets[1]);
    *socket_out = sockets[0];
    return pid;
}

static double *time_raw(int fd, double *at)
{
    char bytes[MESSAGE] = {0};

    for (int i = 0; i < PINGS; i++) {
        int64_t began = clock_monotonic_ns();
        check(write(fd, bytes, sizeof bytes) == MESSAGE && read(fd, bytes, sizeof bytes) == MESSAGE,
              "the echo is gone");
        *at++ = (double)(clock_monotonic_ns() - began);
    }
    return at;
}

/* The worker. */

struct peer {
    struct channel *channel;
    pid_t pid;
    unsigned last_id;
};

static void start_worker(struct peer *peer, const char *program, enum where where)
{
    int sockets[2];
    char number[16];

    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0, "no socketpair");
    peer->pid = fork();
    check(peer->pid >= 0, "cannot fork");
    if (peer->pid == 0) {
        int fd = dup(sockets[1]);
        sit_on(where, 1);
        snprintf(number, sizeof number, "%d", fd);
        execl(program, program, "--channel-fd", number, (char *)NULL);
        _exit(127);
    }
    (void)close(sockets[1]);
    peer->channel = channel_new(sockets[0], NULL);
    check(peer->channel != NULL, "no channel");
}

static void send_request(struct peer *peer, const char *method, json_object *params)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    char id[32];

    snprintf(id, sizeof id, "req_%u", ++peer->last_id);
    json_add_string(message, "id", id);
    json_add_string(message, "method", method);
    json_add(message, "params", params == NULL ? json_object_new_object() : params);
    check(channel_send(peer->channel, message, true, NULL) == 0, "cannot send");
}

/* Until the last request is answered; what else comes is dropped. */
static void await_answer(struct peer *peer)
{
    char id[32];

    snprintf(id, sizeof id, "req_%u", peer->last_id);
    for (;;) {
        struct pollfd ready[] = {
            {.fd = channel_fd(peer->channel), .events = channel_poll_events(peer->channel)},
            {.fd = channel_wake_fd(peer->channel), .events = POLLIN}};
        bool end;
        json_object *message;
        check(poll(ready, 2, 10000) > 0, "the worker does not answer");
        check(channel_pump_ready(peer->channel, ready[0].revents, &end, NULL) >= 0 && !end, "the worker is gone");
        while ((message = channel_receive(peer->channel, NULL)) != NULL) {
            bool answered = strcmp(json_member_string(message, "id", ""), id) == 0;
            json_object *error = json_member(message, "error");
            if (error != NULL)
                give_up(json_object_to_json_string(error));
            json_object_put(message);
            if (answered)
                return;
        }
    }
}

static void request(struct peer *peer, const char *method, json_object *params)
{
    send_request(peer, method, params);
    await_answer(peer);
}

/* The first of the folders that has it. */
static char *find_driver(const char *folders, const char *name)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *path = NULL, *rest = copy;

    for (char *folder; (folder = strsep(&rest, ":")) != NULL;) {
        free(path);
        check(asprintf(&path, "%s/%s", folder, name) > 0, "out of memory");
        if (access(path, R_OK) == 0) {
            char *absolute = realpath(path, NULL);
            free(path);
            check(absolute != NULL, "cannot find a driver");
            return absolute;
        }
    }
    give_up("there is no generate.so; make tests/plugins/generate.la, or say --drivers");
}

static void prepare(struct peer *peer, const struct bench_options *options, const char *folder)
{
    _cleanup_free_ char *driver = find_driver(options->drivers, "generate.so");
    json_object *params = json_tokener_parse(
        "{\"run_id\": \"bench\", \"plan\": {\"pipeline\": \"bench\", \"edges\": [],"
        " \"steps\": [{\"id\": \"nothing\", \"driver\": \"test.generate\","
        "   \"component\": \"test.generate\", \"kind\": \"extractor\", \"group\": 0}],"
        " \"groups\": [{\"id\": 0, \"steps\": [\"nothing\"], \"after\": []}]},"
        " \"connections\": {}, \"secrets\": [], \"environment\": {}, \"queue_bytes\": 2097152}");
    json_object *drivers = json_object_new_object();
    _cleanup_free_ char *temporary = NULL, *artifacts = NULL;

    /* Folders that are not there yet: the worker makes the first, and removes all of it at cleanup. */
    check(asprintf(&temporary, "%s/tmp", folder) > 0 &&
              asprintf(&artifacts, "%s/artifacts", folder) > 0, "out of memory");
    json_add_string(drivers, "test.generate", driver);
    json_add(params, "drivers", drivers);
    json_add_string(params, "temp_dir", temporary);
    json_add_string(params, "artifacts_dir", artifacts);
    json_object *hello = json_tokener_parse("{\"protocol\": 1, \"version\": \"bench\"}");
    request(peer, "hello", hello);
    request(peer, "prepare", params);
}

static double *time_pings(struct peer *peer, double *at)
{
    for (int i = 0; i < PINGS; i++) {
        int64_t began = clock_monotonic_ns();
        request(peer, "ping", NULL);
        *at++ = (double)(clock_monotonic_ns() - began);
    }
    return at;
}

/* A step that makes nothing for nobody. Between two of them it is aborted, so that it can be requested again. */
static double *time_steps(struct peer *peer, double *at)
{
    for (int i = 0; i < STEPS; i++) {
        json_object *params =
            json_tokener_parse("{\"step_id\": \"nothing\", \"driver\": \"test.generate\","
                               " \"component\": \"test.generate\", \"config\": {\"rows\": 0},"
                               " \"inputs\": {}}");
        int64_t began = clock_monotonic_ns();
        request(peer, "execute_step", params);
        *at++ = (double)(clock_monotonic_ns() - began);
        request(peer, "abort", json_tokener_parse("{\"step_ids\": [\"nothing\"]}"));
    }
    return at;
}

/* Of one kind of round trips: all samples, and each turn's percentiles as multiples of those of raw in the same turn. */
struct row {
    const char *name;
    size_t a_turn;
    double *samples, *end;
    double *ratios[RATED];
    double aims[RATED]; /* 0: none */
};

enum { RAW, PING, STEP, ROWS };

static void *make_samples(size_t count)
{
    double *samples = calloc(count, sizeof *samples);

    check(samples != NULL, "out of memory");
    return samples;
}

static void free_row(struct row *row)
{
    free(row->samples);
    for (int i = 0; i < RATED; i++)
        free(row->ratios[i]);
}

static void rate_turn(struct row *row, const struct row *raw, size_t turn)
{
    for (int i = 0; i < RATED; i++)
        row->ratios[i][turn] =
            percentile(row->end - row->a_turn, row->a_turn, points[i]) /
            percentile(raw->end - raw->a_turn, raw->a_turn, points[i]);
}

static void print_row(struct row *row, size_t turns)
{
    printf("  %-13s", row->name);
    for (int i = 0; i < POINTS; i++)
        printf(" %8.1f", percentile(row->samples, (size_t)(row->end - row->samples), points[i]) / 1e3);
    for (int i = 0; i < RATED && row->aims[0] > 0; i++) {
        double ratio = percentile(row->ratios[i], turns, 0.5);
        printf("   %6.2f (%5.2f-%5.2f) %s", ratio, percentile(row->ratios[i], turns, 0.25),
               percentile(row->ratios[i], turns, 0.75),
               row->aims[i] > 0 ? verdict(ratio <= row->aims[i]) : "       ");
    }
    putchar('\n');
}

static void take_turns(struct row rows[ROWS], struct peer *peer, int echo_fd, size_t turns)
{
    for (size_t i = 0; i < turns; i++) {
        rows[RAW].end = time_raw(echo_fd, rows[RAW].end);
        rows[PING].end = time_pings(peer, rows[PING].end);
        rows[STEP].end = time_steps(peer, rows[STEP].end);
        for (int j = 0; j < ROWS; j++)
            rate_turn(&rows[j], &rows[RAW], i);
    }
}

static void measure(const struct bench_options *options, enum where where)
{
    size_t turns = (size_t)options->rounds * TURNS_A_ROUND;
    struct row rows[ROWS] = {
        [RAW] = {.name = "raw, 64 bytes", .a_turn = PINGS},
        [PING] = {.name = "ping", .a_turn = PINGS, .aims = {1.5}},
        [STEP] = {.name = "no-op step", .a_turn = STEPS, .aims = {4, 8}},
    };
    cpu_set_t before;
    struct peer peer = {0};
    char folder[] = "/tmp/osiris-bench.XXXXXX";
    int fd;

    for (int i = 0; i < ROWS; i++) {
        rows[i].samples = rows[i].end = make_samples(turns * rows[i].a_turn);
        for (int j = 0; j < RATED; j++)
            rows[i].ratios[j] = make_samples(turns);
    }
    check(mkdtemp(folder) != NULL, "no temporary folder");
    check(sched_getaffinity(0, sizeof before, &before) == 0, "cannot see the cores");
    pid_t echo = start_echo(where, &fd);
    start_worker(&peer, options->worker, where);
    sit_on(where, 0);
    prepare(&peer, options, folder);
    take_turns(rows, &peer, fd, turns);
    request(&peer, "cleanup", NULL);
    channel_free(peer.channel);
    (void)close(fd);
    (void)waitpid(peer.pid, NULL, 0);
    (void)rmdir(folder); /* nothing is left in it */
    (void)waitpid(echo, NULL, 0);
    (void)sched_setaffinity(0, sizeof before, &before);
    printf(" %s\n", place_titles[where]);
    for (int i = 0; i < ROWS; i++) {
        print_row(&rows[i], turns);
        free_row(&rows[i]);
    }
}

void bench_latency(const struct bench_options *options)
{
    puts("round trips: microseconds, and times raw, turn by turn (quartiles; aims: ping 1.5 at p50, step 4 at p50 and 8 at p99)\n"
         "                     p50      p99    p99.9   p50 of raw                     p99 of raw");
    for (int where = 0; where < PLACES; where++)
        if (is_wanted(options->where, place_names[where]))
            measure(options, (enum where)where);
}
