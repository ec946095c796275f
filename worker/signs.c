/*
 * Signs of life: whether a driver that was called still does something. A call to the host is one, and so is each entry into
 * the driver. While the host itself makes the driver wait (for an input, for a slow orchestrator, for the disk) it is not silent.
 * Step threads and drivers' own threads count; the main thread looks now and then.
 */
#include "core/base/clock.h"
#include "worker/run.h"

void signs_give(struct step *step)
{
    /* Of two threads at the same moment one may be lost: the other is a sign, too. */
    unsigned signs = atomic_load_explicit(&step->signs, memory_order_relaxed);

    atomic_store_explicit(&step->signs, signs + 1, memory_order_relaxed);
}

void signs_enter(struct step *step, const char *function)
{
    signs_give(step);
    atomic_store_explicit(&step->function, function, memory_order_relaxed);
}

void signs_leave(struct step *step)
{
    atomic_store_explicit(&step->function, NULL, memory_order_relaxed);
}

void signs_begin_wait(struct step *step)
{
    atomic_fetch_add_explicit(&step->host_waits, 1, memory_order_relaxed);
}

void signs_end_wait(struct step *step)
{
    signs_give(step);
    atomic_fetch_sub_explicit(&step->host_waits, 1, memory_order_relaxed);
}

void signs_excuse(struct step *step, int64_t pause_ms)
{
    step->silent_since_ms += pause_ms;
}

const char *signs_look(struct step *step, int64_t *silent_ms)
{
    const char *function = atomic_load_explicit(&step->function, memory_order_relaxed);
    unsigned signs = atomic_load_explicit(&step->signs, memory_order_relaxed);
    int64_t now = clock_monotonic_ms();

    if (function != step->seen_function || signs != step->seen_signs ||
        atomic_load_explicit(&step->host_waits, memory_order_relaxed) > 0) {
        step->seen_function = function;
        step->seen_signs = signs;
        step->silent_since_ms = now;
    }
    *silent_ms = now - step->silent_since_ms;
    return function;
}
