/* Reading to an end; see read-to-end.h. */
#include "core/read-to-end.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "core/clock.h"

#define AT_ONCE 65536

/* Whether there is something to read before the deadline; -1: an error. */
static int wait_for(int fd, int64_t deadline_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (deadline_ms == READ_NO_DEADLINE)
        return 1;
    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        int ready = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);
        if (ready >= 0 || errno != EINTR)
            return ready;
    }
}

enum read_result read_to_end(int fd, int64_t deadline_ms, struct buffer *into)
{
    for (;;) {
        int ready = wait_for(fd, deadline_ms);
        if (ready <= 0)
            return ready == 0 ? READ_LATE : READ_FAILED;
        char *room = buffer_reserve(into, AT_ONCE);
        if (room == NULL) {
            errno = ENOMEM;
            return READ_FAILED;
        }
        ssize_t got = read(fd, room, AT_ONCE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return READ_FAILED;
        if (got > 0) {
            into->length += (size_t)got;
            into->data[into->length] = '\0';
            continue;
        }
        if (buffer_append(into, "", 0) == 0)
            return READ_WHOLE;
        errno = ENOMEM;
        return READ_FAILED;
    }
}
