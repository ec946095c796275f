/* One direction of a relay; see pump.h. */
#include "worker/relay/pump.h"

#include <poll.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"

#define ROUNDS 8 /* before other descriptors have their turn */

int pump_init(struct pump *pump, int from, int to)
{
    *pump = (struct pump){.from = from, .to = to, .bytes = malloc(PUMP_BYTES), .moved_ms = clock_monotonic_ms()};
    return pump->bytes == NULL ? -1 : 0;
}

void pump_clear(struct pump *pump)
{
    free(pump->bytes);
    *pump = (struct pump){.from = -1, .to = -1};
}

void pump_begin_with(struct pump *pump, const char *text)
{
    memcpy(pump->bytes, text, strlen(text));
    pump->end = strlen(text);
}

void pump_drop(struct pump *pump)
{
    pump->begin = pump->end = 0;
}

static bool has_room(const struct pump *pump)
{
    return pump->begin > 0 || pump->end < PUMP_BYTES;
}

short pump_poll_from(const struct pump *pump)
{
    return pump->from >= 0 && has_room(pump) ? POLLIN : 0;
}

short pump_poll_to(const struct pump *pump)
{
    return pump->to >= 0 && !pump_is_empty(pump) ? POLLOUT : 0;
}

static bool is_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool read_some(struct pump *pump)
{
    if (pump->from < 0 || !has_room(pump))
        return false;
    if (pump->end == PUMP_BYTES) {
        memmove(pump->bytes, pump->bytes + pump->begin, pump->end - pump->begin);
        pump->end -= pump->begin;
        pump->begin = 0;
    }
    ssize_t got = read(pump->from, pump->bytes + pump->end, PUMP_BYTES - pump->end);
    if (got > 0)
        pump->end += (size_t)got;
    else if (got == 0 || !is_later())
        pump->from = -1;
    return got > 0;
}

static bool write_some(struct pump *pump)
{
    if (pump->to < 0)
        pump_drop(pump);
    if (pump_is_empty(pump))
        return false;
    ssize_t put = write(pump->to, pump->bytes + pump->begin, pump->end - pump->begin);
    if (put < 0 && !is_later()) {
        pump->to = -1;
        pump_drop(pump);
    }
    if (put <= 0)
        return false;
    pump->moved_ms = clock_monotonic_ms();
    pump->begin += (size_t)put;
    if (pump_is_empty(pump))
        pump_drop(pump);
    return true;
}

void pump_move(struct pump *pump)
{
    for (int i = 0; i < ROUNDS; i++) {
        const bool has_read = read_some(pump);
        if (!write_some(pump) && !has_read)
            return;
    }
}
