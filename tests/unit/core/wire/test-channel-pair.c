/* Links of two descriptors, and the size of parts on links that let nothing through. */
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel-ends.h"

/* Two channels, joined by two pipes. ends[0] is the orchestrator's. */
static void join(struct channel *ends[2], bool first)
{
    int down[2], up[2];

    ck_assert_int_eq(pipe2(down, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
    const struct channel_link links[2] = {{up[0], down[1]}, {down[0], up[1]}};
    for (int i = 0; i < 2; i++) {
        if (!first) {
            ck_assert_int_eq(channel_reconnect_over(ends[i], links[i], NULL), 0);
            continue;
        }
        ends[i] = channel_new_over(links[i], NULL);
        ck_assert_ptr_nonnull(ends[i]);
    }
}

static void make_ends(struct channel *ends[2], bool resumable)
{
    (void)signal(SIGPIPE, SIG_IGN);
    join(ends, true);
    for (int i = 0; resumable && i < 2; i++)
        channel_allow_resumption(ends[i], "session", "token", i == 0);
}

/* Pumps once if poll says so. Returns what channel_pump_ready does; *polled: whether poll has reported something. */
static int pump_polled(struct channel *channel, bool *polled, bool *end, struct osiris_error *error)
{
    struct pollfd fds[] = {{.fd = channel_fd(channel), .events = channel_poll_events(channel)},
                           {.fd = channel_output_fd(channel), .events = channel_output_events(channel)},
                           {.fd = channel_wake_fd(channel), .events = POLLIN}};

    *polled = poll(fds, 3, 0) > 0;
    *end = false;
    return *polled ? channel_pump_ready(channel, fds[0].revents | fds[1].revents, end, error) : 0;
}

START_TEST(test_messages_and_bodies_over_pipes)
{
    enum { LENGTH = 300000 };
    struct channel *ends[2];
    struct assembly assemblies[2] = {{.bytes = calloc(1, LENGTH)}, {0}};
    uint8_t *bytes = pattern(LENGTH, 3);
    int releases = 0;
    size_t length = 0;
    bool end, polled;

    make_ends(ends, false);
    channel_set_destination(ends[1], place, assemblies);
    _cleanup_json_ json_object *batch = stream_message("batch", 0);
    struct channel_body body = body_of(bytes, LENGTH, &releases);
    ck_assert_int_eq(channel_send_body(ends[0], batch, &body, NULL), 0);
    /* A pipe holds 64 KiB. */
    ck_assert_int_ne(channel_output_events(ends[0]), 0);
    json_object *message = NULL;
    while (message == NULL) {
        ck_assert_int_ge(pump_polled(ends[0], &polled, &end, NULL), 0);
        ck_assert_int_ge(pump_polled(ends[1], &polled, &end, NULL), 0);
        message = channel_receive_body(ends[1], &length, NULL);
    }
    json_object_put(message);
    ck_assert_uint_eq(length, LENGTH);
    ck_assert_mem_eq(assemblies[0].bytes, bytes, LENGTH);
    ck_assert_int_eq(releases, 1);
    ck_assert_int_eq(channel_poll_events(ends[0]), POLLIN);
    ck_assert_int_eq(channel_output_events(ends[0]), 0);
    for (int i = 0; i < 2; i++)
        channel_free(ends[i]);
    free(bytes);
    free(assemblies[0].bytes);
}
END_TEST

/* Nothing is to be sent and nothing arrives: only the descriptor tells. */
START_TEST(test_an_output_that_nobody_reads_is_a_lost_link)
{
    int down[2], up[2];
    bool end, polled;

    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(down, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
    struct channel *channel = channel_new_over((struct channel_link){up[0], down[1]}, NULL);
    channel_allow_resumption(channel, "session", "token", true);
    ck_assert_int_eq(pump_polled(channel, &polled, &end, NULL), 0);
    ck_assert(!polled && channel_is_up(channel));
    (void)close(down[0]);
    ck_assert_int_eq(pump_polled(channel, &polled, &end, NULL), 0);
    ck_assert(polled && !end && channel_is_lost(channel));
    ck_assert_int_eq(channel_fd(channel), -1);
    ck_assert_int_eq(channel_output_fd(channel), -1);
    /* The other pipe has been closed, too. */
    ck_assert_int_eq(write(up[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
    (void)close(up[1]);
    channel_free(channel);
}
END_TEST

/* Without resumption, the last words are received first. Then the next message cannot be sent. */
START_TEST(test_an_output_that_nobody_reads_does_not_hide_last_words)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *number = number_message(0, 5);
    struct channel *ends[2];
    int down[2], up[2];
    bool end, polled;

    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(down, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
    ends[0] = channel_new_over((struct channel_link){up[0], down[1]}, NULL);
    ends[1] = channel_new_over((struct channel_link){down[0], up[1]}, NULL);
    ck_assert_int_eq(channel_send(ends[1], number, false, NULL), 0);
    int kept = fcntl(up[1], F_DUPFD_CLOEXEC, 0);
    channel_free(ends[1]);
    ck_assert_int_eq(pump_polled(ends[0], &polled, &end, &error), 1);
    _cleanup_json_ json_object *got = channel_receive(ends[0], NULL);
    ck_assert_int_eq(field(got, "number"), 5);
    /* It is not polled any more: the loop does not turn without a pause. */
    ck_assert_int_eq(pump_polled(ends[0], &polled, &end, &error), 0);
    ck_assert(!polled);
    ck_assert_int_eq(channel_send(ends[0], number, false, &error), -1);
    ck_assert_int_eq(error.native_code, EPIPE);
    (void)close(kept);
    osiris_error_clear(&error);
    ck_assert_int_eq(pump_polled(ends[0], &polled, &end, &error), 0);
    ck_assert(end);
    channel_free(ends[0]);
}
END_TEST

START_TEST(test_descriptors_that_cannot_be_used)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    int pipes[2];

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    ck_assert_ptr_null(channel_new_over((struct channel_link){pipes[0], 1000}, &error));
    ck_assert_int_eq(error.native_code, EBADF);
    ck_assert_int_eq(fcntl(pipes[0], F_GETFD), -1);
    (void)close(pipes[1]);
}
END_TEST

START_TEST(test_tcp_sends_at_once)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 0;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
    struct channel *channel = channel_new(fd, NULL);
    length = sizeof on;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    ck_assert_int_ne(on, 0);
    channel_free(channel);
    (void)close(listener);
}
END_TEST

/* Parts. */

static bool is_received(const struct assembly *assembly, size_t length)
{
    return assembly->filled == length;
}

/* Takes what has arrived. Returns the longest body. */
static size_t take(struct channel *channel, struct assembly *assembly)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    size_t longest = 0, length;
    bool end, polled = true;

    for (int i = 0; i < 1000 && polled; i++) {
        if (channel_is_lost(channel))
            break;
        ck_assert_msg(pump_polled(channel, &polled, &end, &error) >= 0, "%s", error.message);
        for (json_object *message; (message = channel_receive_body(channel, &length, &error)) != NULL; json_object_put(message)) {
            assembly->filled += length;
            longest = length > longest ? length : longest;
        }
        ck_assert_msg(error.category == 0, "%s", error.message);
    }
    return longest;
}

/* A link of two sockets each way through this process, which passes at most `budget` bytes. */
struct proxy {
    int ends[2];
};

static void link_proxy(struct channel *ends[2], struct proxy *proxy, bool first)
{
    for (int i = 0; i < 2; i++) {
        int sockets[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets), 0);
        proxy->ends[i] = sockets[1];
        if (first)
            ends[i] = channel_new(sockets[0], NULL);
        else
            ck_assert_int_eq(channel_reconnect(ends[i], sockets[0], NULL), 0);
        if (first)
            channel_allow_resumption(ends[i], "session", "token", i == 0);
    }
}

/* False: the link is cut. */
static bool pass(const struct proxy *proxy, size_t *budget)
{
    char bytes[4096];

    for (int i = 0; i < 2; i++) {
        ssize_t got = recv(proxy->ends[i], bytes, *budget < sizeof bytes ? *budget : sizeof bytes, MSG_DONTWAIT);
        if (got <= 0)
            continue;
        ck_assert_int_eq(send(proxy->ends[!i], bytes, (size_t)got, MSG_NOSIGNAL), got);
        *budget -= (size_t)got;
        if (*budget == 0)
            return false;
    }
    return true;
}

/* `sender`: which end sends a body. Returns how many links it took; each carries `budget` bytes. The longest part on the last link is noted. */
static int send_over_short_links(int sender, size_t length, size_t budget, size_t *longest)
{
    struct channel *ends[2];
    struct proxy proxy;
    uint8_t *bytes = pattern(length, 7);
    struct assembly assembly = {.bytes = calloc(1, length)};
    int links = 1, releases = 0;

    link_proxy(ends, &proxy, true);
    channel_set_destination(ends[!sender], place, &assembly);
    _cleanup_json_ json_object *batch = stream_message("batch", 0);
    struct channel_body body = body_of(bytes, length, &releases);
    ck_assert_int_eq(channel_send_body(ends[sender], batch, &body, NULL), 0);
    for (size_t left = budget; !is_received(&assembly, length);) {
        bool up = pass(&proxy, &left);
        for (int i = 0; i < 2; i++)
            (void)take(ends[i], &assembly);
        if (up)
            continue;
        for (int i = 0; i < 2; i++)
            (void)close(proxy.ends[i]);
        for (int i = 0; i < 2; i++) {
            size_t part = take(ends[i], &assembly);
            *longest = part > *longest ? part : *longest;
            ck_assert(channel_is_lost(ends[i]));
        }
        ck_assert_int_lt(++links, 1000);
        link_proxy(ends, &proxy, false);
        /* The worker's side takes the greeting of the other as its code does. */
        left = budget;
        for (bool greeted = false; !greeted;) {
            (void)pass(&proxy, &left);
            for (int i = 0; i < 2; i++)
                (void)take(ends[i], &assembly);
            greeted = channel_is_up(ends[0]) && channel_is_up(ends[1]);
        }
    }
    ck_assert_mem_eq(assembly.bytes, bytes, length);
    for (int i = 0; i < 2; i++) {
        channel_free(ends[i]);
        (void)close(proxy.ends[i]);
    }
    ck_assert_int_eq(releases, 1);
    free(bytes);
    free(assembly.bytes);
    return links;
}

START_TEST(test_a_link_that_dies_within_every_30_kb)
{
    for (int sender = 0; sender < 2; sender++) {
        size_t longest = 0;
        int links = send_over_short_links(sender, 2500000, 30000, &longest);
        ck_assert_int_ge(links, 2500000 / 30000);
        ck_assert_int_le(links, 2500000 / 16384 + 5);
    }
}
END_TEST

START_TEST(test_a_link_that_dies_within_every_9_kb)
{
    size_t longest = 0;

    ck_assert_int_le(send_over_short_links(0, 1000000, 9000, &longest), 1000000 / 8192 + 5);
}
END_TEST

UNIT_MAIN("channel-pair", test_messages_and_bodies_over_pipes, test_an_output_that_nobody_reads_is_a_lost_link,
          test_an_output_that_nobody_reads_does_not_hide_last_words, test_descriptors_that_cannot_be_used, test_tcp_sends_at_once,
          test_a_link_that_dies_within_every_30_kb, test_a_link_that_dies_within_every_9_kb)
