/*
 * flaky: an execution adapter whose worker can be reached again (osiris-worker --listen-fd), over links that break. Between
 * Osiris and the worker a thread carries bytes, and cuts as the options say.
 *
 *     frames   each frame in either direction is cut off three times: before it, in its middle, behind it
 *     bytes    each link carries a random number of bytes, few or many
 *
 * Now and then only Osiris's side is cut, so that the worker does not know yet. Metrics of the place say what was done:
 * link_cuts, strangers, strangers_heard (those who got an answer, or were not shown out).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <osiris/plugin.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEADER 16
#define CHILD_LISTEN_FD 3

static const char spec[] =
    "{\"title\": \"Flaky\", \"description\": \"Links that break, for tests\","
    "\"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"mode\": {\"type\": \"string\", \"enum\": [\"none\", \"frames\", \"bytes\"], \"default\": \"none\"},"
    "\"seed\": {\"type\": \"integer\", \"default\": 1},"
    "\"cuts\": {\"type\": \"integer\", \"default\": 1000000, \"description\": \"no more than these\"},"
    "\"tcp\": {\"type\": \"boolean\", \"default\": false},"
    "\"remote\": {\"type\": \"boolean\", \"default\": false},"
    "\"folder\": {\"type\": \"string\", \"description\": \"of the place, which does not have osiris's files\"},"
    "\"down_ms\": {\"type\": \"integer\", \"default\": 0, \"description\": \"from a cut to the next link\"},"
    "\"cut_after\": {\"type\": \"integer\", \"default\": -1, \"description\": \"once, after so many frames\"},"
    "\"then\": {\"type\": \"string\", \"enum\": [\"go_on\", \"never_again\", \"kill\"],"
    "\"default\": \"go_on\", \"description\": \"what meets who makes the link again\"},"
    "\"silent_after\": {\"type\": \"integer\", \"default\": -1, \"description\": \"carries nothing from then on\"},"
    "\"silent\": {\"type\": \"string\", \"enum\": [\"both\", \"to_worker\", \"from_worker\"], \"default\": \"both\"},"
    "\"hold\": {\"type\": \"string\", \"description\": \"no worker is started while this file is there\"},"
    "\"hold_end\": {\"type\": \"string\", \"description\": \"nobody hears of a worker's end while this file is there\"},"
    "\"hold_kill\": {\"type\": \"string\", \"description\": \"no worker is killed while this file is there\"},"
    "\"hold_collect\": {\"type\": \"string\", \"description\": \"artifacts come home when this file is gone\"},"
    "\"deaf\": {\"type\": \"boolean\", \"default\": false, \"description\": \"also when cancelled\"},"
    "\"strangers\": {\"type\": \"boolean\", \"default\": false}}}}";

/* What passes in one direction. */
struct lane {
    unsigned char header[HEADER];
    size_t filled;        /* of the header */
    uint64_t left, quota; /* of the frame in hand: to come; that may pass */
    uint64_t seen;        /* the last frame that has had its three cuts */
    int stage, greeting_stage;
};

struct flaky {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    pid_t worker;
    struct sockaddr_storage address;
    socklen_t address_length;
    int listen_fd, lingering_fd;
    const char *folder; /* NULL: the place has osiris's files */
    char artifacts_dir[4096], temp_dir[4096];
    int64_t cut_at_ms;
    /* The link, and who carries. Joined before anything below is touched. */
    pthread_t carrier;
    int has_carrier;
    int ends[2]; /* Osiris's, the worker's */
    atomic_int stop;
    /* Options and progress. */
    int by_frames, by_bytes;
    unsigned seed;
    int64_t cuts_left, cuts, cut_after, silent_after, frames;
    int silenced, silent_lanes; /* bits: 1 to the worker, 2 from it */
    int64_t budget;
    struct lane lanes[2]; /* to the worker, from it */
    int64_t strangers, strangers_heard;
};

static int fail(const struct flaky *flaky, const char *what)
{
    char message[256];

    snprintf(message, sizeof message, "%s: %s", what, strerror(errno));
    const struct osiris_error_report report = {
        .struct_size = sizeof report, .category = OSIRIS_ERROR_CONNECTION, .message = message};
    flaky->host->error(flaky->host, &report);
    return -1;
}

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

/* Carrying. */

static uint64_t number(const unsigned char *bytes, int length)
{
    uint64_t value = 0;

    for (int i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* How much of a frame that has begun may pass: all (UINT64_MAX), or so many bytes and then a cut. */
static uint64_t quota_by_frames(struct lane *lane, uint64_t sequence, uint64_t length)
{
    int *stage = sequence == 0 ? &lane->greeting_stage : &lane->stage;

    if (sequence != 0 && sequence <= lane->seen)
        return UINT64_MAX;
    switch ((*stage)++) {
    case 0:
        return 0;
    case 1:
        return length / 2;
    case 2:
        return length;
    }
    if (sequence != 0) {
        /* This one had its cuts: the next frame's turn comes with its own number. */
        lane->seen = sequence;
        lane->stage = 0;
    }
    return UINT64_MAX;
}

/* A header is complete. */
static void begin_frame(struct flaky *flaky, struct lane *lane)
{
    uint64_t length = HEADER + number(lane->header, 4) + number(lane->header + 4, 4);
    uint64_t sequence = number(lane->header + 8, 8);

    lane->left = length;
    lane->quota = UINT64_MAX;
    if (flaky->by_frames && flaky->cuts_left > 0)
        lane->quota = quota_by_frames(lane, sequence, length);
    if (sequence == 0)
        return;
    flaky->frames++;
    if (flaky->cut_after >= 0 && flaky->frames > flaky->cut_after && flaky->cuts_left > 0)
        lane->quota = 0;
    if (flaky->silent_after >= 0 && flaky->frames > flaky->silent_after)
        flaky->silenced = flaky->silent_lanes;
}

/* -1: the link breaks here. */
static int pass(struct flaky *flaky, int which, const unsigned char *bytes, size_t length)
{
    struct lane *lane = &flaky->lanes[which];
    size_t allowed = length, done = 0;
    int cut = 0;

    if (flaky->silenced & (which + 1))
        return 0;
    if (lane->quota < allowed) {
        allowed = (size_t)lane->quota;
        cut = 1;
    }
    if (flaky->by_bytes && flaky->cuts_left > 0 && flaky->budget < (int64_t)allowed) {
        allowed = (size_t)flaky->budget;
        cut = 1;
    }
    while (done < allowed && !atomic_load(&flaky->stop)) {
        struct pollfd ready = {.fd = flaky->ends[!which], .events = POLLOUT};
        if (poll(&ready, 1, 20) <= 0)
            continue; /* its reader may have stopped reading */
        ssize_t sent = send(flaky->ends[!which], bytes + done, allowed - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return 0; /* its reader is gone: the end is seen on the next read */
        done += (size_t)sent;
    }
    flaky->budget -= (int64_t)allowed;
    if (lane->quota != UINT64_MAX)
        lane->quota -= allowed;
    /* Behind the last byte that may pass, not before the next one. */
    return cut || (lane->quota == 0 && lane->left == length) ? -1 : 0;
}

/* Bytes of one direction, as they come. Headers wait until they are whole: a cut may come before them. */
static int take(struct flaky *flaky, int which, const unsigned char *bytes, size_t length)
{
    struct lane *lane = &flaky->lanes[which];

    while (length > 0) {
        size_t part;
        if (lane->left == 0) {
            part = HEADER - lane->filled < length ? HEADER - lane->filled : length;
            memcpy(lane->header + lane->filled, bytes, part);
            lane->filled += part;
            if (lane->filled == HEADER) {
                begin_frame(flaky, lane);
                if (pass(flaky, which, lane->header, HEADER) < 0)
                    return -1;
                lane->left -= HEADER;
                lane->filled = 0;
            }
        } else {
            part = lane->left < length ? (size_t)lane->left : length;
            if (pass(flaky, which, bytes, part) < 0)
                return -1;
            lane->left -= part;
        }
        bytes += part;
        length -= part;
    }
    return 0;
}

/* Ends of links that nobody has cut (the session is over) are passed on. */
static void *carry(void *context)
{
    unsigned char bytes[65536];
    struct flaky *flaky = context;
    int result = 0;

    while (result == 0 && !atomic_load(&flaky->stop)) {
        struct pollfd fds[2] = {{.fd = flaky->ends[0], .events = POLLIN},
                                {.fd = flaky->ends[1], .events = POLLIN}};
        if (poll(fds, 2, 20) <= 0)
            continue;
        for (int which = 0; which < 2 && result == 0; which++) {
            if (fds[which].revents == 0)
                continue;
            ssize_t got = recv(flaky->ends[which], bytes, sizeof bytes, MSG_DONTWAIT);
            if (got > 0)
                result = take(flaky, which, bytes, (size_t)got);
            else if (got == 0 || (errno != EAGAIN && errno != EINTR))
                result = 1;
        }
    }
    if (result < 0) {
        flaky->cuts++;
        flaky->cuts_left--;
    }
    /* Sometimes the worker is left with a link that only looks alive. */
    if (result < 0 && rand_r(&flaky->seed) % 4 == 0) {
        flaky->lingering_fd = flaky->ends[1];
        flaky->ends[1] = -1;
    }
    close_fd(&flaky->ends[0]);
    close_fd(&flaky->ends[1]);
    return NULL;
}

static void end_link(struct flaky *flaky)
{
    if (!flaky->has_carrier)
        return;
    atomic_store(&flaky->stop, 1);
    (void)pthread_join(flaky->carrier, NULL);
    atomic_store(&flaky->stop, 0);
    flaky->has_carrier = 0;
    flaky->silenced = 0;
}

static int connect_to_worker(struct flaky *flaky)
{
    int fd = socket(flaky->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)&flaky->address, flaky->address_length) < 0) {
        fail(flaky, "cannot connect to the worker");
        close_fd(&fd);
        return -1;
    }
    return fd;
}

static int make_link(struct flaky *flaky, struct osiris_channel *channel)
{
    int sockets[2], worker = connect_to_worker(flaky);

    if (worker < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
        close_fd(&worker);
        return fail(flaky, "cannot make a link");
    }
    flaky->ends[0] = sockets[1];
    flaky->ends[1] = worker;
    for (int i = 0; i < 2; i++)
        flaky->lanes[i].left = flaky->lanes[i].filled = 0;
    /* From a few bytes to some frames. */
    flaky->budget = 1 + rand_r(&flaky->seed) % (128 << rand_r(&flaky->seed) % 13);
    if (pthread_create(&flaky->carrier, NULL, carry, flaky) != 0) {
        close_fd(&sockets[0]);
        close_fd(&flaky->ends[0]);
        close_fd(&flaky->ends[1]);
        return fail(flaky, "cannot start a thread");
    }
    flaky->has_carrier = 1;
    channel->socket = sockets[0];
    if (flaky->folder != NULL) {
        channel->flags = OSIRIS_CHANNEL_FILES_HOME;
        channel->artifacts_dir = flaky->artifacts_dir;
        channel->temp_dir = flaky->temp_dir;
        channel->working_dir = flaky->folder;
    }
    if (flaky->host->get_boolean(flaky->host, OSIRIS_CONFIG, "remote", 0))
        channel->flags |= OSIRIS_CHANNEL_REMOTE;
    return 0;
}

/* Strangers: each says something that is not the session's, and must be shown out without a word. */

static const struct saying {
    const char *bytes;
    size_t length;
} sayings[] = {
#define SAYING(text) {text, sizeof text - 1}
    SAYING("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    SAYING("\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x80"), /* {} as number 1 */
    SAYING("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0"),
    SAYING("\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x00\xc1"), /* no message */
    /* {type: resume, data: {session: "s", token: "t", received: 3}} as number 0: of no session, for it begins at 3 */
    SAYING("\0\0\0\x2e\0\0\0\0\0\0\0\0\0\0\0\0\x82\xa4type\xa6resume\xa4" "data\x83\xa7session\xa1s"
           "\xa5token\xa1t\xa8received\x03"),
};

static void say_and_listen(struct flaky *flaky, const struct saying *saying)
{
    struct timeval patience = {.tv_sec = 30};
    int fd = connect_to_worker(flaky);
    char answer;

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)send(fd, saying->bytes, saying->length, MSG_NOSIGNAL);
    ssize_t got = recv(fd, &answer, 1, 0);
    flaky->strangers++;
    if (got > 0 || (got < 0 && errno != ECONNRESET))
        flaky->strangers_heard++;
    close_fd(&fd);
}

static void send_strangers(struct flaky *flaky)
{
    if (!flaky->host->get_boolean(flaky->host, OSIRIS_CONFIG, "strangers", 0))
        return;
    /* One of them says nothing, and stays until the others have gone. */
    int silent = connect_to_worker(flaky);
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++)
        say_and_listen(flaky, &sayings[i]);
    close_fd(&silent);
}

/* The worker. */

static int listen_somewhere(struct flaky *flaky)
{
    int tcp = flaky->host->get_boolean(flaky->host, OSIRIS_CONFIG, "tcp", 0);
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX}; /* Linux finds it a name */

    flaky->listen_fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    flaky->address_length = sizeof flaky->address;
    if (flaky->listen_fd < 0 ||
        bind(flaky->listen_fd, tcp ? (void *)&loopback : (void *)&unnamed,
             tcp ? sizeof loopback : sizeof unnamed.sun_family) < 0 ||
        listen(flaky->listen_fd, 16) < 0 ||
        getsockname(flaky->listen_fd, (struct sockaddr *)&flaky->address,
                    &flaky->address_length) < 0)
        return fail(flaky, "cannot listen");
    return 0;
}

static void run_child(const struct flaky *flaky, int diagnostics)
{
    char number_text[] = {(char)('0' + CHILD_LISTEN_FD), '\0'};
    char *const arguments[] = {(char *)flaky->context->worker_path, (char *)"--listen-fd",
                               number_text, NULL};
    int high = fcntl(flaky->listen_fd, F_DUPFD_CLOEXEC, 20);
    int high_diagnostics = fcntl(diagnostics, F_DUPFD_CLOEXEC, 20);
    sigset_t none;

    (void)setpgid(0, 0);
    if (flaky->folder != NULL && chdir(flaky->folder) < 0)
        _exit(126);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (high >= 0 && dup2(high, CHILD_LISTEN_FD) >= 0 && dup2(high_diagnostics, STDOUT_FILENO) >= 0 &&
        dup2(high_diagnostics, STDERR_FILENO) >= 0)
        execve(flaky->context->worker_path, arguments, (char *const *)flaky->context->environment);
    _exit(127);
}

static int flaky_open(const struct osiris_host *host, const struct osiris_adapter_context *context,
                      void **state)
{
    struct flaky *flaky = calloc(1, sizeof *flaky);
    const char *mode = host->get_string(host, OSIRIS_CONFIG, "mode", "none");
    const char *silent = host->get_string(host, OSIRIS_CONFIG, "silent", "both");

    if (flaky == NULL)
        return -1;
    flaky->host = host;
    flaky->context = context;
    flaky->listen_fd = flaky->lingering_fd = flaky->ends[0] = flaky->ends[1] = -1;
    flaky->folder = host->get_string(host, OSIRIS_CONFIG, "folder", NULL);
    if (flaky->folder != NULL) {
        snprintf(flaky->artifacts_dir, sizeof flaky->artifacts_dir, "%s/artifacts", flaky->folder);
        snprintf(flaky->temp_dir, sizeof flaky->temp_dir, "%s/temp", flaky->folder);
    }
    flaky->by_frames = strcmp(mode, "frames") == 0;
    flaky->by_bytes = strcmp(mode, "bytes") == 0;
    flaky->seed = (unsigned)host->get_integer(host, OSIRIS_CONFIG, "seed", 1);
    flaky->cuts_left = host->get_integer(host, OSIRIS_CONFIG, "cuts", 1000000);
    flaky->cut_after = host->get_integer(host, OSIRIS_CONFIG, "cut_after", -1);
    if (flaky->cut_after >= 0)
        flaky->cuts_left = 1;
    flaky->silent_after = host->get_integer(host, OSIRIS_CONFIG, "silent_after", -1);
    flaky->silent_lanes = strcmp(silent, "to_worker") == 0     ? 1
                          : strcmp(silent, "from_worker") == 0 ? 2
                                                               : 3;
    *state = flaky;
    return 0;
}

static int flaky_prepare(void *state)
{
    return listen_somewhere(state);
}

/* An adapter that takes its time. `option` names a file. */
static int wait_for_leave(const struct flaky *flaky, const char *option, int deaf)
{
    const struct osiris_host *host = flaky->host;
    const char *path = host->get_string(host, OSIRIS_CONFIG, option, NULL);

    if (path == NULL || access(path, F_OK) != 0)
        return 0;
    host->event(host, "held", NULL);
    while (access(path, F_OK) == 0) {
        if (!deaf && host->cancelled(host)) {
            errno = ECANCELED;
            return fail(flaky, "gave up");
        }
        (void)poll(NULL, 0, 2);
    }
    return 0;
}

static int is_deaf(const struct flaky *flaky)
{
    return flaky->host->get_boolean(flaky->host, OSIRIS_CONFIG, "deaf", 0);
}

static int flaky_execute(void *state, struct osiris_channel *channel)
{
    struct flaky *flaky = state;
    int pipes[2];

    if (wait_for_leave(flaky, "hold", is_deaf(flaky)) < 0)
        return -1;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return fail(flaky, "cannot make a pipe");
    flaky->worker = fork();
    if (flaky->worker == 0)
        run_child(flaky, pipes[1]);
    (void)close(pipes[1]);
    channel->diagnostics = pipes[0];
    if (flaky->worker < 0)
        return fail(flaky, "cannot start a process");
    (void)setpgid(flaky->worker, flaky->worker);
    close_fd(&flaky->listen_fd);
    send_strangers(flaky);
    return make_link(flaky, channel);
}

static int refuse(struct flaky *flaky, const char *then)
{
    if (strcmp(then, "kill") == 0)
        (void)kill(flaky->worker, SIGKILL);
    errno = EHOSTUNREACH;
    return fail(flaky, "cannot reach the worker");
}

static int flaky_reconnect(void *state, struct osiris_channel *channel)
{
    struct flaky *flaky = state;
    const char *then = flaky->host->get_string(flaky->host, OSIRIS_CONFIG, "then", "go_on");
    int64_t down_ms = flaky->host->get_integer(flaky->host, OSIRIS_CONFIG, "down_ms", 0);

    if (flaky->has_carrier)
        flaky->cut_at_ms = now_ms();
    end_link(flaky);
    flaky->silent_after = -1;
    if (strcmp(then, "go_on") != 0)
        return refuse(flaky, then);
    if (now_ms() < flaky->cut_at_ms + down_ms)
        return refuse(flaky, then);
    send_strangers(flaky);
    int result = make_link(flaky, channel);
    close_fd(&flaky->lingering_fd);
    return result;
}

static void look(const struct flaky *flaky, struct osiris_worker_exit *result)
{
    siginfo_t info = {0};

    result->state = OSIRIS_WORKER_RUNNING;
    if (flaky->worker <= 0) {
        result->state = OSIRIS_WORKER_LOST;
    } else if (waitid(P_PID, (id_t)flaky->worker, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == flaky->worker) {
        result->state =
            info.si_code == CLD_EXITED ? OSIRIS_WORKER_EXITED : OSIRIS_WORKER_SIGNALLED;
        result->code = info.si_status;
    }
}

static int flaky_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    int64_t deadline = now_ms() + timeout_ms;

    if (timeout_ms > 0)
        (void)wait_for_leave(state, "hold_end", 1);
    for (;;) {
        look(state, result);
        if (result->state != OSIRIS_WORKER_RUNNING || now_ms() >= deadline)
            return 0;
        (void)poll(NULL, 0, 2);
    }
}

static int flaky_terminate(void *state, int32_t how)
{
    const struct flaky *flaky = state;

    (void)wait_for_leave(flaky, "hold_kill", 1);
    if (flaky->worker > 0)
        (void)kill(how == OSIRIS_TERMINATE_KILL ? -flaky->worker : flaky->worker,
                   how == OSIRIS_TERMINATE_KILL ? SIGKILL : SIGTERM);
    return 0;
}

static int flaky_collect(void *state)
{
    return wait_for_leave(state, "hold_collect", is_deaf(state));
}

static void flaky_close(void *state)
{
    struct flaky *flaky = state;

    end_link(flaky);
    flaky->host->metric(flaky->host, "link_cuts", (double)flaky->cuts, NULL);
    flaky->host->metric(flaky->host, "strangers", (double)flaky->strangers, NULL);
    flaky->host->metric(flaky->host, "strangers_heard", (double)flaky->strangers_heard, NULL);
    if (flaky->worker > 0) {
        (void)kill(-flaky->worker, SIGKILL);
        while (waitpid(flaky->worker, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close_fd(&flaky->lingering_fd);
    close_fd(&flaky->listen_fd);
    free(flaky);
}

static const struct osiris_adapter flaky_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "flaky",
    .version = "1.0.0",
    .spec = spec,
    .open = flaky_open,
    .prepare = flaky_prepare,
    .execute = flaky_execute,
    .worker_exit = flaky_worker_exit,
    .terminate = flaky_terminate,
    .collect = flaky_collect,
    .close = flaky_close,
    .reconnect = flaky_reconnect,
};

static const struct osiris_adapter *const adapters[] = {&flaky_adapter, NULL};

OSIRIS_PLUGIN(flaky) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "flaky",
    .version = "1.0.0",
    .adapters = adapters,
};
