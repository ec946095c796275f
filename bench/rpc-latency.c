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
#include "core/channel.h"
#include "core/clock.h"
#include "core/json-access.h"
#include "core/json-build.h"

enum { PINGS = 2000, STEPS = 400, MESSAGE = 64 };

/*
 * Where the two ends run decides most of what a round trip takes: on one core a switch, on two a wake-up of the other one. Left
 * alone, the scheduler does now this and now that.
 */
enum where { ANYWHERE, ON_TWO_CORES };

static void sit_on(enum where where, int which)
{
    cpu_set_t allowed, one;
    int seen = 0;

    if (where == ANYWHERE)
        return;
    check(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "cannot see the cores");
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &allowed) && seen++ == which)
            CPU_SET(core, &one);
    check(sched_setaffinity(0, sizeof one, &one) == 0, "there are no two cores");
}

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
        int64_t began = clock_monotonic_ns();
        request(peer, "execute_step",
                json_tokener_parse("{\"step_id\": \"nothing\", \"driver\": \"test.generate\","
                                   " \"component\": \"test.generate\", \"config\": {\"rows\": 0},"
                                   " \"inputs\": {}}"));
        *at++ = (double)(clock_monotonic_ns() - began);
        request(peer, "abort", json_tokener_parse("{\"step_ids\": [\"nothing\"]}"));
    }
    return at;
}

static void print_row(const char *name, double *samples, const double *end, const double raw[3])
{
    static const double points[] = {0.5, 0.99, 0.999};
    size_t count = (size_t)(end - samples);

    printf("  %-14s", name);
    for (int i = 0; i < 3; i++) {
        double value = percentile(samples, count, points[i]);
        printf("  %8.1f (%5.2f)", value / 1e3, value / raw[i]);
    }
    putchar('\n');
}

static void measure(const struct bench_options *options, enum where where, const char *title)
{
    size_t pings = (size_t)options->rounds * PINGS, steps = (size_t)options->rounds * STEPS;
    double *samples = calloc(2 * pings + steps, sizeof *samples), raw[3];
    double *raw_end = samples, *ping = samples + pings, *step = ping + pings;
    double *ping_end = ping, *step_end = step;
    cpu_set_t before;
    struct peer peer = {0};
    char folder[] = "/tmp/osiris-bench.XXXXXX";
    int fd;

    check(mkdtemp(folder) != NULL, "no temporary folder");
    check(samples != NULL && sched_getaffinity(0, sizeof before, &before) == 0, "cannot begin");
    pid_t echo = start_echo(where, &fd);
    start_worker(&peer, options->worker, where);
    sit_on(where, 0);
    prepare(&peer, options, folder);
    for (int i = 0; i < options->rounds; i++) {
        raw_end = time_raw(fd, raw_end);
        ping_end = time_pings(&peer, ping_end);
        step_end = time_steps(&peer, step_end);
    }
    request(&peer, "cleanup", NULL);
    channel_free(peer.channel);
    (void)close(fd);
    (void)waitpid(peer.pid, NULL, 0);
    (void)rmdir(folder); /* nothing is left in it */
    (void)waitpid(echo, NULL, 0);
    (void)sched_setaffinity(0, sizeof before, &before);
    raw[0] = percentile(samples, pings, 0.5);
    raw[1] = percentile(samples, pings, 0.99);
    raw[2] = percentile(samples, pings, 0.999);
    printf(" %s\n", title);
    print_row("raw, 64 bytes", samples, raw_end, raw);
    print_row("ping", ping, ping_end, raw);
    print_row("no-op step", step, step_end, raw);
    free(samples);
}

void bench_latency(const struct bench_options *options)
{
    printf("round trips, microseconds (times raw)\n  %-14s  %16s  %16s  %16s\n", "", "p50", "p99", "p99.9");
    measure(options, ON_TWO_CORES, "each end on a core of its own");
    measure(options, ANYWHERE, "where the scheduler puts them");
}
