/*
 * relayed: an execution adapter for version 1.3 whose place is another folder of this machine. The worker can be reached again
 * (osiris-worker --listen-fd). A thread joins its socket to two pipes, which are the channel, and does to what passes what the options say:
 * delays it, cuts the link, or ends one of the pipes. Built with the public headers alone.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "test-plugin.h"

#define CHILD_LISTEN_FD 3
#define CHUNK 65536
#define HELD_BYTES ((size_t)64 << 20) /* what a slow link holds each way */
#define MOST_DRIVERS 8

static const char spec[] =
    "{\"title\": \"Relayed\", \"description\": \"Pipes to a worker in a folder, for tests\","
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"form\": {\"type\": \"string\", \"enum\": [\"pipes\", \"sockets\", \"socket\", \"in_turn\"], \"default\": \"pipes\"},"
    "\"remote\": {\"type\": \"boolean\", \"default\": false},"
    "\"delay_ms\": {\"type\": \"integer\", \"default\": 0, \"description\": \"of every byte, each way\"},"
    "\"cut_every\": {\"type\": \"integer\", \"default\": 0, \"description\": \"bytes that a link carries, both ways together\"},"
    "\"half\": {\"type\": \"string\", \"enum\": [\"input\", \"output\"], \"description\": \"of Osiris: ends once, the other stays open\"},"
    "\"half_after\": {\"type\": \"integer\", \"default\": 20000, \"description\": \"so many bytes\"},"
    "\"silent_at\": {\"type\": \"string\", \"description\": \"the first link carries nothing to Osiris after it has sent this\"},"
    "\"impatient\": {\"type\": \"boolean\", \"default\": false, \"description\": \"what waits when Osiris leaves is dropped\"},"
    "\"lost_after\": {\"type\": \"integer\", \"default\": 0, \"description\": \"the place is gone after so many bytes\"},"
    "\"folder\": {\"type\": \"string\", \"description\": \"of the place; without it, paths are those of this machine\"},"
    "\"forget_drivers\": {\"type\": \"boolean\", \"default\": false, \"description\": \"there are none in the folder\"},"
    "\"bundle\": {\"type\": \"boolean\", \"default\": false}}}}";

struct chunk {
    struct chunk *next;
    int64_t due_ms;
    size_t length, done;
    unsigned char bytes[];
};

/* What passes in one direction. */
struct lane {
    int in, out;
    struct chunk *first, **end;
    size_t held;
};

enum { TO_WORKER, FROM_WORKER };

struct relayed {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    pid_t worker;
    struct sockaddr_un address;
    socklen_t address_length;
    int listen_fd;
    bool is_lost;
    int64_t links, cuts, carried, asked;
    /* The link, and who carries. Joined before anything here is touched. */
    pthread_t carrier;
    bool has_carrier, half_done, is_silent;
    int stop[2]; /* a pipe */
    struct lane lanes[2];
    /* Paths of the place. */
    char folder[PATH_MAX], artifacts[PATH_MAX + 16], temp[PATH_MAX + 16], drivers[MOST_DRIVERS][2 * PATH_MAX];
    const char *driver_paths[MOST_DRIVERS + 1];
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int fail(const struct relayed *relayed, const char *what)
{
    return test_fail(relayed->host, OSIRIS_ERROR_CONNECTION, "%s: %s", what, strerror(errno));
}

static int64_t option(const struct relayed *relayed, const char *name)
{
    return relayed->host->get_integer(relayed->host, OSIRIS_CONFIG, name, 0);
}

static const char *text_option(const struct relayed *relayed, const char *name)
{
    return relayed->host->get_string(relayed->host, OSIRIS_CONFIG, name, "");
}

/* Carrying. */

/* The socket to the worker is both its lanes'. */
static void close_end(struct relayed *relayed, int *fd)
{
    int other = *fd;

    *fd = -1;
    for (int i = 0; i < 2; i++)
        if (other == relayed->lanes[i].in || other == relayed->lanes[i].out)
            return;
    close_fd(&other);
}

static void end_lane(struct relayed *relayed, struct lane *lane)
{
    while (lane->first != NULL) {
        struct chunk *chunk = lane->first;
        lane->first = chunk->next;
        free(chunk);
    }
    lane->held = 0;
    lane->end = &lane->first;
    /* The other lane may still use it to read. */
    if (lane->out >= 0)
        (void)shutdown(lane->out, SHUT_WR);
    close_end(relayed, &lane->out);
    close_end(relayed, &lane->in);
}

static bool swallows(struct relayed *relayed, int which, const struct chunk *chunk)
{
    const char *word = text_option(relayed, "silent_at");

    if (which == FROM_WORKER)
        return relayed->is_silent;
    if (word[0] != '\0' && relayed->links == 1 && memmem(chunk->bytes, chunk->length, word, strlen(word)) != NULL)
        relayed->is_silent = true;
    return false;
}

/* -1: the link breaks behind what has been taken. */
static int take_in(struct relayed *relayed, int which)
{
    struct lane *lane = &relayed->lanes[which];
    int64_t every = option(relayed, "cut_every"), lost = option(relayed, "lost_after");
    size_t most = every > 0 && every - relayed->carried < CHUNK ? (size_t)(every - relayed->carried) : CHUNK;
    struct chunk *chunk = malloc(sizeof *chunk + CHUNK);
    ssize_t got = chunk == NULL ? -1 : read(lane->in, chunk->bytes, most);

    if (got <= 0) {
        bool again = got < 0 && errno == EAGAIN;
        free(chunk);
        if (!again)
            close_end(relayed, &lane->in);
        return !again && which == TO_WORKER && relayed->host->get_boolean(relayed->host, OSIRIS_CONFIG, "impatient", 0) ? 1 : 0;
    }
    relayed->carried += got;
    chunk->next = NULL;
    chunk->due_ms = now_ms() + option(relayed, "delay_ms");
    chunk->length = (size_t)got;
    chunk->done = 0;
    if (swallows(relayed, which, chunk)) {
        free(chunk);
    } else {
        *lane->end = chunk;
        lane->end = &chunk->next;
        lane->held += chunk->length;
    }
    if (lost > 0 && relayed->carried >= lost) {
        (void)kill(-relayed->worker, SIGKILL);
        relayed->is_lost = true;
        return -1;
    }
    return every > 0 && relayed->carried >= every ? -1 : 0;
}

static bool is_due(const struct lane *lane)
{
    return lane->first != NULL && lane->first->due_ms <= now_ms();
}

/* 0: all that is due was put out, or the reader is slow; -1: there is no reader. */
static int put_out(struct lane *lane)
{
    while (is_due(lane)) {
        struct chunk *chunk = lane->first;
        ssize_t done = write(lane->out, chunk->bytes + chunk->done, chunk->length - chunk->done);
        if (done < 0)
            return errno == EAGAIN ? 0 : -1;
        chunk->done += (size_t)done;
        if (chunk->done < chunk->length)
            continue;
        lane->held -= chunk->length;
        lane->first = chunk->next;
        if (lane->first == NULL)
            lane->end = &lane->first;
        free(chunk);
    }
    return 0;
}

static void end_half(struct relayed *relayed)
{
    const char *half = text_option(relayed, "half");

    if (half[0] == '\0' || relayed->half_done || relayed->carried < option(relayed, "half_after"))
        return;
    relayed->half_done = true;
    relayed->cuts++;
    if (strcmp(half, "input") == 0)
        close_end(relayed, &relayed->lanes[FROM_WORKER].out);
    else
        close_end(relayed, &relayed->lanes[TO_WORKER].in);
}

/* What waits goes out as far as it can: the bytes before a cut have passed. -1: cut; 1: the link is no longer wanted. */
static int carry_once(struct relayed *relayed)
{
    int result = 0, timeout_ms = 1000;
    struct pollfd fds[5] = {{.fd = relayed->stop[0], .events = POLLIN}};

    for (int i = 0; i < 2; i++) {
        const struct lane *lane = &relayed->lanes[i];
        fds[1 + 2 * i] = (struct pollfd){.fd = lane->held < HELD_BYTES ? lane->in : -1, .events = POLLIN};
        fds[2 + 2 * i] = (struct pollfd){.fd = is_due(lane) ? lane->out : -1, .events = POLLOUT};
        if (lane->first != NULL && !is_due(lane) && lane->first->due_ms - now_ms() < timeout_ms)
            timeout_ms = (int)(lane->first->due_ms - now_ms());
    }
    if (poll(fds, 5, timeout_ms < 0 ? 0 : timeout_ms) < 0 || fds[0].revents != 0)
        return 1;
    for (int i = 0; i < 2 && result == 0; i++) {
        struct lane *lane = &relayed->lanes[i];
        if (fds[1 + 2 * i].revents != 0)
            result = take_in(relayed, i);
        if (lane->out >= 0 && put_out(lane) < 0)
            end_lane(relayed, lane);
        else if (lane->in < 0 && lane->first == NULL && lane->out >= 0)
            end_lane(relayed, lane);
    }
    end_half(relayed);
    return result;
}

static void *carry(void *context)
{
    struct relayed *relayed = context;
    sigset_t pipe;

    /* A reader that has gone is an error, not a signal. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    int result = 0;
    while (result == 0 && (relayed->lanes[TO_WORKER].in >= 0 || relayed->lanes[FROM_WORKER].in >= 0))
        result = carry_once(relayed);
    relayed->cuts += result < 0;
    for (int i = 0; i < 2; i++)
        end_lane(relayed, &relayed->lanes[i]);
    return NULL;
}

static void end_link(struct relayed *relayed)
{
    if (!relayed->has_carrier)
        return;
    close_fd(&relayed->stop[1]);
    (void)pthread_join(relayed->carrier, NULL);
    close_fd(&relayed->stop[0]);
    relayed->has_carrier = false;
}

/* Links. */

/* [0] is read, [1] is written. */
static int make_pair(bool socket, int pair[2])
{
    return socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) : pipe2(pair, O_CLOEXEC);
}

static int connect_to_worker(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void set_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* The form of this link: in turn, or always the same. */
static const char *form_of(const struct relayed *relayed)
{
    static const char *const forms[] = {"pipes", "socket", "sockets"};
    const char *form = text_option(relayed, "form");

    return strcmp(form, "in_turn") == 0 ? forms[relayed->links % 3] : form;
}

static int start_carrier(struct relayed *relayed, int worker, int from_osiris, int to_osiris)
{
    relayed->lanes[TO_WORKER] = (struct lane){.in = from_osiris, .out = worker};
    relayed->lanes[FROM_WORKER] = (struct lane){.in = worker, .out = to_osiris};
    for (int i = 0; i < 2; i++) {
        relayed->lanes[i].end = &relayed->lanes[i].first;
        set_nonblocking(relayed->lanes[i].in);
        set_nonblocking(relayed->lanes[i].out);
    }
    relayed->carried = 0;
    relayed->is_silent = false;
    relayed->links++;
    if (pipe2(relayed->stop, O_CLOEXEC) < 0 || pthread_create(&relayed->carrier, NULL, carry, relayed) != 0)
        return fail(relayed, "cannot start a thread");
    relayed->has_carrier = true;
    return 0;
}

static int make_link(struct relayed *relayed, struct osiris_channel *channel)
{
    const char *form = form_of(relayed);
    bool sockets = strcmp(form, "pipes") != 0;
    int down[2], up[2], worker = connect_to_worker();

    if (worker < 0 || connect(worker, (const struct sockaddr *)&relayed->address, relayed->address_length) < 0 ||
        make_pair(sockets, down) < 0)
        return fail(relayed, "cannot connect to the worker");
    if (strcmp(form, "socket") == 0) {
        channel->socket = down[1];
        return start_carrier(relayed, worker, down[0], down[0]);
    }
    if (make_pair(sockets, up) < 0)
        return fail(relayed, "cannot make a link");
    channel->output = down[1];
    channel->input = up[0];
    return start_carrier(relayed, worker, down[0], up[1]);
}

/* The place. */

static int make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* The drivers are copied, so that what is used is what was named. */
static int copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int source = open(from, O_RDONLY | O_CLOEXEC), target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    ssize_t got = -1;

    while (source >= 0 && target >= 0 && (got = read(source, bytes, sizeof bytes)) > 0)
        if (write(target, bytes, (size_t)got) != got)
            break;
    close_fd(&source);
    close_fd(&target);
    return got == 0 ? 0 : -1;
}

static int make_place(struct relayed *relayed)
{
    bool forgets = relayed->host->get_boolean(relayed->host, OSIRIS_CONFIG, "forget_drivers", 0);

    if (realpath(text_option(relayed, "folder"), relayed->folder) == NULL)
        return fail(relayed, "no folder");
    snprintf(relayed->artifacts, sizeof relayed->artifacts, "%s/artifacts", relayed->folder);
    snprintf(relayed->temp, sizeof relayed->temp, "%s/temp", relayed->folder);
    for (int i = 0; relayed->context->driver_paths[i] != NULL && i < MOST_DRIVERS; i++) {
        const char *path = relayed->context->driver_paths[i];
        snprintf(relayed->drivers[i], sizeof relayed->drivers[i], "%s/%d-%s", relayed->folder, i, strrchr(path, '/') + 1);
        relayed->driver_paths[i] = relayed->drivers[i];
        if (!forgets && copy_file(path, relayed->drivers[i]) < 0)
            return fail(relayed, relayed->drivers[i]);
    }
    return make_folder(relayed->artifacts);
}

static void name_paths(struct relayed *relayed, struct osiris_channel *channel)
{
    if (relayed->folder[0] == '\0')
        return;
    channel->driver_paths = relayed->driver_paths;
    channel->artifacts_dir = relayed->artifacts;
    channel->temp_dir = relayed->temp;
    channel->working_dir = relayed->folder;
}

static int report_bundle(const struct relayed *relayed)
{
    struct osiris_bundle bundle = {.struct_size = sizeof bundle};
    char text[3 * PATH_MAX];

    if (relayed->context->bundle == NULL)
        return test_fail(relayed->host, OSIRIS_ERROR_CONFIG, "there are no bundles");
    if (relayed->context->bundle(relayed->context, &bundle) < 0)
        return -1;
    int length = snprintf(text, sizeof text, "{\"path\": \"%s\", \"hash\": \"%s\", \"size\": %lld, \"told\": %s, \"drivers\": [",
                          bundle.path, bundle.hash, (long long)bundle.size,
                          strstr(bundle.description, "\"architecture\"") != NULL ? "true" : "false");
    for (int i = 0; bundle.driver_paths[i] != NULL; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s\"%s\"", i == 0 ? "" : ", ", bundle.driver_paths[i]);
    snprintf(text + length, sizeof text - (size_t)length, "]}");
    relayed->host->event(relayed->host, "bundle_made", text);
    return 0;
}

/* Verbs. */

static int relayed_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    struct relayed *relayed = calloc(1, sizeof *relayed);

    if (relayed == NULL)
        return -1;
    relayed->host = host;
    relayed->context = context;
    relayed->listen_fd = relayed->stop[0] = relayed->stop[1] = -1;
    *state = relayed;
    return 0;
}

static int relayed_prepare(void *state)
{
    struct relayed *relayed = state;
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX}; /* Linux finds it a name */

    relayed->listen_fd = connect_to_worker();
    relayed->address_length = sizeof relayed->address;
    if (relayed->listen_fd < 0 || bind(relayed->listen_fd, (const struct sockaddr *)&unnamed, sizeof unnamed.sun_family) < 0 ||
        listen(relayed->listen_fd, 16) < 0 ||
        getsockname(relayed->listen_fd, (struct sockaddr *)&relayed->address, &relayed->address_length) < 0)
        return fail(relayed, "cannot listen");
    if (text_option(relayed, "folder")[0] != '\0' && make_place(relayed) < 0)
        return fail(relayed, "cannot make the place");
    return relayed->host->get_boolean(relayed->host, OSIRIS_CONFIG, "bundle", 0) ? report_bundle(relayed) : 0;
}

static void run_child(const struct relayed *relayed, int diagnostics)
{
    char number[] = {'0' + CHILD_LISTEN_FD, '\0'};
    char *const arguments[] = {(char *)relayed->context->worker_path, (char *)"--listen-fd", number, NULL};
    int high = fcntl(relayed->listen_fd, F_DUPFD_CLOEXEC, 20), high_diagnostics = fcntl(diagnostics, F_DUPFD_CLOEXEC, 20);
    sigset_t none;

    (void)setpgid(0, 0);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (high >= 0 && dup2(high, CHILD_LISTEN_FD) >= 0 && dup2(high_diagnostics, STDOUT_FILENO) >= 0 &&
        dup2(high_diagnostics, STDERR_FILENO) >= 0)
        execve(relayed->context->worker_path, arguments, (char *const *)relayed->context->environment);
    _exit(127);
}

static int relayed_execute(void *state, struct osiris_channel *channel)
{
    struct relayed *relayed = state;
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return fail(relayed, "cannot make a pipe");
    relayed->worker = fork();
    if (relayed->worker == 0)
        run_child(relayed, pipes[1]);
    (void)close(pipes[1]);
    channel->diagnostics = pipes[0];
    if (relayed->worker < 0)
        return fail(relayed, "cannot start a process");
    (void)setpgid(relayed->worker, relayed->worker);
    close_fd(&relayed->listen_fd);
    if (relayed->host->get_boolean(relayed->host, OSIRIS_CONFIG, "remote", 0))
        channel->flags = OSIRIS_CHANNEL_REMOTE;
    name_paths(relayed, channel);
    return make_link(relayed, channel);
}

static int relayed_reconnect(void *state, struct osiris_channel *channel)
{
    struct relayed *relayed = state;

    end_link(relayed);
    if (relayed->is_lost) {
        errno = EHOSTUNREACH;
        return fail(relayed, "the place is gone");
    }
    return make_link(relayed, channel);
}

static void look(struct relayed *relayed, struct osiris_worker_exit *result)
{
    siginfo_t info = {0};

    result->state = OSIRIS_WORKER_RUNNING;
    if (relayed->worker <= 0 || (!relayed->has_carrier && relayed->is_lost)) {
        result->state = OSIRIS_WORKER_LOST;
    } else if (waitid(P_PID, (id_t)relayed->worker, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == relayed->worker) {
        result->state = info.si_code == CLD_EXITED ? OSIRIS_WORKER_EXITED : OSIRIS_WORKER_SIGNALLED;
        result->code = info.si_status;
    }
}

static int relayed_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct relayed *relayed = state;
    int64_t deadline = now_ms() + timeout_ms;

    /* A place that is gone says nothing of its worker. */
    if (option(relayed, "lost_after") > 0) {
        end_link(relayed);
        result->state = relayed->is_lost ? OSIRIS_WORKER_LOST : OSIRIS_WORKER_RUNNING;
        if (relayed->is_lost)
            return 0;
    }
    for (;;) {
        look(relayed, result);
        if (result->state != OSIRIS_WORKER_RUNNING || now_ms() >= deadline)
            return 0;
        (void)poll(NULL, 0, 2);
    }
}

static int relayed_terminate(void *state, int32_t how)
{
    struct relayed *relayed = state;

    relayed->asked++;
    if (relayed->worker > 0)
        (void)kill(how == OSIRIS_TERMINATE_KILL ? -relayed->worker : relayed->worker,
                   how == OSIRIS_TERMINATE_KILL ? SIGKILL : SIGTERM);
    return 0;
}

static int relayed_collect(void *state)
{
    (void)state;
    return 0;
}

static void relayed_close(void *state)
{
    struct relayed *relayed = state;

    end_link(relayed);
    relayed->host->metric(relayed->host, "link_cuts", (double)relayed->cuts, NULL);
    relayed->host->metric(relayed->host, "ends_asked_for", (double)relayed->asked, NULL);
    if (relayed->worker > 0) {
        (void)kill(-relayed->worker, SIGKILL);
        while (waitpid(relayed->worker, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close_fd(&relayed->listen_fd);
    free(relayed);
}

static const struct osiris_adapter relayed_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "relayed",
    .version = "1.0.0",
    .spec = spec,
    .open = relayed_open,
    .prepare = relayed_prepare,
    .execute = relayed_execute,
    .worker_exit = relayed_worker_exit,
    .terminate = relayed_terminate,
    .collect = relayed_collect,
    .close = relayed_close,
    .reconnect = relayed_reconnect,
};

static const struct osiris_adapter *const adapters[] = {&relayed_adapter, NULL};

OSIRIS_PLUGIN(relayed) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "relayed",
    .version = "1.0.0",
    .adapters = adapters,
};
