/* Reading to an end; see read-to-end.h. */
#include "core/base/read-to-end.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/pause.h"

#define AT_ONCE 65536

/* Whether there is something to read before the time is over; -1: an error. */
static int wait_for(int fd, struct patience *patience)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int64_t slice;

    while ((slice = patience_next(patience)) > 0) {
        int ready = poll(&poll_fd, 1, (int)slice);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready;
    }
    return 0;
}

enum read_result read_to_end(int fd, int64_t deadline_ms, struct buffer *into)
{
    struct patience patience = {.left_ms = deadline_ms - clock_monotonic_ms()};

    for (;;) {
        int ready = deadline_ms == READ_NO_DEADLINE ? 1 : wait_for(fd, &patience);
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
