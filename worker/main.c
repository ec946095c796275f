/*
 * osiris-worker: runs the steps of one pipeline for an orchestrator at the other end of a channel
 * (docs/protocol.md). The main thread runs the session's loop (worker.h); step threads run drivers.
 *
 *     osiris-worker --channel-fd N      a connected stream socket
 *     osiris-worker --listen-fd N       a listening one: it accepts the link of the channel, and another one if that is lost
 *     … --stdout-fd M                   with either: the command's standard output, for the path "-"
 *     osiris-worker --start FOLDER …    a worker of its own that listens in FOLDER, and a link to it (relay/commands.h)
 *     osiris-worker --describe FILE…    describes plug-ins, as JSON
 *     osiris-worker --validate          lets drivers validate configs; input and output are JSON
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "worker/describe.h"
#include "worker/lifecycle.h"
#include "worker/calls.h"
#include "worker/name-service.h"
#include "worker/prepare.h"
#include "worker/relay/commands.h"
#include "worker/worker.h"
#include "worker/validate.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/* The orchestrator is gone: nothing of the run may remain. */
static void stop_alone(struct worker *worker, const struct osiris_error *error)
{
    fprintf(stderr, "osiris-worker: %s; stopping\n", error->message);
    if (worker->channel != NULL)
        channel_shutdown(worker->channel);
    if (worker->run != NULL) {
        home_cut(worker->run->home);
        if (decide_stop_all(worker->run, WORKER_STOP_MS))
            run_free(worker->run);
        else
            run_remove_temp_dir(worker->run, false);
    }
    stand_in_end(&worker->stand_in);
    lifecycle_kill_group();
}

/* A giant value's buffers go back to the system when they are freed. By default the allocator takes the first one
 * that is freed for the usual size, and keeps as much from then on. Batches' usual buffers are below.
 * Each arena keeps free memory of its own, and by default there are eight a core: a driver with many threads fills them all,
 * though what it allocates is few and large buffers. */
static void bound_free_memory(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
    (void)mallopt(M_ARENA_MAX, 4);
#endif
}

static int begin(struct worker *worker, int given_fd, bool listens, struct osiris_error *error)
{
    int fd = lifecycle_begin(given_fd, error);

    if (fd < 0)
        return -1;
    if (listens)
        worker->door = door_new(fd, error);
    else
        worker->channel = channel_new(fd, error);
    if (worker->door == NULL && worker->channel == NULL)
        return -1;
    if (worker->channel != NULL)
        channel_set_destination(worker->channel, worker_find_room, worker);
    worker->signal_fd = lifecycle_signal_fd(error);
    worker->last_received_ms = worker->last_sent_ms = clock_monotonic_ms();
    worker->greeting_deadline_ms = worker->last_received_ms + WORKER_GREETING_MS;
    return worker->signal_fd < 0 ? -1 : 0;
}

/* A driver has called pthread_exit on the main thread (for example, while it was loaded): the worker cannot continue without it. */
static void on_thread_end(void *context)
{
    const struct main_call call = calls_read();

    (void)context;
    if (call.function == NULL || call.who == NULL)
        return;
    fprintf(stderr, "osiris-worker: step \"%s\": the driver \"%s\" ended the worker's main thread in %s(); this is a fault of the "
            "driver\n", call.who->step_id, call.who->driver, call.function);
    _exit(1);
}

static int work_until_end(struct worker *worker, struct osiris_error *error)
{
    int result;

    pthread_cleanup_push(on_thread_end, NULL);
    result = worker_loop(worker, error);
    pthread_cleanup_pop(0);
    return result;
}

static int work(int given_fd, bool listens, int stdout_fd)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *ids = json_object_new_object();
    struct worker worker = {.ids = ids, .signal_fd = -1, .stdout_fd = stdout_fd};

    calls_begin_main();
    bound_free_memory();
    lifecycle_note_origin(&worker.origin);
    if (begin(&worker, given_fd, listens, &error) < 0) {
        fprintf(stderr, "osiris-worker: %s\n", error.message);
        return 1;
    }
    if (work_until_end(&worker, &error) < 0)
        stop_alone(&worker, &error);
    lifecycle_bound_exit();
    stand_in_end(&worker.stand_in);
    channel_free(worker.channel);
    door_free(worker.door);
    (void)close(worker.signal_fd);
    free(worker.origin.output.path);
    return 0;
}

static int work_listening(int listen_fd)
{
    return work(listen_fd, true, -1);
}

static int usage(void)
{
    fputs("usage: osiris-worker --channel-fd N [--stdout-fd M]\n"
          "       osiris-worker --listen-fd N [--stdout-fd M]\n"
          "       osiris-worker --start FOLDER [--log-offset N] [--remove PATH]...\n"
          "       osiris-worker --relay FOLDER [--log-offset N]\n"
          "       osiris-worker --status FOLDER\n"
          "       osiris-worker --kill FOLDER ask|kill\n"
          "       osiris-worker --sweep PARENT\n"
          "       osiris-worker --describe FILE...\n"
          "       osiris-worker --validate\n"
          "       osiris-worker --version\n"
          "Runs the steps of a pipeline. It is started by osiris.\n",
          stderr);
    return 2;
}

/* The number of a descriptor; -1: the text is not one. */
static int descriptor(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    return end != text && *end == '\0' && number >= 0 && number <= 1 << 20 ? (int)number : -1;
}

int main(int argc, char **argv)
{
    int given_fd = -1, stdout_fd = -1, code;

    name_service_begin();
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes is an error of the write */
    if (argc >= 2 && strcmp(argv[1], "--describe") == 0)
        return worker_describe(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "--validate") == 0)
        return worker_validate();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("osiris-worker " PACKAGE_VERSION);
        return 0;
    }
    if (relay_command(argc, argv, work_listening, &code))
        return code;
    bool listens = argc >= 3 && strcmp(argv[1], "--listen-fd") == 0;
    if ((argc == 3 || argc == 5) && (listens || strcmp(argv[1], "--channel-fd") == 0))
        given_fd = descriptor(argv[2]);
    if (argc == 5)
        stdout_fd = strcmp(argv[3], "--stdout-fd") == 0 ? descriptor(argv[4]) : -1;
    if (given_fd < 0 || (argc == 5 && (stdout_fd < 3 || stdout_fd == given_fd ||
                                       fcntl(stdout_fd, F_SETFD, FD_CLOEXEC) < 0)))
        return usage();
    return work(given_fd, listens, stdout_fd);
}
