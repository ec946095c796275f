/* Parts of a relay: the log in memory (worker/relay/log-store.h) and one direction of bytes (pump.h). */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "worker/relay/log-store.h"
#include "worker/relay/pump.h"

static size_t copy(const struct log_store *store, uint64_t offset, char *to)
{
    const char *bytes;
    size_t all = 0, length;

    while ((length = log_store_at(store, offset + all, &bytes)) > 0) {
        memcpy(to + all, bytes, length);
        all += length;
    }
    return all;
}

START_TEST(test_log_from_any_offset)
{
    static char given[3 * LOG_STORE_BLOCK + 17], found[sizeof given];
    struct log_store store;

    for (size_t i = 0; i < sizeof given; i++)
        given[i] = (char)(i * 31 % 251);
    log_store_init(&store, 16u << 20);
    for (size_t i = 0; i < sizeof given;) {
        const size_t part = i % 7001 + 1 < sizeof given - i ? i % 7001 + 1 : sizeof given - i;
        log_store_append(&store, given + i, part);
        i += part;
    }
    for (size_t offset = 0; offset <= sizeof given; offset += offset < sizeof given - 5000 ? 4999 : 1) {
        ck_assert_uint_eq(copy(&store, offset, found), sizeof given - offset);
        ck_assert_mem_eq(found, given + offset, sizeof given - offset);
    }
    ck_assert_uint_eq(copy(&store, UINT64_MAX, found), 0);
    log_store_clear(&store);
}
END_TEST

START_TEST(test_log_is_limited)
{
    static const char expected[] = "abcdefghij\nosiris-worker: more than 10 bytes were printed; the rest is dropped\n";
    char found[256] = "";
    struct log_store store;

    log_store_init(&store, 10);
    log_store_append(&store, "abcdefghij", 10);
    ck_assert_uint_eq(copy(&store, 0, found), 10);
    log_store_append(&store, "klm", 3);
    log_store_append(&store, "nop", 3);
    ck_assert_uint_eq(copy(&store, 0, found), strlen(expected));
    ck_assert_mem_eq(found, expected, strlen(expected));
    /* What the keeper itself says is not dropped. */
    log_store_append_line(&store, "the end");
    ck_assert_uint_eq(copy(&store, strlen(expected), found), 8);
    ck_assert_mem_eq(found, "the end\n", 8);
    log_store_clear(&store);
}
END_TEST

START_TEST(test_log_lines_begin_a_line)
{
    char found[64] = "";
    struct log_store store;

    log_store_init(&store, 100);
    log_store_append_line(&store, "one");
    log_store_append_line(&store, "two");
    log_store_append(&store, "thr", 3);
    log_store_append_line(&store, "four");
    ck_assert_uint_eq(copy(&store, 0, found), 17);
    ck_assert_str_eq(found, "one\ntwo\nthr\nfour\n");
    log_store_clear(&store);
}
END_TEST

static void make_pipe(int fds[2])
{
    ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
}

/* A full output stops the reading, and nothing is lost when it goes on. */
START_TEST(test_pump_passes_back_pressure_on)
{
    int in[2], out[2];
    struct pump pump;
    size_t written = 0, got = 0;
    static char bytes[4096], back[65536];

    make_pipe(in);
    make_pipe(out);
    ck_assert_int_eq(pump_init(&pump, in[0], out[1]), 0);
    for (int idle = 0; idle < 3;) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)((written + i) % 253);
        ssize_t put = write(in[1], bytes, sizeof bytes);
        written += put > 0 ? (size_t)put : 0;
        idle = put > 0 ? 0 : idle + 1;
        pump_move(&pump);
    }
    ck_assert_uint_le(written, PUMP_BYTES + 2 * (1u << 20));
    ck_assert_uint_ge(written, PUMP_BYTES);
    ck_assert_int_eq(pump_poll_from(&pump), 0);
    ck_assert_int_eq(pump_poll_to(&pump), POLLOUT);
    (void)close(in[1]);
    while (!pump_is_done(&pump) || got < written) {
        ssize_t length = read(out[0], back, sizeof back);
        for (ssize_t i = 0; i < length; i++)
            ck_assert_int_eq(back[i], (char)((got + (size_t)i) % 253));
        got += length > 0 ? (size_t)length : 0;
        pump_move(&pump);
    }
    ck_assert_uint_eq(got, written);
    (void)close(in[0]);
    (void)close(out[0]);
    (void)close(out[1]);
    pump_clear(&pump);
}
END_TEST

START_TEST(test_pump_without_a_reader)
{
    int in[2], out[2];
    struct pump pump;

    (void)signal(SIGPIPE, SIG_IGN);
    make_pipe(in);
    make_pipe(out);
    ck_assert_int_eq(pump_init(&pump, in[0], out[1]), 0);
    pump_begin_with(&pump, "first");
    (void)close(out[0]);
    ck_assert_int_eq(write(in[1], "second", 6), 6);
    pump_move(&pump);
    ck_assert_int_eq(pump.to, -1);
    ck_assert(!pump_is_done(&pump));
    /* It is still read, until its end. */
    ck_assert_int_eq(write(in[1], "third", 5), 5);
    (void)close(in[1]);
    pump_move(&pump);
    pump_move(&pump);
    ck_assert(pump_is_done(&pump));
    (void)close(in[0]);
    (void)close(out[1]);
    pump_clear(&pump);
}
END_TEST

UNIT_MAIN("relay", test_log_from_any_offset, test_log_is_limited, test_log_lines_begin_a_line, test_pump_passes_back_pressure_on,
          test_pump_without_a_reader)
