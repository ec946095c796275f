/*
 * How much of a file's contents may be on its way between the place and home (docs/protocol.md, "Files at home"). Whoever receives them
 * has one window for each file, which grows while it is used up, and one budget for all of its files. No I/O, no lock.
 */
#ifndef OSIRIS_CORE_WIRE_WINDOW_H
#define OSIRIS_CORE_WIRE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_SMALLEST (INT64_C(16) << 10) /* a file always gets this much, so that none waits for another one */
#define WINDOW_FIRST (INT64_C(256) << 10)
#define WINDOW_LARGEST (INT64_C(4) << 20)
#define WINDOW_BUDGET (INT64_C(16) << 20) /* for all files that exceed the smallest */
#define WINDOW_BODY (INT64_C(256) << 10)  /* a sender sends no more at once */

struct window_budget {
    int64_t used; /* granted, or received and not passed on */
};

struct window {
    struct window_budget *budget; /* NULL: it is closed */
    int64_t size;                 /* its current size */
    int64_t credit;               /* granted, not used yet */
    int64_t held;                 /* received, not passed on */
    int64_t passed;               /* since it has grown */
};

/* Opens it and returns the first credit to grant. */
int64_t window_open(struct window *window, struct window_budget *budget);
/* Bytes have arrived. False: they exceed the credit. */
bool window_take(struct window *window, int64_t bytes);
/* Bytes that had arrived were passed on (or dropped). Returns the credit to grant, or 0. */
int64_t window_pass(struct window *window, int64_t bytes);
/* Returns everything to the budget. */
void window_close(struct window *window);

#endif
