/* A process that was stopped blames nobody else for the time. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/pause.h"
#include "core/base/read-to-end.h"

#define BOUND_MS 1000

/* Waits until the process is stopped, then longer than the bound, and continues it. */
static void pause_process(pid_t pid)
{
    int status;

    (void)kill(pid, SIGSTOP);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    int64_t end_ms = clock_monotonic_ms() + 2 * BOUND_MS;
    while (clock_monotonic_ms() < end_ms)
        (void)usleep(10000);
}

static int exit_code(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(test_reading_to_an_end)
{
    int pipes[2];

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        struct buffer text = BUFFER_INIT(1 << 20);
        (void)close(pipes[1]);
        _exit((int)read_to_end(pipes[0], clock_monotonic_ms() + BOUND_MS, &text));
    }
    pause_process(child);
    (void)kill(child, SIGCONT);
    (void)close(pipes[1]);
    ck_assert_int_eq(exit_code(child), READ_WHOLE);
    (void)close(pipes[0]);
}
END_TEST

START_TEST(test_reading_what_does_not_end)
{
    int pipes[2];
    struct buffer text = BUFFER_INIT(1 << 20);

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    ck_assert_int_eq(read_to_end(pipes[0], clock_monotonic_ms() + 300, &text), READ_LATE);
    buffer_clear(&text);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}
END_TEST

START_TEST(test_a_watch)
{
    struct pause_watch watch = {0};

    ck_assert_int_eq(pause_take(&watch, 1000), 0);
    pause_expect(&watch, 2000, 5000);
    ck_assert_int_eq(pause_take(&watch, 3000), 0);
    ck_assert_int_eq(pause_take(&watch, 8000), 5000);
    ck_assert_int_eq(pause_take(&watch, 8050), 0);
}
END_TEST

START_TEST(test_a_peer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the system chooses an abstract name */
    socklen_t length = sizeof address.sun_family;
    int own[2], listening = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, own), 0);
    ck_assert(!pause_has_peer(own[0])); /* this process itself */
    ck_assert(!pause_has_peer(listening));
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, length), 0);
    length = sizeof address;
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, length) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    int fd = accept(listening, NULL, NULL);
    ck_assert(!pause_has_peer(fd));
    pause_process(child);
    ck_assert(pause_has_peer(fd));
    (void)kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(!pause_has_peer(fd));
    (void)close(fd);
    (void)close(listening);
    (void)close(own[0]);
    (void)close(own[1]);
}
END_TEST

UNIT_MAIN("pause", test_reading_to_an_end, test_reading_what_does_not_end, test_a_watch, test_a_peer)
