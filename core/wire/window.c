/* Windows of files; see window.h. */
#include "core/wire/window.h"

#include <stddef.h>

/* What is granted is worth a message. Whoever gets nothing has credit, or will when what is held was passed on. */
static int64_t grant(struct window *window)
{
    int64_t used = window->credit + window->held, wanted = window->size - used;
    int64_t left = WINDOW_BUDGET - window->budget->used, least = WINDOW_SMALLEST - used;

    if (wanted > left)
        wanted = left > least ? left : least;
    if (wanted <= 0 || (used > 0 && wanted < WINDOW_SMALLEST / 2))
        return 0;
    window->credit += wanted;
    window->budget->used += wanted;
    return wanted;
}

int64_t window_open(struct window *window, struct window_budget *budget)
{
    *window = (struct window){.budget = budget, .size = WINDOW_FIRST};
    return grant(window);
}

bool window_take(struct window *window, int64_t bytes)
{
    if (bytes > window->credit)
        return false;
    window->credit -= bytes;
    window->held += bytes;
    return true;
}

int64_t window_pass(struct window *window, int64_t bytes)
{
    if (window->budget == NULL)
        return 0;
    window->held -= bytes;
    window->budget->used -= bytes;
    window->passed += bytes;
    if (window->passed >= window->size) {
        window->size = window->size < WINDOW_LARGEST ? 2 * window->size : WINDOW_LARGEST;
        window->passed = 0;
    }
    return grant(window);
}

void window_close(struct window *window)
{
    if (window->budget != NULL)
        window->budget->used -= window->credit + window->held;
    *window = (struct window){0};
}
