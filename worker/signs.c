/* Signs of life; see signs.h. */
#include "worker/signs.h"

#include "core/base/clock.h"

void signs_note(struct step_signs *signs)
{
    /* Of two increments at the same moment one may be lost: one sign is enough. */
    unsigned count = atomic_load_explicit(&signs->count, memory_order_relaxed);

    atomic_store_explicit(&signs->count, count + 1, memory_order_relaxed);
}

void signs_enter(struct step_signs *signs, const char *function)
{
    signs_note(signs);
    atomic_store_explicit(&signs->function, function, memory_order_relaxed);
}

void signs_leave(struct step_signs *signs)
{
    atomic_store_explicit(&signs->function, NULL, memory_order_relaxed);
}

void signs_begin_wait(struct step_signs *signs)
{
    atomic_fetch_add_explicit(&signs->host_waits, 1, memory_order_relaxed);
}

void signs_end_wait(struct step_signs *signs)
{
    signs_note(signs);
    atomic_fetch_sub_explicit(&signs->host_waits, 1, memory_order_relaxed);
}

void signs_skip_pause(struct signs_seen *seen, int64_t pause_ms)
{
    seen->silent_since_ms += pause_ms;
}

const char *signs_read(const struct step_signs *signs, struct signs_seen *seen, int64_t *silent_ms)
{
    const char *function = atomic_load_explicit(&signs->function, memory_order_relaxed);
    unsigned count = atomic_load_explicit(&signs->count, memory_order_relaxed);
    int64_t now = clock_monotonic_ms();

    if (function != seen->function || count != seen->count ||
        atomic_load_explicit(&signs->host_waits, memory_order_relaxed) > 0) {
        seen->function = function;
        seen->count = count;
        seen->silent_since_ms = now;
    }
    *silent_ms = now - seen->silent_since_ms;
    return function;
}
